"""Events that wait to be taken: bounded, so that a client that takes none is not harmed."""

from __future__ import annotations

from typing import Any, Protocol

from .types import Event


class _Queue(Protocol):
    def qsize(self) -> int: ...

    def put_nowait(self, item: Event | None, /) -> None: ...


class Backlog:
    """Puts events into a queue, and None when there will be no more."""

    def __init__(self, queue: _Queue, kept: int) -> None:
        self._queue = queue
        self._kept = kept
        self._dropped = 0

    def put(self, event: Any) -> None:
        self._dropped += event.get("dropped", 0)
        if self._kept <= self._queue.qsize():
            self._dropped += 1
            return
        event["dropped"], self._dropped = self._dropped, 0
        self._queue.put_nowait(event)

    def left_out(self, count: int) -> None:
        """So many were left out before an event that does not come here."""
        self._dropped += count

    def close(self) -> None:
        self._queue.put_nowait(None)
