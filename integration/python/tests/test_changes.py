"""What changes a repository: commits, fences, keys and signatures."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import gitport
from conftest import SECONDS, git
from gitport import Workspace
from gitport.types import Fence, FileChange, PushRef, Who

ADA: Who = {"name": "Ada Lovelace", "email": "ada@example.org", "time": 1_700_000_000, "offset": 60}


@pytest.fixture
def keeper(program: str, tmp_path: Path) -> Iterator[gitport.Client]:
    """A client of a daemon that has workspaces."""
    flags = ["--data", str(tmp_path / "data")]
    with gitport.Client(program, flags, timeout=SECONDS) as client:
        yield client


def test_a_commit_has_bytes_and_text(client: gitport.Client, repository: Path) -> None:
    before = git(repository, "rev-parse", "HEAD").strip()
    changes: list[FileChange] = [
        {"file": "bytes.bin", "content": b"\x00\xff"},
        {"file": Path("a") / "text.txt", "content": "grüße\n", "mode": "100755"},
        {"file": "config.yaml", "rename": "renamed.yaml"},
        {"file": "many/0.yaml", "delete": True},
        {"file": "many/1.yaml", "mode": "100755"},
    ]
    made = client.commit(
        path=repository,
        branch="main",
        message="changed\n",
        changes=changes,
        author=ADA,
        committer=ADA,
        expect=before,
    )
    assert git(repository, "rev-parse", "main", "main^{tree}", "main~1").split() == [
        made["commit"],
        made["tree"],
        before,
    ]
    assert (repository / "bytes.bin").read_bytes() == b"\x00\xff"
    assert (repository / "a" / "text.txt").read_text() == "grüße\n"
    assert git(repository, "log", "-1", "--format=%an %ad", "--date=raw").strip() == (
        "Ada Lovelace 1700000000 +0100"
    )
    assert git(repository, "status", "--porcelain") == ""
    names = git(repository, "diff", "--no-renames", "--name-status", "main~1", "main").split()
    assert names == [
        *("A", "a/text.txt", "A", "bytes.bin", "D", "config.yaml"),
        *("D", "many/0.yaml", "M", "many/1.yaml", "A", "renamed.yaml"),
    ]
    with pytest.raises(gitport.Conflict) as stale:
        client.commit(path=repository, message="again", changes=changes[:1], expect=before)
    assert stale.value.details["actual"] == made["commit"]


def test_a_commit_of_all_that_is_different(client: gitport.Client, repository: Path) -> None:
    (repository / "new.txt").write_text("new\n")
    made = client.commit(path=repository, message="all of it", all=True, durability="relaxed")
    assert made["durability"] == "relaxed"
    assert git(repository, "show", f"{made['commit']}:new.txt") == "new\n"
    with pytest.raises(gitport.Conflict):
        client.commit(path=repository, message="nothing", all=True)
    empty = client.commit(path=repository, message="nothing", changes=[], empty=True)
    assert empty["tree"] == made["tree"]


def test_a_commit_with_a_key_happens_once(client: gitport.Client, repository: Path) -> None:
    def commit(content: str) -> str:
        change: FileChange = {"file": "once.txt", "content": content}
        made = client.commit(path=repository, message="once", changes=[change], key="order 7")
        return made["commit"]

    once = commit("once\n")
    assert commit("once\n") == once
    assert git(repository, "rev-list", "--count", "main").strip() == "3"
    with pytest.raises(gitport.Conflict):
        commit("another\n")


def test_a_remote_keeps_a_lock_and_takes_what_is_pushed_under_it(
    client: gitport.Client, repository: Path, tmp_path: Path
) -> None:
    remote = tmp_path / "remote.git"
    git(repository, "clone", "--quiet", "--bare", ".", str(remote))
    git(repository, "remote", "add", "origin", str(remote))
    refs: list[PushRef] = [{"from": "main", "to": "fenced"}]
    with client.holding(path=repository, name="release", owner="ada", remote="origin") as lease:
        fence: Fence = {"lock": "release", "token": lease["token"]}
        pushed = client.push(path=repository, refs=refs, fence=fence)
        assert [it["status"] for it in pushed] == ["created"]
        longer = client.renew(
            path=repository, name="release", token=lease["token"], ttl_ms=9000, url=str(remote)
        )
        assert longer["token"] == lease["token"]
        held = client.locks(path=repository, remote="origin")["locks"]
        assert [(it["name"], it["holders"][0]["owner"]) for it in held] == [("release", "ada")]
        assert client.locks(path=repository)["locks"] == []
    assert client.locks(path=repository, remote="origin")["locks"] == []
    with pytest.raises(gitport.Conflict):
        client.push(path=repository, refs=refs, fence=fence)


def test_a_path_that_may_be_a_workspace_is_told_as_that(client: gitport.Client) -> None:
    with pytest.raises(gitport.BadRequest, match=r"gitport\.Workspace"):
        client.commit(path="plan", message="m", changes=[])


def test_a_fence_bars_every_change_of_one_that_lost_its_lock(
    client: gitport.Client, repository: Path
) -> None:
    path = repository
    change: FileChange = {"file": "fenced.txt", "content": "fenced\n"}
    stale: Fence = {"lock": "release", "token": 1}
    with client.holding(path=path, name="release", owner="ada") as lease:
        fence: Fence = {"lock": "release", "token": lease["token"]}
        assert fence == stale
        client.commit(path=path, message="fenced", changes=[change], fence=fence)
        client.branch(path=path, branch="fenced", from_="main~1", fence=fence)
        client.tag(path=path, tag="fenced", fence=lease)
        client.ref_update(path=path, updates=[{"ref": "refs/odd/x", "to": "main"}], fence=fence)
        assert client.merge(path=path, into="fenced", from_="main", fence=fence)["merged"]
        client.note(path=path, target="main", content="said", fence=fence)
        client.note_remove(path=path, target="main", fence=fence)
    before = git(path, "for-each-ref")
    with pytest.raises(gitport.Conflict):
        client.commit(path=path, message="x", changes=[], empty=True, fence=stale)
    with pytest.raises(gitport.Conflict):
        client.branch(path=path, branch="x", fence=stale)
    with pytest.raises(gitport.Conflict):
        client.tag(path=path, tag="x", fence=stale)
    with pytest.raises(gitport.Conflict):
        client.ref_update(path=path, updates=[{"ref": "refs/odd/x"}], fence=stale)
    with pytest.raises(gitport.Conflict):
        client.merge(path=path, from_="main~1", fence=stale)
    with pytest.raises(gitport.Conflict):
        client.note(path=path, target="main", content="x", fence=stale)
    with pytest.raises(gitport.Conflict):
        client.note_remove(path=path, target="main", missing_ok=True, fence=stale)
    assert git(path, "for-each-ref") == before


def test_what_is_signed_is_accepted_by_git(
    client: gitport.Client, repository: Path, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "open", "-C", "", "-f", str(file)]
    subprocess.run(command, check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ada@example.org {file.with_suffix('.pub').read_text()}")
    git(repository, "config", "gpg.format", "ssh")
    git(repository, "config", "gpg.ssh.allowedSignersFile", str(allowed))
    change: FileChange = {"file": "signed.txt", "content": "signed\n"}
    made = client.commit(
        path=repository,
        message="signed",
        changes=[change],
        sign={"key_file": str(file), "passphrase": "open"},
    )
    git(repository, "verify-commit", made["commit"])
    key = file.read_text()
    client.tag(path=repository, tag="v1", message="v1\n", sign={"key": key, "passphrase": "open"})
    git(repository, "verify-tag", "v1")
    client.branch(path=repository, branch="side", from_="main~1")
    client.commit(
        path=repository, branch="side", message="s", changes=[{"file": "s", "content": ""}]
    )
    merged = client.merge(
        path=repository, from_="side", sign={"key": key, "passphrase": "open"}, committer=ADA
    )
    git(repository, "verify-commit", merged["commit"])
    with pytest.raises(gitport.Unauthorized):
        client.commit(path=repository, message="x", changes=[], empty=True, sign={"key": key})


def test_a_workspace_stands_where_a_path_does_in_every_change(keeper: gitport.Client) -> None:
    path = Workspace("one")
    keeper.workspace_create(workspace="one")
    made = keeper.commit(path=path, message="first", changes=[{"file": "a", "content": "1\n"}])
    main = made["commit"]
    assert keeper.branch(path=path, branch="side")["commit"] == main
    assert keeper.tag(path=path, tag="v1")["target"] == main
    moved = keeper.ref_update(path=path, updates=[{"ref": "refs/odd/x", "to": "main"}])
    assert moved[0]["sha"] == main
    assert keeper.merge(path=path, from_="side")["merged"] == "up_to_date"
    keeper.note(path=path, target="main", content="said")
    assert keeper.notes(path=path, target="main")["content"] == b"said"
    assert keeper.note_remove(path=path, target="main")["removed"] == 1
    assert [it["name"] for it in keeper.branches(path=path)["branches"]] == ["main", "side"]
    assert [it["name"] for it in keeper.tags(path=path)["tags"]] == ["v1"]
    assert len(keeper.refs(path=path, prefix="refs/odd/")["refs"]) == 1
    with keeper.holding(path=path, name="release", owner="ada"):
        assert len(keeper.locks(path=path)["locks"]) == 1


def test_the_same_awaited(program: str, repository: Path) -> None:
    async def use() -> None:
        async with gitport.AsyncClient(program, timeout=SECONDS) as client:
            async with client.holding(path=repository, name="release", owner="ada") as lease:
                made = await client.commit(
                    path=repository,
                    message="awaited",
                    changes=[{"file": "a", "content": b"1\n"}],
                    key="once",
                    fence={"lock": "release", "token": lease["token"]},
                )
            assert git(repository, "rev-parse", "main").strip() == made["commit"]

    asyncio.run(use())


def test_processes_are_published_found_and_listed(
    client: gitport.Client, repository: Path, tmp_path: Path
) -> None:
    def text(version: str) -> str:
        return f"process_name: ship\nprocess_version: {version}\nsteps: [{{step_id: pack}}]\n"

    published = tmp_path / "published"
    for version in ("1.0.0", "1.1.0"):
        made = client.process_publish(path=repository, content=text(version))
        assert made["created"]
        assert made == client.process_publish(
            store={"folder": published}, content=text(version).encode()
        )
    with pytest.raises(gitport.AlreadyExists):
        client.process_publish(path=repository, content=text("1.0.0") + "# more\n")
    found = client.process_get(store={"folder": published}, name="ship", version="~1.0")
    assert bytes(found["content"]) == text("1.0.0").encode()
    assert found["file"] == "ship/ship_v1.0.0.yaml"
    assert client.process_list(path=repository)["processes"] == [
        {"name": "ship", "version": "1.0.0"},
        {"name": "ship", "version": "1.1.0"},
    ]
