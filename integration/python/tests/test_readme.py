"""The README's way from a definition file to a finished run, with its two workers as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import gitport
from conftest import HERE, ROOT, SECONDS, git, until

ELIXIR = ROOT / "integration" / "elixir"
SOURCES = HERE.parent / "src"
EXECUTION = "refs/workflow/executions/r1"


def block(language: str, having: str) -> str:
    """The text of the README in this language that has these words."""
    readme = (ROOT / "README.md").read_text()
    wanted = rf"^```{language}\n(.*?)^```"
    found: list[str] = re.findall(wanted, readme, re.MULTILINE | re.DOTALL)
    return next(text for text in found if having in text)


@contextmanager
def worker(*command: str, path: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(SOURCES), "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_definition_becomes_a_finished_run_by_a_worker_in_python_and_one_in_elixir(
    program: str, client: gitport.Client, tmp_path: Path
) -> None:
    built = next(ELIXIR.glob("_build/*/lib/gitport/ebin"), None)
    if not shutil.which("elixir") or built is None:
        pytest.skip("there is no Elixir, or its client is not built")
    repository = tmp_path / "app"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    definition = block("yaml", "process_name: release").replace('"1.0.0"', '"1.1.0"')
    (repository / "release.yaml").write_text(definition)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "a process")
    for arguments in (
        ["process", "publish", "release.yaml"],
        ["run", "start", "release", "--version", "^1", "--id", "r1", "--actor", "ann"],
    ):
        subprocess.run([program, *arguments], cwd=repository, check=True, capture_output=True)

    # Both find the program where the README says that they look.
    place = tmp_path / "bin"
    place.mkdir()
    (place / "gitport").symlink_to(program)
    path = f"{place}:{os.environ['PATH']}"
    python = block("python", "task_claim").replace("/srv/app", str(repository))
    # What mix does for a project that depends on the client.
    start = "{:ok, _} = Application.ensure_all_started(:gitport)\n"
    elixir = start + block("elixir", "task_claim").replace("/srv/app", str(repository))

    def is_done() -> bool:
        return client.run_get(path=str(repository), run="r1")["status"] == "done"

    with (
        worker(sys.executable, "-c", python, path=path),
        worker("elixir", "-pa", str(built), "-e", elixir, path=path) as reviewer,
    ):
        until(is_done)
        assert reviewer.wait(SECONDS) == 0

    told = git(repository, "log", "--graph", "--format=%s (%an)", EXECUTION)
    shown = block("sh", "git log --graph --format='%s (%an)'")
    shown = shown.partition(EXECUTION + "\n")[2].partition("$ git show")[0]

    # Which of the two comes first, and which joins them, is not the same each time.
    def words(text: str) -> list[str]:
        lines = (line.lstrip("*|\\/ ") for line in text.splitlines())
        return sorted("ship joins 2" if "joins" in line else line for line in lines)

    assert words(told) == words(shown)
    assert "ship joins 2" in told
    assert client.run_verify(path=str(repository), run="r1")["ok"]
    kept = git(repository, "show", f"{EXECUTION}:process/release_v1.1.0.yaml")
    assert kept == definition
    git(repository, "fsck", "--strict")
