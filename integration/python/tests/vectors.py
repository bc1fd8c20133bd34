"""The vectors as Python sees them. The format is in protocol/vectors/README.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gitport import _protocol as protocol

VECTORS = Path(__file__).resolve().parents[3] / "protocol" / "vectors"


class Block(NamedTuple):
    topic: str
    lines: list[tuple[str, str]]

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.lines if name == key]

    def one(self, key: str) -> str | None:
        return next(iter(self.all(key)), None)

    def __str__(self) -> str:
        return f"{self.topic}: {self.one('about')}"


class Expectation(NamedTuple):
    """One reply to come back: its id, and what else it must have."""

    id: Any
    reply: Any
    code: str | None
    details: dict[str, str]

    def check(self, reply: Any) -> None:
        if self.code is None:
            assert comparable(reply) == comparable(self.reply)
            return
        assert reply.get("code", "ok") == self.code, reply
        assert ("err" in reply) == (self.code != "ok"), reply
        for key in ("field", "nearest"):
            if key in self.details:
                assert reply.get(key) == self.details[key], reply
        for key in self.details.get("has", "").split():
            assert key in (reply["ok"] if self.code == "ok" else reply), reply


def blocks(topic: str) -> Iterator[Block]:
    for block in (VECTORS / f"{topic}.txt").read_text().split("\n\n"):
        lines = [line.partition(": ") for line in block.splitlines() if not line.startswith("#")]
        if lines:
            yield Block(topic, [(key, value) for key, _, value in lines])


def every_block() -> list[Block]:
    return [block for file in sorted(VECTORS.glob("*.txt")) for block in blocks(file.stem)]


def bytes_of(value: str) -> bytes:
    pieces = (piece.partition("*") for piece in value.split())
    return b"".join(bytes.fromhex(data) * int(times or 1) for data, _, times in pieces)


def frames_of(stream: bytes) -> Iterator[bytes]:
    while stream:
        end = 4 + int.from_bytes(stream[:4], "big")
        assert 4 <= len(stream) >= end, "cut short"
        yield stream[4:end]
        stream = stream[end:]


def expectations(block: Block) -> list[Expectation]:
    found: list[Expectation] = []
    for key, value in block.lines:
        if key == "reply":
            (body,) = frames_of(bytes_of(value))
            reply = protocol.decode(body)
            found.append(Expectation(reply.get("id"), reply, None, {}))
        elif key == "code":
            found.append(Expectation(None, None, value, {}))
        elif key == "id":
            found[-1] = found[-1]._replace(id=value[1:-1] if value[0] == '"' else int(value))
        elif key in ("field", "nearest", "has"):
            found[-1].details[key] = value
    return found


def comparable(value: Any) -> Any:
    """Without what may change: of an error the message and the details."""
    if isinstance(value, dict):
        kept = ("id", "file", "code") if "err" in value else value
        return {key: comparable(value[key]) for key in kept if key in value}
    return [comparable(each) for each in value] if isinstance(value, list) else value
