"""A client that knows frames, msgpack and six requests, and nothing else.

Nothing of the package is used here: what this client does is what the oldest ones did.
"""

from __future__ import annotations

import base64
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from conftest import SECONDS, git

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(program: str) -> Iterator[Ask]:
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as port:
        assert port.stdin is not None
        assert port.stdout is not None
        stdin, stdout = port.stdin, port.stdout

        def ask(**request: Any) -> dict[str, Any]:
            body = msgpack.packb(request)
            stdin.write(struct.pack(">I", len(body)) + body)
            stdin.flush()
            (length,) = struct.unpack(">I", stdout.read(4))
            reply: dict[str, Any] = msgpack.unpackb(stdout.read(length))
            return reply

        yield ask
        stdin.close()
        assert stdout.read() == b"", "a frame that nobody asked for"
        assert port.wait(SECONDS) == 0


def test_the_six_requests(ask: Ask, repository: Path, tmp_path: Path) -> None:
    url, path = str(repository), str(tmp_path / "clone")
    main, before = git(repository, "rev-parse", "main", "main~1").split()
    assert ask(op="lsremote", url=url, branch="main") == {"ok": main}
    assert ask(op="sync", url=url, branch="main", path=path, depth=1) == {"ok": main}
    assert ask(op="files", path=path, subpath=None) == {"ok": ["config.yaml"]}
    many = sorted(f"{number}.yaml" for number in range(200))
    assert ask(op="files", path=path, subpath="many") == {"ok": many}
    content = base64.b64encode(b"size: 2\n").decode()
    assert ask(op="read", path=path, file="config.yaml") == {"ok": content}
    head = ask(op="head", path=path)["ok"]
    timestamp = int(git(repository, "log", "-1", "--format=%ct"))
    assert head == {
        "sha": main,
        "author": "Ada Lovelace",
        "email": "ada@example.org",
        "message": "the second commit\n",
        "timestamp": timestamp,
    }
    assert ask(op="checkout", path=path, sha=before) == {"ok": before}
    content = base64.b64encode(b"size: 1\n").decode()
    assert ask(op="read", path=path, file="config.yaml") == {"ok": content}
    assert git(Path(path), "rev-parse", "main").strip() == main
    assert git(Path(path), "rev-parse", "--abbrev-ref", "HEAD").strip() == "HEAD"


def test_a_plain_folder_can_be_listed_and_read(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a")
    assert ask(op="files", path=str(tmp_path), subpath=None) == {"ok": ["a.yaml"]}
    assert ask(op="read", path=str(tmp_path), file="a.yaml") == {"ok": "YQ=="}


def test_every_failure_is_a_plain_string(ask: Ask, tmp_path: Path) -> None:
    path = str(tmp_path)
    for request in (
        {"op": "head", "path": path},
        {"op": "read", "path": path, "file": "none"},
        {"op": "read", "path": path, "file": "../x"},
        {"op": "files", "path": path + "/none", "subpath": None},
        {"op": "checkout", "path": path, "sha": "none"},
        {"op": "lsremote", "url": path + "/none", "branch": "main"},
        {
            "op": "sync",
            "url": path + "/none",
            "branch": "main",
            "path": path + "/clone",
            "depth": 1,
        },
        {"op": "nonsense"},
        {},
    ):
        reply = ask(**request)
        assert isinstance(reply["err"], str), request
        assert "ok" not in reply
        assert "id" not in reply
    assert not (tmp_path / "clone").exists()


def test_a_reply_is_as_large_as_the_file_it_was_asked_for(ask: Ask, tmp_path: Path) -> None:
    large = bytes(range(256)) * 160_000
    (tmp_path / "large").write_bytes(large)
    reply = ask(op="read", path=str(tmp_path), file="large")
    assert base64.b64decode(reply["ok"]) == large
