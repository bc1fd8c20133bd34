"""The client for asyncio: any number of tasks, one daemon.

A task that is cancelled, or whose timeout passes, cancels its request. The daemon may stop
reading, hang or die: no call waits longer than its timeout, and none for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from . import _protocol as protocol
from ._async_operations import AsyncOperations
from ._client import EVENTS_KEPT, EXIT_SECONDS, STDERR_BYTES_KEPT
from ._events import Backlog
from .errors import BadRequest, Cancelled, DaemonExited, Error, Timeout, Unavailable, error_of
from .types import Event, Hello

log = logging.getLogger("gitport")

#: Enough for most replies to be read in one piece.
READ_BYTES = 1 << 20


class AsyncClient(AsyncOperations):
    """A daemon of its own and the way to speak to it. Use it in an `async with` block.

    `program` is looked up in PATH; `arguments` are the flags of `gitport serve`, `env` replaces
    the environment. `timeout` is for calls that say nothing else; None is for ever.
    """

    server: Hello

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
        self._command = [os.fspath(program), "serve", *arguments]
        self._env = None if env is None else dict(env)
        self._name = name
        self._start_timeout = start_timeout
        self._request_bytes = protocol.REQUEST_BYTES
        self._reply_bytes = protocol.REPLY_BYTES
        #: None for a call that is over before its reply has come.
        self._waiting: dict[int | str, asyncio.Future[Any] | None] = {}
        #: What is sent for a request; None at its end. No more comes than it had credits for.
        self._sent: dict[int | str, asyncio.Queue[Any]] = {}
        self._ids = itertools.count(1)
        self._end: Callable[[], Error] | None = None
        self._closing = False
        self._last_error: Error | None = None
        self._stderr = bytearray()
        self._unsent: deque[bytes] = deque()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> AsyncClient:
        """Starts the daemon. `async with` does it by itself."""
        assert self._process is None, "a client is started once"
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._backlog = Backlog(self._events, EVENTS_KEPT)
        self._something_to_send = asyncio.Event()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=READ_BYTES,
            env=self._env,
            # A Ctrl-C is for this program, which then ends the daemon in good order.
            start_new_session=True,
        )
        self._drain = asyncio.create_task(self._read_stderr(self._process))
        self._writer = asyncio.create_task(self._write(self._process))
        self._reader = asyncio.create_task(self._read(self._process))
        try:
            self.server = await self.hello(client=self._name, timeout=self._start_timeout)
        except BaseException:
            await self._kill()
            raise
        self._request_bytes = self.server["limits"]["request_bytes"]
        self._reply_bytes = self.server["limits"]["reply_bytes"]
        return self

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self._process is not None, "the client is not started"
        return self._process.pid

    async def call(
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
        identity = next(self._ids) if id is None else id
        frame = protocol.request(op, identity, arguments, seconds, self._request_bytes)
        future = self._expect(identity)
        try:
            self._send(frame)
            done, _ = await asyncio.wait([future], timeout=seconds)
        except BaseException:
            self._abandon(identity, frame)
            raise
        if not done:
            self._abandon(identity, frame)
            details = {"timeout_ms": protocol.timeout_ms(seconds)}
            raise Timeout(f"`{op}` was not done in {seconds} s", details)
        return protocol.outcome(future.result())

    async def _follow(
        self, op: str, /, *, id: str, timeout: float | None = None, **arguments: Any
    ) -> AsyncIterator[Any]:
        seconds = None if timeout == math.inf else timeout
        frame = protocol.request(op, id, arguments, seconds, self._request_bytes)
        future = self._expect(id)
        sent = self._sent[id] = asyncio.Queue()
        self._send(frame)
        clock = asyncio.get_running_loop().time
        deadline = None if seconds is None else clock() + seconds

        async def follow() -> AsyncIterator[Any]:
            try:
                while True:
                    left = None if deadline is None else max(0.0, deadline - clock())
                    task = await asyncio.wait_for(sent.get(), left)
                    if task is None:
                        break
                    yield task
                protocol.outcome(future.result())
            except Cancelled:
                return
            except asyncio.TimeoutError:
                details = {"timeout_ms": protocol.timeout_ms(seconds)}
                raise Timeout(f"`{op}` has ended after {seconds} s", details) from None
            finally:
                self._abandon(id, frame)

        return follow()

    async def events(self, *, timeout: float | None = None) -> AsyncIterator[Event]:
        """Events as they come, after `subscribe`; ends when the client is closed.

        With a `timeout` also when none came for so many seconds. An event goes to one iterator.
        """
        while True:
            try:
                event = await asyncio.wait_for(self._events.get(), timeout)
            except asyncio.TimeoutError:
                return
            if event is None:
                # For the iterators of other tasks.
                self._backlog.close()
                break
            yield event
        if not self._closing and self._end is not None:
            raise self._end()

    async def close(self, timeout: float | None = None) -> None:
        """Ends the daemon: in good order if it does so in time, and in any case.

        Requests that are still running get half of that time to finish, then they are cancelled.
        """
        if self._reader is None:
            return
        seconds = self.close_timeout if timeout is None else timeout
        deadline = asyncio.get_running_loop().time() + seconds
        first, self._closing = not self._closing, True
        try:
            if first and self._end is None:
                try:
                    grace_ms = int(seconds * 500)
                    await self.call("shutdown", grace_ms=grace_ms, timeout=max(seconds, 0.001))
                except Error as error:
                    log.debug("no orderly shutdown: %s", error)
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            await asyncio.wait([self._reader], timeout=left)
        finally:
            await self._kill()

    async def __aenter__(self) -> AsyncClient:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _expect(self, identity: int | str) -> asyncio.Future[Any]:
        if self._process is None:
            raise Unavailable("the client is not started")
        if self._end is not None:
            raise self._end()
        if identity in self._waiting:
            raise BadRequest(f"the id {identity!r} is still waiting", {"field": "id"})
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = future
        return future

    def _send(self, frame: bytes) -> None:
        self._unsent.append(frame)
        self._something_to_send.set()

    def _abandon(self, identity: int | str, frame: bytes) -> None:
        """Drops the reply that may still come, and saves the daemon the work for it."""
        if identity not in self._waiting:
            return
        for place, unsent in enumerate(self._unsent):
            if unsent is frame:
                del self._unsent[place]
                del self._waiting[identity]
                self._sent.pop(identity, None)
                return
        # Until the reply is there nobody else may have the id, and with it that reply.
        self._waiting[identity] = None
        arguments = {"request": identity}
        number = next(self._ids)
        self._send(protocol.request("cancel", number, arguments, None, self._request_bytes))

    async def _write(self, process: asyncio.subprocess.Process) -> None:
        """Hands frames on one by one, so that those the pipe has no room for can be taken back."""
        assert process.stdin is not None
        # A dead pipe is for the reader to tell.
        with contextlib.suppress(OSError):
            while True:
                await self._something_to_send.wait()
                self._something_to_send.clear()
                while self._unsent:
                    process.stdin.write(self._unsent.popleft())
                    await process.stdin.drain()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        problem = "the daemon has ended"
        try:
            while (body := await self._next_frame(process.stdout)) is not None:
                self._take(protocol.decode(body))
        except (protocol.Unsound, asyncio.IncompleteReadError, OSError) as error:
            problem = f"the daemon wrote what is no frame: {error}"
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await self._finish(process, problem)

    async def _next_frame(self, stdout: asyncio.StreamReader) -> bytes | None:
        try:
            head = await stdout.readexactly(protocol.LENGTH_BYTES)
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        length = int.from_bytes(head, "big")
        if self._reply_bytes < length:
            raise protocol.Unsound(f"{length} bytes")
        return await stdout.readexactly(length)

    def _take(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise protocol.Unsound("no map")
        if "event" in message:
            sent = self._sent.get(message.get("request", ""))
            if sent is None or message["event"] != "tasks":
                self._backlog.put(message)
                return
            self._backlog.left_out(message.get("dropped", 0))
            for task in message["tasks"]:
                sent.put_nowait(task)
            return
        identity = message.get("id")
        if identity is None:
            # A reply to nothing that was sent: the daemon says why it is about to end.
            self._last_error = error_of(message) if "err" in message else None
            return
        future = self._waiting.pop(identity, None)
        if future is not None and not future.done():
            future.set_result(message)
        if (sent := self._sent.pop(identity, None)) is not None:
            sent.put_nowait(None)

    async def _finish(self, process: asyncio.subprocess.Process, problem: str) -> None:
        self._writer.cancel()
        assert process.stdin is not None
        process.stdin.close()
        try:
            status = await asyncio.wait_for(process.wait(), EXIT_SECONDS)
        except asyncio.TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            status = await process.wait()
        await asyncio.wait([self._drain], timeout=1.0)
        self._drain.cancel()
        if self._last_error is not None:
            problem = f"{problem}, saying `{self._last_error}`"
        stderr = bytes(self._stderr).decode("utf-8", "replace")

        def end() -> Error:
            if self._closing and status == 0:
                return Unavailable("the client is closed")
            return DaemonExited(f"{problem} (status {status})", status, stderr)

        self._end = end
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if future is not None and not future.done():
                future.set_exception(end())
        following, self._sent = self._sent, {}
        for sent in following.values():
            sent.put_nowait(None)
        self._backlog.close()

    async def _read_stderr(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while part := await process.stderr.read(4096):
            self._stderr += part
            del self._stderr[:-STDERR_BYTES_KEPT]

    async def _kill(self) -> None:
        assert self._process is not None
        assert self._reader is not None
        self._closing = True
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await asyncio.wait([self._reader, self._drain, self._writer])
