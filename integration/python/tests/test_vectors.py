"""Every vector against the program, on bare pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

import vectors
from conftest import ROOT, SECONDS
from gitport import _protocol as protocol

TOPICS = sorted(file.stem for file in vectors.VECTORS.glob("*.txt"))


@pytest.fixture(scope="module", autouse=True)
def fixture() -> None:
    subprocess.run([vectors.VECTORS / "fixture.sh"], check=True, timeout=SECONDS)


@pytest.fixture(scope="module")
def daemon(program: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [program, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as daemon:
        yield daemon
        assert daemon.stdin is not None
        daemon.stdin.close()
        assert daemon.wait(SECONDS) == 0


@pytest.fixture(autouse=True)
def bound() -> Iterator[None]:
    """A reply that never comes ends the test, and with it the wait for it."""

    def late(*_: object) -> None:
        raise TimeoutError("no reply")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(int(SECONDS))
    yield
    signal.alarm(0)


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("GITPORT")}


@pytest.mark.parametrize(
    "block", [it for it in vectors.every_block() if not it.one("codec")], ids=str
)
def test_the_program_answers_as_the_vector_says(
    block: vectors.Block, daemon: subprocess.Popen[bytes], program: str
) -> None:
    sent = b"".join(map(vectors.bytes_of, block.all("send")))
    expected = vectors.expectations(block)
    if (status := block.one("exit")) is not None:
        check_exit(program, sent, expected, status)
        return
    assert daemon.stdin is not None
    assert daemon.stdout is not None
    daemon.stdin.write(sent)
    daemon.stdin.flush()
    for _ in list(expected):
        take(read_reply(daemon.stdout), expected)


def read_reply(stdout: object) -> dict[str, object]:
    read = stdout.read  # type: ignore[attr-defined]
    while True:
        head = read(protocol.LENGTH_BYTES)
        assert len(head) == protocol.LENGTH_BYTES, "the daemon has ended"
        reply = protocol.decode(read(int.from_bytes(head, "big")))
        if "event" not in reply:
            assert isinstance(reply, dict)
            return reply


def take(reply: dict[str, object], expected: list[vectors.Expectation]) -> None:
    """Checks a reply against the first expectation with its id."""
    same = [it for it in expected if it.id == reply.get("id")]
    assert same, f"nobody asked for {reply}"
    same[0].check(reply)
    expected.remove(same[0])


def check_exit(program: str, sent: bytes, expected: list[vectors.Expectation], status: str) -> None:
    command = [program, "serve"]
    done = subprocess.run(
        command, input=sent, capture_output=True, env=environment(), timeout=SECONDS
    )
    for body in vectors.frames_of(done.stdout):
        take(protocol.decode(body), expected)
    assert not expected
    assert (done.returncode == 0) == (status == "0"), done.stderr


def test_the_files_are_what_the_generator_writes() -> None:
    generator = ROOT / "integration" / "vectors.py"
    done = subprocess.run([sys.executable, generator, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("topic", [it for it in TOPICS if it not in ("frames", "codec")])
def test_what_is_sent_is_one_sound_frame(topic: str) -> None:
    for block in vectors.blocks(topic):
        for sent in block.all("send"):
            (body,) = vectors.frames_of(vectors.bytes_of(sent))
            assert isinstance(protocol.decode(body), dict)
