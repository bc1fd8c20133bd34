"""Frames to a pipe that may be full, without anybody waiting for it.

What fits is written at once by who sends it; a thread writes the rest. A frame of which not a
byte is written can be taken back, and one that is begun is always finished, or the pipe is dead.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from typing import IO


class Writer:
    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._queue: deque[bytes] = deque()
        self._written = 0
        self._closed = False
        self._changed = threading.Condition()
        os.set_blocking(pipe.fileno(), False)
        self._thread = threading.Thread(target=self._run, name="gitport-writer", daemon=True)
        self._thread.start()

    def send(self, frame: bytes) -> None:
        with self._changed:
            if self._closed:
                return
            self._queue.append(frame)
            self._flush()
            if self._queue:
                self._changed.notify()

    def forget(self, frame: bytes) -> bool:
        """Takes a frame back; False if it is too late."""
        with self._changed:
            first = 1 if self._written else 0
            for place in range(first, len(self._queue)):
                if self._queue[place] is frame:
                    del self._queue[place]
                    return True
        return False

    def close(self) -> None:
        """For when the reader of the pipe is gone; nothing more is written."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify()
        self._thread.join()
        self._pipe.close()

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._pipe.fileno(), select.POLLOUT)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
            # Ends also when the other end of the pipe is closed.
            poll.poll()
            with self._changed:
                self._flush()

    def _flush(self) -> None:
        """Writes what the pipe takes. A dead pipe takes everything: the reader tells of its end."""
        try:
            while self._queue:
                rest = memoryview(self._queue[0])[self._written :]
                self._written += os.write(self._pipe.fileno(), rest)
                if self._written == len(self._queue[0]):
                    self._queue.popleft()
                    self._written = 0
        except BlockingIOError:
            pass
        except OSError:
            self._queue.clear()
            self._written = 0
