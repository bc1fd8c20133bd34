"""The program under test and repositories made by stock git."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import gitport

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
PROTOCOL = ROOT / "protocol"
#: Longer than anything takes, so that a hang is a failure and not a hang.
SECONDS = 30.0


def git(at: Path, *arguments: str) -> str:
    alone = os.environ | {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada Lovelace",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Grace Hopper",
        "GIT_COMMITTER_EMAIL": "grace@example.org",
    }
    command = ["git", "-C", str(at), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=alone).stdout


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


async def until_async(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.01)


def stop(pid: int) -> None:
    """Stops a process; when this returns, none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: all(_state(it) == "T" for it in Path(f"/proc/{pid}/task").iterdir()))


def _state(task: Path) -> str:
    # The name before it, in brackets, may have any character.
    return (task / "stat").read_text().rpartition(") ")[2][0]


def check_keys(value: object, kind: type) -> None:
    """A reply has the keys that its type has, and all of those that it must have."""
    assert isinstance(value, dict)
    required, optional = kind.__required_keys__, kind.__optional_keys__  # type: ignore[attr-defined]
    assert required <= set(value) <= required | optional, kind.__name__
    for key, hint in get_type_hints(kind).items():
        of, *_ = (*get_args(hint), None)
        if value.get(key) is None and type(None) in get_args(hint):
            continue
        inner = of if hasattr(of, "__required_keys__") else hint
        if key in value and hasattr(inner, "__required_keys__"):
            for part in value[key] if isinstance(value[key], list) else [value[key]]:
                check_keys(part, inner)


@pytest.fixture(scope="session")
def program() -> str:
    path = Path(os.environ.get("GITPORT", ROOT / "target" / "debug" / "gitport"))
    assert path.exists(), f"{path} is not there: build it, or set GITPORT"
    return str(path.resolve())


@pytest.fixture
def client(program: str) -> Iterator[gitport.Client]:
    with gitport.Client(program, timeout=SECONDS) as client:
        yield client


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits; 200 files that all differ, one of them large."""
    path = tmp_path / "repository"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "config.yaml").write_text("size: 1\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "the first commit")
    (path / "config.yaml").write_text("size: 2\n")
    (path / "large.bin").write_bytes(bytes(range(256)) * 40_000)
    (path / "many").mkdir()
    for number in range(200):
        (path / "many" / f"{number}.yaml").write_text(f"number: {number}\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "the second commit")
    return path


@pytest.fixture
def silent_remote() -> Iterator[str]:
    """The address of a remote that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"git://127.0.0.1:{listener.getsockname()[1]}/repository"
