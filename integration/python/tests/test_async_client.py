from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import gitport
from conftest import SECONDS, git, stop, until_async

Story = Callable[[gitport.AsyncClient], Awaitable[None]]


def play(program: str, story: Story) -> None:
    async def main() -> None:
        async with gitport.AsyncClient(program, timeout=SECONDS) as client:
            await story(client)

    asyncio.run(asyncio.wait_for(main(), 2 * SECONDS))


def test_sync_list_and_read(program: str, repository: Path, tmp_path: Path) -> None:
    async def story(client: gitport.AsyncClient) -> None:
        path = tmp_path / "clone"
        main = git(repository, "rev-parse", "main").strip()
        assert await client.sync(url=str(repository), branch="main", path=path) == main
        assert await client.files(path=path) == ["config.yaml"]
        assert await client.read(path=path, file="config.yaml") == b"size: 2\n"
        seven, none = await client.read(path=path, files=["many/7.yaml", "none"])
        assert seven == b"number: 7\n"
        assert isinstance(none, gitport.NotFound)
        assert (await client.head(path=path))["sha"] == main
        with pytest.raises(gitport.Denied):
            await client.read(path=path, file="../x")
        assert await client.batch(requests=[{"op": "ping"}]) == ["pong"]

    play(program, story)


def test_two_hundred_tasks_each_get_their_own_answers(program: str, repository: Path) -> None:
    async def story(client: gitport.AsyncClient) -> None:
        async def ask(number: int) -> None:
            for each in range(5):
                file = (number + each) % 200
                content = await client.read(path=repository, file=f"many/{file}.yaml", rev="HEAD")
                assert content == f"number: {file}\n".encode()
                with pytest.raises(gitport.UnknownOperation) as unknown:
                    await client.call(f"{number}-{each}")
                assert f"{number}-{each}" in unknown.value.message

        await asyncio.gather(*map(ask, range(200)))

    play(program, story)


def test_a_large_file_comes_whole(program: str, repository: Path) -> None:
    async def story(client: gitport.AsyncClient) -> None:
        large = bytes(range(256)) * 40_000
        assert await client.read(path=repository, file="large.bin") == large

    play(program, story)


def test_a_timeout_cancels(program: str, silent_remote: str) -> None:
    async def story(client: gitport.AsyncClient) -> None:
        with pytest.raises(gitport.Timeout):
            await client.lsremote(url=silent_remote, timeout=0.2)
        assert await client.ping() == "pong"

    play(program, story)


def test_a_task_that_is_cancelled_cancels_its_request(program: str, silent_remote: str) -> None:
    async def story(client: gitport.AsyncClient) -> None:
        asked = asyncio.create_task(client.lsremote(url=silent_remote, id="slow"))
        await until_async(lambda: "slow" in client._waiting)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await client.ping() == "pong"
        # The id is free as soon as the daemon has let go of the request.
        while True:
            try:
                assert await client.call("ping", id="slow") == "pong"
                break
            except gitport.BadRequest:
                await asyncio.sleep(0.01)

    play(program, story)


def test_a_daemon_that_stops_reading_holds_nobody(program: str) -> None:
    async def story(client: gitport.AsyncClient) -> None:
        stop(client.pid)
        try:
            large = "x" * 1_000_000
            asked = [client.hello(client=large, timeout=0.3) for _ in range(8)]
            for outcome in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(outcome, gitport.Timeout)
        finally:
            os.kill(client.pid, signal.SIGCONT)
        assert await client.ping() == "pong"

    play(program, story)


def test_a_daemon_that_does_not_end_is_killed(program: str) -> None:
    async def main() -> None:
        client = await gitport.AsyncClient(program, timeout=SECONDS).start()
        stop(client.pid)
        await client.close(0.3)
        with pytest.raises(gitport.DaemonExited):
            await client.ping()

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_closed_client_says_so(program: str) -> None:
    async def main() -> None:
        client = gitport.AsyncClient(program, timeout=SECONDS)
        with pytest.raises(gitport.Unavailable, match="not started"):
            await client.ping()
        async with client:
            assert await client.ping() == "pong"
        with pytest.raises(gitport.Unavailable, match="closed"):
            await client.ping()
        await client.close()

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_a_lock_is_held_in_a_block(program: str, repository: Path) -> None:
    async def story(client: gitport.AsyncClient) -> None:
        async with client.holding(path=repository, name="release", owner="ada") as lease:
            renewal = client.renew(
                path=repository, name="release", token=lease["token"], ttl_ms=60_000
            )
            assert (await renewal)["expires_in_ms"] == 60_000
            with pytest.raises(gitport.Locked):
                await client.lock(path=repository, name="release", owner="bob", wait_ms=10)
        assert (await client.locks(path=repository))["locks"] == []
        with pytest.raises(gitport.Conflict):
            async with client.holding(path=repository, name="release", owner="ada") as lease:
                await client.unlock(path=repository, name="release", token=lease["token"])

    play(program, story)
