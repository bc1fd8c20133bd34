"""The synchronous client: any number of threads, one daemon.

A call writes its request and waits; a reader hands each reply to the call it belongs to. The
daemon may stop reading, hang or die: no call waits longer than its timeout, and none for ever.
"""

from __future__ import annotations

import io
import itertools
import logging
import math
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from types import TracebackType
from typing import Any, cast

from . import _protocol as protocol
from ._events import Backlog
from ._operations import Operations
from ._writer import Writer
from .errors import BadRequest, Cancelled, DaemonExited, Error, Timeout, Unavailable, error_of
from .types import Event, Hello

log = logging.getLogger("gitport")

STDERR_BYTES_KEPT = 8192
EVENTS_KEPT = 1000
#: What a reply claims to have is never allocated at once.
READ_BYTES = 1 << 16
#: How long a daemon whose output has ended may take to be gone.
EXIT_SECONDS = 5.0


class Client(Operations):
    """A daemon of its own and the way to speak to it. Use it in a `with` block.

    `program` is looked up in PATH; `arguments` are the flags of `gitport serve`, `env` replaces
    the environment. `timeout` is for calls that say nothing else; None is for ever.
    """

    def __init__(
        self,
        program: str | os.PathLike[str] = "gitport",
        arguments: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        name: str = "gitport-python",
        start_timeout: float = 10.0,
        close_timeout: float = 10.0,
    ) -> None:
        self.timeout = timeout
        self.close_timeout = close_timeout
        self._request_bytes = protocol.REQUEST_BYTES
        self._reply_bytes = protocol.REPLY_BYTES
        self._lock = threading.Lock()
        #: None for a call that is over before its reply has come.
        self._waiting: dict[int | str, Future[Any] | None] = {}
        self._ids = itertools.count(1)
        self._end: Callable[[], Error] | None = None
        self._closing = False
        self._last_error: Error | None = None
        self._stderr = bytearray()
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._backlog = Backlog(self._events, EVENTS_KEPT)
        #: What is sent for a request; None at its end. No more comes than it had credits for.
        self._sent: dict[int | str, queue.SimpleQueue[Any]] = {}
        self._process = subprocess.Popen(
            [os.fspath(program), "serve", *arguments],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            # A Ctrl-C is for this program, which then ends the daemon in good order.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdout = io.BufferedReader(cast(io.RawIOBase, self._process.stdout), READ_BYTES)
        self._writer = Writer(self._process.stdin)
        self._drain = threading.Thread(target=self._read_stderr, name="gitport-stderr", daemon=True)
        self._drain.start()
        self._reader = threading.Thread(target=self._read, name="gitport-reader", daemon=True)
        self._reader.start()
        try:
            self.server: Hello = self.hello(client=name, timeout=start_timeout)
        except BaseException:
            self._kill()
            raise
        self._request_bytes = self.server["limits"]["request_bytes"]
        self._reply_bytes = self.server["limits"]["reply_bytes"]

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        return self._process.pid

    def call(
        self,
        op: str,
        /,
        *,
        id: str | None = None,
        timeout: float | None = None,
        **arguments: Any,
    ) -> Any:
        """Sends any operation and waits for the value of its reply."""
        seconds = self.timeout if timeout is None else timeout
        if seconds == math.inf:
            seconds = None
        deadline = None if seconds is None else time.monotonic() + seconds
        identity = next(self._ids) if id is None else id
        frame = protocol.request(op, identity, arguments, seconds, self._request_bytes)
        future = self._expect(identity)
        try:
            self._writer.send(frame)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            return protocol.outcome(future.result(left))
        except FutureTimeout:
            self._abandon(identity, frame)
            details = {"timeout_ms": protocol.timeout_ms(seconds)}
            raise Timeout(f"`{op}` was not done in {seconds} s", details) from None
        except Error:
            raise
        except BaseException:
            self._abandon(identity, frame)
            raise

    def _follow(
        self, op: str, /, *, id: str, timeout: float | None = None, **arguments: Any
    ) -> Iterator[Any]:
        seconds = None if timeout == math.inf else timeout
        frame = protocol.request(op, id, arguments, seconds, self._request_bytes)
        sent: queue.SimpleQueue[Any] = queue.SimpleQueue()
        future = self._expect(id, sent)
        self._writer.send(frame)
        deadline = None if seconds is None else time.monotonic() + seconds

        def follow() -> Iterator[Any]:
            try:
                while True:
                    left = None if deadline is None else max(0.0, deadline - time.monotonic())
                    task = sent.get(timeout=left)
                    if task is None:
                        break
                    yield task
                protocol.outcome(future.result())
            except Cancelled:
                return
            except queue.Empty:
                details = {"timeout_ms": protocol.timeout_ms(seconds)}
                raise Timeout(f"`{op}` has ended after {seconds} s", details) from None
            finally:
                self._abandon(id, frame)

        return follow()

    def events(self, *, timeout: float | None = None) -> Iterator[Event]:
        """Events as they come, after `subscribe`; ends when the client is closed.

        With a `timeout` also when none came for so many seconds. An event goes to one iterator.
        """
        while True:
            try:
                event = self._events.get(timeout=timeout)
            except queue.Empty:
                return
            if event is None:
                # For the iterators of other threads.
                self._backlog.close()
                break
            yield event
        if not self._closing and self._end is not None:
            raise self._end()

    def close(self, timeout: float | None = None) -> None:
        """Ends the daemon: in good order if it does so in time, and in any case.

        Requests that are still running get half of that time to finish, then they are cancelled.
        """
        seconds = self.close_timeout if timeout is None else timeout
        deadline = time.monotonic() + seconds
        with self._lock:
            first, self._closing = not self._closing, True
        if first and self._end is None:
            try:
                self.call("shutdown", grace_ms=int(seconds * 500), timeout=max(seconds, 0.001))
            except Error as error:
                log.debug("no orderly shutdown: %s", error)
        self._reader.join(max(0.0, deadline - time.monotonic()))
        self._kill()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _expect(
        self, identity: int | str, sent: queue.SimpleQueue[Any] | None = None
    ) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._end is not None:
                raise self._end()
            if identity in self._waiting:
                raise BadRequest(f"the id {identity!r} is still waiting", {"field": "id"})
            self._waiting[identity] = future
            if sent is not None:
                self._sent[identity] = sent
        return future

    def _abandon(self, identity: int | str, frame: bytes) -> None:
        """Drops the reply that may still come, and saves the daemon the work for it."""
        with self._lock:
            if identity not in self._waiting:
                return
            if self._writer.forget(frame):
                del self._waiting[identity]
                self._sent.pop(identity, None)
                return
            # Until the reply is there nobody else may have the id, and with it that reply.
            self._waiting[identity] = None
        arguments = {"request": identity}
        number = next(self._ids)
        self._writer.send(protocol.request("cancel", number, arguments, None, self._request_bytes))

    def _read(self) -> None:
        problem = "the daemon has ended"
        try:
            while (body := self._next_frame()) is not None:
                self._take(protocol.decode(body))
        except (protocol.Unsound, OSError) as error:
            problem = f"the daemon wrote what is no frame: {error}"
            self._process.kill()
        self._finish(problem)

    def _next_frame(self) -> bytes | None:
        head = self._read_exactly(protocol.LENGTH_BYTES)
        if not head:
            return None
        length = int.from_bytes(head, "big")
        if self._reply_bytes < length:
            raise protocol.Unsound(f"{length} bytes")
        body = self._read_exactly(length)
        if len(head) < protocol.LENGTH_BYTES or len(body) < length:
            raise protocol.Unsound("cut short")
        return body

    def _read_exactly(self, count: int) -> bytes:
        parts: list[bytes] = []
        while 0 < count and (part := self._stdout.read(min(count, READ_BYTES))):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _take(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise protocol.Unsound("no map")
        if "event" in message:
            with self._lock:
                sent = self._sent.get(message.get("request", ""))
            if sent is None or message["event"] != "tasks":
                self._backlog.put(message)
                return
            self._backlog.left_out(message.get("dropped", 0))
            for task in message["tasks"]:
                sent.put(task)
            return
        identity = message.get("id")
        if identity is None:
            # A reply to nothing that was sent: the daemon says why it is about to end.
            self._last_error = error_of(message) if "err" in message else None
            return
        with self._lock:
            future = self._waiting.pop(identity, None)
            sent = self._sent.pop(identity, None)
        if future is not None:
            future.set_result(message)
        if sent is not None:
            sent.put(None)

    def _finish(self, problem: str) -> None:
        try:
            status = self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._drain.join(1.0)
        if self._last_error is not None:
            problem = f"{problem}, saying `{self._last_error}`"
        stderr = bytes(self._stderr).decode("utf-8", "replace")

        def end() -> Error:
            if self._closing and status == 0:
                return Unavailable("the client is closed")
            return DaemonExited(f"{problem} (status {status})", status, stderr)

        with self._lock:
            self._end = end
            waiting, self._waiting = self._waiting, {}
            following, self._sent = self._sent, {}
        for future in filter(None, waiting.values()):
            future.set_exception(end())
        for sent in following.values():
            sent.put(None)
        self._backlog.close()
        self._writer.close()

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            while part := pipe.read(4096):
                self._stderr += part
                del self._stderr[:-STDERR_BYTES_KEPT]

    def _kill(self) -> None:
        self._closing = True
        self._process.kill()
        self._reader.join()
        self._stdout.close()
