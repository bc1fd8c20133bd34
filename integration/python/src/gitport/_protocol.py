"""Frames and what is in them, without any input or output.

What is decoded here is as strict as the contract: one value, no extension types, no key twice,
depth bounded.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from .errors import BadRequest, TooLarge, error_of
from .types import Workspace

PROTOCOL = 1
LENGTH_BYTES = 4
#: What a daemon takes and sends as long as its `hello` has not said otherwise.
REQUEST_BYTES = 16 << 20
REPLY_BYTES = 256 << 20
DEPTH_MAX = 64
TIMEOUT_MS_MAX = 86_400_000


class Unsound(ValueError):
    """Bytes that are no value of the protocol."""


def encode(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def decode(body: bytes) -> Any:
    try:
        value = msgpack.unpackb(
            body, raw=False, strict_map_key=True, object_pairs_hook=_map, ext_hook=_extension
        )
        _check(value, DEPTH_MAX)
    # The library has exceptions of many kinds, most of them of this one.
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise Unsound(f"no sound msgpack: {error or type(error).__name__}") from None
    return value


def _map(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unsound("a key twice")
    return found


def _extension(kind: int, _data: bytes) -> Any:
    raise Unsound(f"extension type {kind}")


def _check(value: Any, room: int) -> None:
    if isinstance(value, msgpack.Timestamp):
        raise Unsound("extension type -1")
    if not isinstance(value, (list, dict)):
        return
    if room == 0:
        raise Unsound(f"nested deeper than {DEPTH_MAX}")
    for part in value.values() if isinstance(value, dict) else value:
        # A listing is mostly texts; a call for each would cost more than decoding them.
        if type(part) is not str:
            _check(part, room - 1)


def frame(value: Any) -> bytes:
    body = encode(value)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def request(
    op: str, identity: int | str, arguments: Mapping[str, Any], timeout: float | None, limit: int
) -> bytes:
    """The frame of a request; refuses what the daemon could only answer by ending."""
    message: dict[str, Any] = {"op": op, "id": identity}
    milliseconds = timeout_ms(timeout)
    if milliseconds is not None:
        message["timeout_ms"] = milliseconds
    for name, value in arguments.items():
        if isinstance(value, Workspace):
            message["workspace"] = value.id
        elif name == "path" and isinstance(value, (str, os.PathLike)) and not os.path.isabs(value):
            words = "a path is absolute, and a workspace is gitport.Workspace(id)"
            raise BadRequest(words, {"field": "path"})
        elif name == "fence" and isinstance(value, Mapping) and "name" in value:
            # What `lock` gave.
            message[name] = {"lock": argument(value["name"]), "token": value.get("token")}
        elif value is not None:
            message[name] = argument(value)
    try:
        body = encode(message)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequest(f"an argument cannot be encoded: {error}") from error
    if limit < len(body):
        details = {"bytes": len(body), "limit": limit}
        raise TooLarge(f"a request of {len(body)} bytes is beyond {limit}", details)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def timeout_ms(timeout: float | None) -> int | None:
    """Seconds as the milliseconds of a request; None for no end."""
    if timeout is None or timeout == math.inf:
        return None
    if not 0 < timeout:
        raise BadRequest("a timeout is longer than 0", {"field": "timeout"})
    return min(max(1, math.ceil(timeout * 1000)), TIMEOUT_MS_MAX)


def argument(value: Any) -> Any:
    """A value as it travels: paths as text, and text that is no Unicode as bytes."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return os.fsencode(value)
        return value
    if isinstance(value, Mapping):
        return {key: argument(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [argument(part) for part in value]
    return value


def outcome(reply: Mapping[str, Any]) -> Any:
    """The value of a reply, or its error, raised."""
    if "err" in reply:
        raise error_of(reply)
    return reply["ok"]
