"""How a client ends, and how a daemon may."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gitport
from conftest import SECONDS, stop, until, until_async


def script(at: Path, text: str) -> Path:
    """A program that takes the daemon's place."""
    path = at / "program"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_leaving_the_block_ends_the_daemon_in_good_order(program: str) -> None:
    with gitport.Client(program, timeout=SECONDS) as client:
        pid = client.pid
        assert is_alive(pid)
    assert not is_alive(pid)
    assert client._process.returncode == 0
    with pytest.raises(gitport.Unavailable, match="closed"):
        client.ping()
    client.close()


def test_no_thread_is_left(program: str) -> None:
    before = threading.active_count()
    with gitport.Client(program, timeout=SECONDS):
        pass
    assert threading.active_count() == before


def test_closing_finishes_what_is_done_in_time_and_cancels_the_rest(
    program: str, silent_remote: str
) -> None:
    client = gitport.Client(program, timeout=SECONDS)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.lsremote, url=silent_remote)
        until(lambda: client._waiting)
        client.close(2)
        assert isinstance(asked.exception(SECONDS), gitport.Cancelled)
    assert client._process.returncode == 0


def test_a_daemon_that_does_not_end_is_killed(program: str) -> None:
    client = gitport.Client(program, timeout=SECONDS)
    stop(client.pid)
    started = time.monotonic()
    client.close(0.3)
    assert time.monotonic() - started < SECONDS
    assert client._process.returncode == -signal.SIGKILL
    with pytest.raises(gitport.DaemonExited):
        client.ping()


def test_every_caller_hears_of_a_daemon_that_was_killed(program: str, silent_remote: str) -> None:
    with gitport.Client(program, timeout=SECONDS) as client, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.lsremote, url=silent_remote) for _ in range(8)]
        until(lambda: len(client._waiting) == 8)
        os.kill(client.pid, signal.SIGKILL)
        errors = [it.exception(SECONDS) for it in asked]
        for error in errors:
            assert isinstance(error, gitport.DaemonExited)
            assert error.status == -signal.SIGKILL
        assert len(set(map(id, errors))) == 8, "a traceback is of one thread"
        with pytest.raises(gitport.DaemonExited):
            client.ping()


def test_every_task_hears_of_a_daemon_that_was_killed(program: str, silent_remote: str) -> None:
    async def main() -> None:
        async with gitport.AsyncClient(program, timeout=SECONDS) as client:
            asked = [asyncio.create_task(client.lsremote(url=silent_remote)) for _ in range(8)]
            await until_async(lambda: len(client._waiting) == 8)
            os.kill(client.pid, signal.SIGKILL)
            for error in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(error, gitport.DaemonExited)
                assert error.status == -signal.SIGKILL
            with pytest.raises(gitport.DaemonExited):
                await client.ping()

    asyncio.run(asyncio.wait_for(main(), SECONDS))


SAYS_WHY = """
import sys
sys.stderr.write('x' * 100_000 + ' no disk')
sys.exit(3)
"""
PRINTS = """
import time
print('INFO starting up', flush=True)
time.sleep(600)
"""
HALF = r"""
import sys
sys.stdout.write('\0\0\0\x09\x81')
"""
NO_MSGPACK = r"""
import sys, time
sys.stdout.write('\0\0\0\x01\xc1')
sys.stdout.flush()
time.sleep(600)
"""
SILENT = "import time; time.sleep(600)"


def test_a_program_that_ends_at_once_says_why(tmp_path: Path) -> None:
    with pytest.raises(gitport.DaemonExited) as caught:
        gitport.Client(script(tmp_path, SAYS_WHY))
    assert caught.value.status == 3
    assert caught.value.stderr.endswith(" no disk")
    assert len(caught.value.stderr) < 10_000


@pytest.mark.parametrize("text", [PRINTS, HALF, NO_MSGPACK], ids=["text", "half", "unsound"])
def test_a_program_that_writes_no_frames_is_ended(tmp_path: Path, text: str) -> None:
    with pytest.raises(gitport.DaemonExited, match="no frame"):
        gitport.Client(script(tmp_path, text), start_timeout=SECONDS)


def test_a_program_that_says_nothing_is_ended(tmp_path: Path) -> None:
    with pytest.raises(gitport.Timeout):
        gitport.Client(script(tmp_path, SILENT), start_timeout=0.3)


@pytest.mark.parametrize(
    "text", [PRINTS, HALF, NO_MSGPACK, SAYS_WHY], ids=["text", "half", "unsound", "words"]
)
def test_the_same_for_asyncio(tmp_path: Path, text: str) -> None:
    async def main() -> None:
        with pytest.raises(gitport.DaemonExited):
            await gitport.AsyncClient(script(tmp_path, text), start_timeout=SECONDS).start()
        silent = gitport.AsyncClient(script(tmp_path, SILENT), start_timeout=0.3)
        with pytest.raises(gitport.Timeout):
            await silent.start()

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        gitport.Client(tmp_path / "none")


def test_after_a_shutdown_the_daemon_is_gone(program: str) -> None:
    with gitport.Client(program, timeout=SECONDS) as client:
        assert client.shutdown() == {"finished": 0, "cancelled": 0}
        until(lambda: client._end)
        with pytest.raises(gitport.DaemonExited) as caught:
            client.ping()
        assert caught.value.status == 0
