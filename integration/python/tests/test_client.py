from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import gitport
from conftest import SECONDS, git, stop, until


def test_sync_list_and_read(client: gitport.Client, repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "clone"
    main = git(repository, "rev-parse", "main").strip()
    assert client.sync(url=str(repository), branch="main", path=path) == main
    assert client.files(path=path) == ["config.yaml"]
    assert client.read(path=path, file="config.yaml") == b"size: 2\n"
    assert client.read(path=path, file="config.yaml", rev="HEAD~1") == b"size: 1\n"
    assert client.read(path=path, file="config.yaml", offset=6, length=1) == b"2"
    entries = client.files(path=path, rev="HEAD", details=True)
    sha = git(repository, "rev-parse", "HEAD:config.yaml").strip()
    expected = {"name": "config.yaml", "type": "file", "size": 8, "mode": "100644", "sha": sha}
    assert entries == [expected]
    assert client.lsremote(url=str(repository), branch="main") == main
    assert client.lsremote(url=str(repository))["refs/heads/main"] == main


def test_push_moves_what_is_as_expected(
    client: gitport.Client, repository: Path, tmp_path: Path
) -> None:
    path = tmp_path / "clone"
    main = client.sync(url=str(repository), branch="main", path=path, depth=0)
    new: gitport.types.PushRef = {"from": "main", "to": "new", "expect": None}
    (created,) = client.push(path=path, refs=[new])
    assert created == {"ref": "refs/heads/new", "from": None, "to": main, "status": "created"}
    with pytest.raises(gitport.Conflict) as refused:
        client.push(path=path, url=str(repository), refs=[new])
    assert (refused.value.details["expected"], refused.value.details["actual"]) == (None, main)
    moved, absent = client.push(
        path=path,
        refs=[{"from": "main~1", "to": "new", "force": True, "expect": main}, {"to": "absent"}],
        atomic=False,
    )
    assert (moved["status"], absent["status"]) == ("forced", "rejected")
    assert absent["reason"] == "not_found"
    assert git(repository, "rev-parse", "new").strip() == moved["to"]


def test_many_files_are_bytes_or_errors_in_the_order_asked(
    client: gitport.Client, repository: Path
) -> None:
    asked = ["many/7.yaml", "none", "many/8.yaml"]
    seven, none, eight = client.read(path=repository, files=asked)
    assert (seven, eight) == (b"number: 7\n", b"number: 8\n")
    assert isinstance(none, gitport.NotFound)
    assert none.details["file"] == "none"


def test_history_and_changes(client: gitport.Client, repository: Path) -> None:
    page = client.log(path=repository, limit=1)
    assert page["commits"][0]["message"] == "the second commit\n"
    assert page["next"] == page["commits"][0]["sha"] == client.head(path=repository)["sha"]
    rest = client.log(path=repository, after=page["next"])
    assert [it["message"] for it in rest["commits"]] == ["the first commit\n"]
    assert rest["next"] is None
    changes = client.diff(path=repository, range="HEAD~1..HEAD", paths=["config.yaml"], patch=True)
    assert (changes["insertions"], changes["deletions"]) == (1, 1)
    patch = git(repository, "diff", "HEAD~1..HEAD", "--", "config.yaml")
    assert changes["patch"] == patch
    (repository / "new.txt").write_text("new\n")
    status = client.status(path=repository)
    assert status["branch"] == "main"
    assert status["entries"] == [{"file": "new.txt", "index": None, "worktree": "untracked"}]
    first = rest["commits"][0]["sha"]
    assert client.checkout(path=repository, sha="HEAD~1") == first
    assert client.status(path=repository)["branch"] is None


def test_branches_tags_and_merges(client: gitport.Client, repository: Path) -> None:
    main = git(repository, "rev-parse", "main").strip()
    first = git(repository, "rev-parse", "main~1").strip()
    made = client.branch(path=repository, branch="side", from_="main~1")
    assert made == {"branch": "side", "commit": first, "was": None}
    named = [it["name"] for it in client.branches(path=repository)["branches"]]
    assert named == ["main", "side"]
    assert client.tag(path=repository, tag="v1", message="one\n")["target"] == main
    (tag,) = client.tags(path=repository)["tags"]
    assert (tag["name"], tag["annotated"], tag["message"]) == ("v1", True, "one\n")
    merged = client.merge(path=repository, into="side", from_="main")
    assert (merged["merged"], merged["commit"]) == ("fast_forward", main)
    moved = client.ref_update(path=repository, updates=[{"ref": "refs/heads/side", "to": first}])
    assert moved == [{"ref": "refs/heads/side", "sha": first, "was": main}]
    (ref,) = client.refs(path=repository, prefix="refs/heads/s")["refs"]
    assert ref == {"name": "refs/heads/side", "sha": first}
    update: gitport.types.RefUpdate = {"ref": "refs/heads/side", "expect": main}
    with pytest.raises(gitport.Conflict) as stale:
        client.ref_update(path=repository, updates=[update])
    elsewhere = {"ref": "refs/heads/side", "expected": main, "actual": first}
    assert stale.value.details["refs"] == [elsewhere]


def test_a_conflict_has_the_content_of_each_side(client: gitport.Client, repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "side", "main~1")
    (repository / "config.yaml").write_text("size: 3\n")
    git(repository, "commit", "-q", "-a", "-m", "another size")
    with pytest.raises(gitport.Conflict) as conflict:
        client.merge(path=repository, into="main", from_="side")
    (file,) = conflict.value.details["files"]
    assert (file["file"], file["kind"]) == ("config.yaml", "content")
    sides = [file[side]["content"] for side in ("base", "ours", "theirs")]
    assert sides == [b"size: 1\n", b"size: 2\n", b"size: 3\n"]


def test_notes_are_those_of_git(client: gitport.Client, repository: Path) -> None:
    noted = client.note(path=repository, target="HEAD", content="said\n", namespace="ci")
    assert git(repository, "notes", "--ref=ci", "show", "HEAD") == "said\n"
    place = noted["notes"][0]
    assert client.notes(path=repository, namespace="ci") == {"notes": [place], "next": None}
    told = client.notes(path=repository, namespace="ci", target="HEAD")
    assert told == {**place, "content": b"said\n"}
    removed = client.note_remove(path=repository, namespace="ci", target="HEAD")
    assert removed["removed"] == 1
    with pytest.raises(gitport.NotFound):
        client.notes(path=repository, namespace="ci", target="HEAD")


def test_a_name_that_is_no_unicode(client: gitport.Client, tmp_path: Path) -> None:
    name = b"caf\xe9.yaml"
    (tmp_path / os.fsdecode(name)).write_bytes(b"latin")
    assert client.files(path=tmp_path) == [name]
    assert client.read(path=tmp_path, file=name) == b"latin"
    assert client.read(path=tmp_path, file=os.fsdecode(name)) == b"latin"


def test_who_is_there(client: gitport.Client) -> None:
    assert client.server["protocol"] == 1
    assert client.hello()["limits"] == client.server["limits"]
    assert client.ping() == "pong"
    assert client.stats()["requests"]


def test_a_batch_gives_values_and_errors(client: gitport.Client, tmp_path: Path) -> None:
    requests: list[dict[str, Any]] = [
        {"op": "ping"},
        {"op": "head", "path": tmp_path},
        {"op": "ping"},
    ]
    first, second, third = client.batch(requests=requests)
    assert (first, third) == ("pong", "pong")
    assert isinstance(second, gitport.NotFound)
    *_, third = client.batch(requests=requests, stop_on_error=True)
    assert isinstance(third, gitport.Cancelled)


def test_an_error_is_an_exception_of_its_code(client: gitport.Client, tmp_path: Path) -> None:
    with pytest.raises(gitport.NotFound):
        client.head(path=tmp_path)
    with pytest.raises(gitport.Denied):
        client.read(path=tmp_path, file="../x")
    with pytest.raises(gitport.UnknownOperation) as unknown:
        client.call("pong")
    assert unknown.value.details["nearest"] == "ping"
    with pytest.raises(gitport.BadRequest) as bad:
        client.call("ping", nonsense=1)
    assert bad.value.details["field"] == "nonsense"
    with pytest.raises(gitport.Unsupported):
        client.hello(protocol=99)
    (tmp_path / "file").write_text("x")
    with pytest.raises(gitport.Conflict) as conflict:
        client.sync(url="http://127.0.0.1:1/never-asked", branch="main", path=tmp_path)
    assert {"expected", "actual"} <= conflict.value.details.keys()


def test_sixteen_threads_each_get_their_own_answers(
    client: gitport.Client, repository: Path
) -> None:
    def ask(number: int) -> None:
        for each in range(50):
            file = (number * 13 + each) % 200
            content = client.read(path=repository, file=f"many/{file}.yaml", rev="HEAD")
            assert content == f"number: {file}\n".encode()
            with pytest.raises(gitport.UnknownOperation) as unknown:
                client.call(f"{number}-{each}")
            assert f"{number}-{each}" in unknown.value.message

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(ask, number) for number in range(16)]:
            done.result(SECONDS)


def test_a_timeout_cancels_and_the_late_reply_is_dropped(
    client: gitport.Client, silent_remote: str
) -> None:
    for _ in range(3):
        with pytest.raises(gitport.Timeout) as caught:
            client.lsremote(url=silent_remote, timeout=0.2)
        assert caught.value.details["timeout_ms"] == 200
        assert client.ping() == "pong"
    until(lambda: not client._waiting)


def test_a_request_can_be_cancelled_by_its_name(client: gitport.Client, silent_remote: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.lsremote, url=silent_remote, id="slow")
        until(lambda: client.cancel(request="slow"))
        with pytest.raises(gitport.Cancelled):
            asked.result(SECONDS)
    assert client.cancel(request="slow") is False


def test_a_name_that_still_waits_is_refused(client: gitport.Client, silent_remote: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.lsremote, url=silent_remote, id="slow")
        until(lambda: "slow" in client._waiting)
        with pytest.raises(gitport.BadRequest):
            client.call("ping", id="slow")
        until(lambda: client.cancel(request="slow"))
        assert isinstance(asked.exception(SECONDS), gitport.Cancelled)


def test_a_late_reply_is_not_for_the_next_of_the_same_name(client: gitport.Client) -> None:
    stop(client.pid)
    try:
        with pytest.raises(gitport.Timeout):
            client.call("hello", id="mine", timeout=0.05)
        with pytest.raises(gitport.BadRequest):
            client.call("ping", id="mine", timeout=0.05)
    finally:
        os.kill(client.pid, signal.SIGCONT)
    until(lambda: "mine" not in client._waiting)
    assert client.call("ping", id="mine") == "pong"


def test_a_daemon_that_stops_reading_holds_nobody(client: gitport.Client) -> None:
    stop(client.pid)
    try:
        # Far more than a pipe takes.
        large = "x" * 1_000_000

        def ask() -> None:
            with pytest.raises(gitport.Timeout):
                client.hello(client=large, timeout=0.3)

        started = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(ask) for _ in range(8)]:
                done.result(SECONDS)
        assert time.monotonic() - started < SECONDS
    finally:
        os.kill(client.pid, signal.SIGCONT)
    assert client.ping() == "pong"
    until(lambda: not client._waiting)


def test_a_late_reply_goes_to_nobody_else(client: gitport.Client, repository: Path) -> None:
    stop(client.pid)
    try:
        for number in range(5):
            with pytest.raises(gitport.Timeout):
                client.read(path=repository, file=f"many/{number}.yaml", timeout=0.05)
    finally:
        os.kill(client.pid, signal.SIGCONT)
    for number in range(100, 110):
        content = client.read(path=repository, file=f"many/{number}.yaml")
        assert content == f"number: {number}\n".encode()


def test_a_request_beyond_the_daemons_limit_is_refused_here(program: str) -> None:
    arguments = ["--request-bytes-max", "1000"]
    with gitport.Client(program, arguments, timeout=SECONDS) as client:
        assert client.server["limits"]["request_bytes"] == 1000
        with pytest.raises(gitport.TooLarge) as caught:
            client.hello(client="x" * 1000)
        assert caught.value.details["limit"] == 1000
        assert client.ping() == "pong"


def test_a_large_file_comes_whole(client: gitport.Client, repository: Path) -> None:
    large = bytes(range(256)) * 40_000
    assert client.read(path=repository, file="large.bin") == large
    assert client.read(path=repository, file="large.bin", rev="HEAD") == large


def test_a_lock_is_held_in_a_block(client: gitport.Client, repository: Path) -> None:
    with client.holding(path=repository, name="release", owner="ada", reason="why") as lease:
        assert lease["token"] == 1
        held = client.locks(path=repository)["locks"]
        assert [(one["name"], one["holders"][0]["owner"]) for one in held] == [("release", "ada")]
        with pytest.raises(gitport.Locked) as refused:
            client.lock(path=repository, name="release", owner="bob")
        assert refused.value.details["holder"] == "ada"
        renewed = client.renew(path=repository, name="release", token=1, ttl_ms=60_000)
        assert renewed["expires_in_ms"] == 60_000
    assert client.locks(path=repository)["locks"] == []


def test_a_block_that_fails_lets_go_of_its_lock(client: gitport.Client, repository: Path) -> None:
    with pytest.raises(ZeroDivisionError), client.holding(path=repository, name="a", owner="ada"):
        raise ZeroDivisionError
    assert client.locks(path=repository)["locks"] == []


def test_a_block_that_lost_its_lock_hears_of_it(client: gitport.Client, repository: Path) -> None:
    with (
        pytest.raises(gitport.Conflict),
        client.holding(path=repository, name="a", owner="ada") as lease,
    ):
        client.unlock(path=repository, name="a", token=lease["token"])
