from __future__ import annotations

import asyncio
import queue
from pathlib import Path

import pytest

import gitport
from conftest import SECONDS
from gitport._events import Backlog
from gitport.types import Event


def check(events: list[Event]) -> None:
    assert [it["seq"] for it in events] == list(range(1, len(events) + 1))
    assert {it["event"] for it in events} == {"progress"}
    assert {it["request"] for it in events} == {"mine"}
    assert {it["op"] for it in events} == {"sync"}
    assert {it["stage"] for it in events} <= {"connecting", "receiving", "resolving", "checkout"}


def test_a_sync_is_followed_by_its_events(
    client: gitport.Client, repository: Path, tmp_path: Path
) -> None:
    assert client.subscribe(events=["progress"]) == ["progress"]
    client.sync(url=str(repository), branch="main", path=tmp_path / "clone", id="mine")
    events = [next(client.events())]
    client.close()
    events += client.events()
    check(events)


def test_a_task_follows_events(program: str, repository: Path, tmp_path: Path) -> None:
    async def main() -> None:
        events: list[Event] = []
        async with gitport.AsyncClient(program, timeout=SECONDS) as client:

            async def follow() -> None:
                async for event in client.events():
                    events.append(event)

            following = asyncio.create_task(follow())
            await client.subscribe()
            path = tmp_path / "clone"
            await client.sync(url=str(repository), branch="main", path=path, id="mine")
        await following
        assert events
        check(events)

    asyncio.run(asyncio.wait_for(main(), SECONDS))


def test_nobody_who_did_not_subscribe_gets_events(
    client: gitport.Client, repository: Path, tmp_path: Path
) -> None:
    client.sync(url=str(repository), branch="main", path=tmp_path / "clone")
    assert list(client.events(timeout=0.1)) == []


def test_an_iterator_ends_with_the_daemon(client: gitport.Client) -> None:
    client._process.kill()
    with pytest.raises(gitport.DaemonExited):
        next(client.events())


def test_a_kind_that_is_none_is_refused(client: gitport.Client) -> None:
    with pytest.raises(gitport.BadRequest):
        client.subscribe(events=["weather"])


def test_events_that_nobody_takes_are_counted_and_dropped() -> None:
    waiting: queue.Queue[Event | None] = queue.Queue()
    backlog = Backlog(waiting, 2)
    for dropped in (0, 1, 0, 3, 0):
        backlog.put({"event": "progress", "dropped": dropped})
    assert [taken(waiting)["dropped"] for _ in range(2)] == [0, 1]
    backlog.put({"event": "progress", "dropped": 0})
    assert taken(waiting)["dropped"] == 3 + 3


def taken(waiting: queue.Queue[Event | None]) -> Event:
    event = waiting.get_nowait()
    assert event is not None
    return event
