"""An exception for each code of the contract; all of them are `Error`.

The code is for programs, the message for people. `details` holds what else came with it, under
its name in the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Error(Exception):
    """A request failed. Of this very class only if this client does not know the code."""

    code: str = "internal"
    #: Whether the same request may well succeed when it is sent again later.
    retryable: bool = False

    def __init__(
        self, message: str, details: Mapping[str, Any] | None = None, code: str | None = None
    ) -> None:
        super().__init__(message, details, code)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        if code is not None:
            # A code from a later version counts as `internal` does.
            self.code, self.retryable = code, True

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class BadRequest(Error):
    """The request does not decode, or breaks a rule of its operation."""

    code = "bad_request"


class UnknownOperation(Error):
    """No operation has that name."""

    code = "unknown_operation"


class NotFound(Error):
    """What the request names is not there."""

    code = "not_found"


class AlreadyExists(Error):
    """What should be created is there already."""

    code = "already_exists"


class Conflict(Error):
    """Something else is there than the request expects."""

    code = "conflict"


class Locked(Error):
    """Somebody holds a lock on it."""

    code = "locked"
    retryable = True


class Denied(Error):
    """Not allowed: outside the root, a forbidden name or transport, a host key not trusted."""

    code = "denied"


class Unauthorized(Error):
    """The remote wants other credentials."""

    code = "unauthorized"


class Unavailable(Error):
    """The remote cannot be reached or broke off, or the daemon is not there."""

    code = "unavailable"
    retryable = True


class DaemonExited(Unavailable):
    """The daemon ended before it answered: with this status, after these last words.

    A negative `status` is the signal that ended it. Nobody can tell what became of the request.
    """

    def __init__(self, message: str, status: int | None = None, stderr: str = "") -> None:
        super().__init__(message, {"status": status, "stderr": stderr})
        self.args = (message, status, stderr)
        self.status = status
        self.stderr = stderr


class Timeout(Error):
    """Not done in the time that was given."""

    code = "timeout"
    retryable = True


class Cancelled(Error):
    """Ended before it was done, because somebody said so."""

    code = "cancelled"
    retryable = True


class TooLarge(Error):
    """A frame, a reply or a file beyond a limit."""

    code = "too_large"


class Busy(Error):
    """Too much is waiting; `details["retry_after_ms"]` says when to come back."""

    code = "busy"
    retryable = True


class Invalid(Error):
    """The content is not what it should be; of definitions, `diagnostics` says what is wrong."""

    code = "invalid"


class Unsupported(Error):
    """Git has it, gitport does not."""

    code = "unsupported"


class Corrupt(Error):
    """The repository is damaged."""

    code = "corrupt"


class DiskFull(Error):
    """No space, or no quota, is left."""

    code = "disk_full"


class Internal(Error):
    """A bug in gitport; only this request is lost."""

    code = "internal"
    retryable = True


BY_CODE: Mapping[str, type[Error]] = {
    kind.code: kind
    for kind in (
        BadRequest,
        UnknownOperation,
        NotFound,
        AlreadyExists,
        Conflict,
        Locked,
        Denied,
        Unauthorized,
        Unavailable,
        Timeout,
        Cancelled,
        TooLarge,
        Busy,
        Invalid,
        Unsupported,
        Corrupt,
        DiskFull,
        Internal,
    )
}


def error_of(reply: Mapping[str, Any]) -> Error:
    """The exception for a reply, or a part of one, that has `err`."""
    code = str(reply.get("code", "internal"))
    details = {key: value for key, value in reply.items() if key not in ("id", "err", "code")}
    message = reply["err"]
    text = message if isinstance(message, str) else repr(message)
    kind = BY_CODE.get(code)
    return Error(text, details, code) if kind is None else kind(text, details)
