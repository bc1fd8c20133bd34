"""gitport from Python: a Git daemon beside the program, and calls to it.

with gitport.Client() as client:
    client.sync(url="https://example.org/r.git", branch="main", path="/srv/r")
    names = client.files(path="/srv/r")
"""

from . import types
from ._async_client import AsyncClient
from ._client import Client
from .errors import (
    AlreadyExists,
    BadRequest,
    Busy,
    Cancelled,
    Conflict,
    Corrupt,
    DaemonExited,
    Denied,
    DiskFull,
    Error,
    Internal,
    Invalid,
    Locked,
    NotFound,
    Timeout,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownOperation,
    Unsupported,
)
from .types import Workspace

__all__ = [
    "AlreadyExists",
    "AsyncClient",
    "BadRequest",
    "Busy",
    "Cancelled",
    "Client",
    "Conflict",
    "Corrupt",
    "DaemonExited",
    "Denied",
    "DiskFull",
    "Error",
    "Internal",
    "Invalid",
    "Locked",
    "NotFound",
    "Timeout",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "UnknownOperation",
    "Unsupported",
    "Workspace",
    "types",
]
