"""Repositories by ids, with both clients."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import gitport
from conftest import SECONDS, git
from gitport import Workspace


@pytest.fixture
def client(program: str, tmp_path: Path) -> Iterator[gitport.Client]:
    flags = ["--data", str(tmp_path / "data")]
    with gitport.Client(program, flags, timeout=SECONDS) as client:
        yield client


def test_a_workspace_stands_where_a_path_does(client: gitport.Client, repository: Path) -> None:
    created = client.workspace_create(workspace="team/one", description="One.")
    assert created["branch"] == "main"
    git(repository, "push", "-q", str(created["path"]), "main")
    head = client.head(path=Workspace("team/one"))["sha"]
    assert head == git(repository, "rev-parse", "main").strip()
    assert client.read(path=Workspace("team/one"), file="config.yaml") == b"size: 2\n"
    info = client.workspace_info(workspace="team/one")
    assert (info["head"], info["description"]) == (head, "One.")
    with pytest.raises(gitport.NotFound):
        client.head(path=Workspace(7))


def test_a_repository_is_verified_and_maintained(client: gitport.Client, repository: Path) -> None:
    assert client.verify(path=repository, range="main")["ok"]
    assert client.maintain(path=repository, full=True)["repacked"]
    client.workspace_create(workspace=7)
    assert client.maintain()["workspaces"] == 1


def test_what_is_deleted_can_be_restored(client: gitport.Client) -> None:
    client.workspace_create(workspace=7)
    with pytest.raises(gitport.AlreadyExists):
        client.workspace_create(workspace="7")
    deleted = client.workspace_delete(workspace=7)
    assert client.workspace_list()["workspaces"] == []
    assert client.workspace_list(deleted=True)["workspaces"] == [deleted]
    assert client.workspace_restore(workspace=7) == deleted
    assert client.workspace_list(limit=1) == {"workspaces": [{"workspace": "7"}], "next": None}


def test_an_export_is_bytes_or_a_file(
    client: gitport.Client, repository: Path, tmp_path: Path
) -> None:
    exported = client.workspace_export(path=repository, format="tar.gz", paths=["config.yaml"])
    with tarfile.open(fileobj=io.BytesIO(exported["content"])) as archive:
        assert archive.getnames() == ["config.yaml"]
    file = tmp_path / "x.bundle"
    exported = client.workspace_export(path=repository, format="bundle", to=file)
    assert exported["file"] == str(file)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(file), str(clone))
    assert git(clone, "rev-parse", "HEAD").strip() == exported["sha"]


def test_states_become_commits(client: gitport.Client, tmp_path: Path) -> None:
    file = tmp_path / "it.jsonl"
    lines = [{"state": it, "files": [{"path": "a", "content": str(it)}]} for it in range(3)]
    file.write_text("\n".join(map(json.dumps, lines)))
    report = client.workspace_import(workspace="one", from_={"lines": str(file)})
    assert (report["states"], report["commits"], report["created"]) == (3, 3, True)
    assert client.read(path=Workspace("one"), file="a", rev="main") == b"2"
    page = client.workspace_imported(workspace="one", limit=2)
    assert ([it["state"] for it in page["states"]], page["next"]) == (["0", "1"], "1")
    page = client.workspace_imported(workspace="one", after="1")
    assert page["states"] == [{"state": "2", "commit": report["head"]}]


def test_the_same_awaited(program: str, tmp_path: Path) -> None:
    async def use() -> None:
        flags = ["--data", str(tmp_path / "data")]
        async with gitport.AsyncClient(program, flags, timeout=SECONDS) as client:
            await client.workspace_create(workspace="one", branch="trunk")
            info = await client.workspace_info(workspace="one")
            assert (info["branch"], info["head"]) == ("trunk", None)
            with pytest.raises(gitport.NotFound):
                await client.workspace_export(path=Workspace("one"), format="zip")
            await client.workspace_delete(workspace="one")
            await client.workspace_restore(workspace="one")
            assert len((await client.workspace_list())["workspaces"]) == 1

    asyncio.run(use())
