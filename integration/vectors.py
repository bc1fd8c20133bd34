#!/usr/bin/env python3
"""Writes the files of protocol/vectors, with the ids that the fixture's repositories have.

    python3 integration/vectors.py            makes the fixture and writes every file again
    python3 integration/vectors.py --check    writes nothing; fails if a file would change

To add a vector, add a line to the function that is named like its file and run this. The text files are what is reviewed
and what the suites read; expected answers come from the contract and from stock git, never from the daemon.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

VECTORS = Path(__file__).resolve().parent.parent / "protocol" / "vectors"
TOP = "/tmp/gitport-vectors"
REPOSITORY = f"{TOP}/repository"
BARE = f"{TOP}/bare.git"
FOLDER = f"{TOP}/folder"
EMPTY = f"{TOP}/empty"
LOCKS = f"{TOP}/locks.git"
TAKING = f"{TOP}/taking.git"
REQUEST_BYTES = 16 << 20
DAY = 86_400_000
SCRATCH = tempfile.TemporaryDirectory()


class Raw(NamedTuple):
    """Bytes that no encoder would write, as tokens, and what they mean."""

    tokens: list[str]
    shows: str


class Repeat(NamedTuple):
    """A list of the same value many times over."""

    value: Any
    count: int


def encode(value: Any) -> list[str]:
    """The shortest msgpack of a value as hex, one token for each element."""
    match value:
        case Raw():
            return value.tokens
        case Repeat():
            item = "".join(encode(value.value))
            return [
                header(value.count, 0x90, 15, 0xDC),
                *([f"{item}*{value.count}"] if value.count else []),
            ]
        case None:
            return ["c0"]
        case bool():
            return ["c3" if value else "c2"]
        case int():
            return [integer(value)]
        case float():
            return ["cb" + struct.pack(">d", value).hex()]
        case str():
            data = value.encode()
            size = len(data)
            head = f"d9{size:02x}" if 31 < size < 256 else header(size, 0xA0, 31, 0xDA)
            return [head + data.hex()]
        case bytes():
            size = len(value)
            head = f"c4{size:02x}" if size < 256 else header(size, 0, -1, 0xC5)
            return [head + value.hex()]
        case list():
            return [
                header(len(value), 0x90, 15, 0xDC),
                *(t for item in value for t in encode(item)),
            ]
        case dict():
            parts = (t for pair in value.items() for item in pair for t in encode(item))
            return [header(len(value), 0x80, 15, 0xDE), *parts]
    raise TypeError(type(value))


def header(size: int, short: int, short_max: int, long: int) -> str:
    if size <= short_max:
        return f"{short | size:02x}"
    if size < 1 << 16:
        return f"{long:02x}{size:04x}"
    return f"{long + 1:02x}{size:08x}"


def integer(value: int) -> str:
    if -32 <= value < 128:
        return f"{value & 0xFF:02x}"
    for code, width in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if 0 <= value < 1 << 8 * width:
            return f"{code:02x}{value:0{2 * width}x}"
    for code, width in ((0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8)):
        if -(1 << 8 * width - 1) <= value < 0:
            return f"{code:02x}{value & (1 << 8 * width) - 1:0{2 * width}x}"
    raise ValueError(value)


def size_of(tokens: Iterable[str]) -> int:
    parts = (token.partition("*") for token in tokens)
    return sum(len(data) // 2 * int(times or 1) for data, _, times in parts)


def frame(value: Any) -> str:
    tokens = encode(value)
    return " ".join([f"{size_of(tokens):08x}", *tokens])


def shows(value: Any) -> str:
    match value:
        case Raw():
            return value.shows
        case Repeat():
            return f"[{shows(value.value)} {value.count} times]"
        case None:
            return "nil"
        case bool():
            return str(value).lower()
        case str():
            text = value.replace("\\", "\\\\").replace('"', '\\"')
            return '"' + "".join(c if c.isprintable() else escape(c) for c in text) + '"'
        case bytes():
            return "bin" + repr(value)[1:].replace("'", '"')
        case list():
            return "[" + ", ".join(map(shows, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{name(k)}: {shows(v)}" for k, v in value.items()) + "}"
    return repr(value)


def escape(character: str) -> str:
    return {"\n": "\\n", "\t": "\\t"}.get(character, f"\\u{{{ord(character):x}}}")


def name(key: Any) -> str:
    return key if isinstance(key, str) and key.isidentifier() else shows(key)


class Topic:
    """The blocks of one file."""

    def __init__(self, title: str) -> None:
        self.blocks = [
            f"# {title}\n# Written by integration/vectors.py; the format is in README.md."
        ]
        self.seen: set[str] = set()

    def block(self, about: str, *lines: tuple[str, Any]) -> None:
        assert about not in self.seen, about
        self.seen.add(about)
        kept = [f"{key}: {value}" for key, value in (("about", about), *lines) if value is not None]
        self.blocks.append("\n".join(kept))

    def ok(self, about: str, request: Any, value: Any) -> None:
        self.talk(about, [request], [answer(request, value)])

    def has(self, about: str, request: Any, keys: str) -> None:
        self.talk(about, [request], [[("code", "ok"), *id_line(request), ("has", keys)]])

    def err(self, about: str, request: Any, code: str, **details: str) -> None:
        self.talk(about, [request], [refusal(request, code, **details)])

    def talk(
        self, about: str, sent: list[Any], back: list[list[tuple[str, Any]]], **rest: Any
    ) -> None:
        lines: list[tuple[str, Any]] = []
        for request in sent:
            lines += [("send", frame(request)), ("shows", shows(request))]
        self.block(
            about, *lines, *(line for answer_lines in back for line in answer_lines), *rest.items()
        )

    def good(self, about: str, tokens: list[str], meaning: str | None, shortest: list[str]) -> None:
        value = [("bytes", " ".join(tokens)), ("shows", meaning), ("encodes", " ".join(shortest))]
        self.block(about, ("codec", "good"), *value)

    def same(self, about: str, tokens: list[str]) -> None:
        """A value that is in its shortest form already, too long to be shown."""
        self.good(about, tokens, None, tokens)

    def bad(self, about: str, text: str) -> None:
        self.block(about, ("codec", "bad"), ("bytes", text))

    def text(self) -> str:
        return "\n\n".join(self.blocks) + "\n"


def identity(request: Any) -> Any:
    return request.get("id") if isinstance(request, dict) else None


def id_line(request: Any) -> list[tuple[str, Any]]:
    found = identity(request)
    if isinstance(found, Raw):
        found = int(found.shows)
    valid = isinstance(found, (int, str)) and not isinstance(found, bool) and found != ""
    if not valid or isinstance(found, str) and len(found.encode()) > 128:
        return []
    return [("id", f'"{found}"' if isinstance(found, str) else found)]


def answer(request: Any, value: Any) -> list[tuple[str, Any]]:
    reply = {"ok": value}
    for _, echoed in id_line(request):
        reply = {"id": echoed.strip('"') if isinstance(echoed, str) else echoed, **reply}
    return [("reply", frame(reply)), ("gives", shows(reply))]


def refusal(request: Any, code: str, **details: str) -> list[tuple[str, Any]]:
    return [("code", code), *id_line(request), *details.items()]


def ask(op: Any, **arguments: Any) -> dict[str, Any]:
    return {"op": op, **arguments}


def git(*arguments: str, at: str = REPOSITORY) -> str:
    alone = os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "core.quotePath=off", "-C", at, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, env=alone)
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def text_of(value: str) -> str | bytes:
    """A text as a reply has it: `str`, or `bin` where it is no UTF-8."""
    try:
        value.encode()
        return value
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape")


# What git says of the fixture.


def id_of(rev: str, at: str = REPOSITORY) -> str:
    return git("rev-parse", "--verify", rev, at=at)


def person(fields: list[str]) -> dict[str, Any]:
    who, email, time, date = fields
    zone = date.rsplit(" ", 1)[1]
    minutes = int(zone[1:3]) * 60 + int(zone[3:])
    offset = -minutes if zone[0] == "-" else minutes
    return {"name": text_of(who), "email": text_of(email), "time": int(time), "offset": offset}


def commits(*arguments: str, at: str = REPOSITORY) -> list[dict[str, Any]]:
    form = (
        "--format=%x01%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%ad%x00%cn%x00%ce%x00%ct%x00%cd%x00%B"
    )
    out = git("log", "--date=iso", "--encoding=", form, *arguments, at=at)
    found = []
    for entry in out.split("\x01")[1:]:
        sha, tree, parents, *people, message = entry.split("\0")
        # `log` ends each message with a line end of its own, and `git` above took the last one.
        message = message.rstrip("\n") + "\n"
        author, committer = person(people[:4]), person(people[4:])
        commit = {"sha": sha, "tree": tree, "parents": parents.split(), "author": author}
        found.append(commit | {"committer": committer, "message": text_of(message)})
    return found


STATUSES = {"A": "added", "D": "deleted", "M": "modified", "R": "renamed", "T": "type_changed"}


def differences(*arguments: str, at: str = REPOSITORY) -> list[dict[str, Any]]:
    raw = git("diff", "--raw", "--no-abbrev", "-M", *arguments, at=at).splitlines()
    numbers = git("diff", "--numstat", "-M", *arguments, at=at).splitlines()
    entries = []
    for line, counts in zip(raw, numbers, strict=True):
        old_mode, mode, old_sha, sha, rest = line[1:].split(" ", 4)
        letter, *files = rest.split("\t")
        added, removed, _ = counts.split("\t", 2)
        entry: dict[str, Any] = {"status": STATUSES[letter[0]], "file": text_of(files[-1])}
        if len(files) == 2:
            entry["old_file"] = text_of(files[0])
        entry |= {"old_mode": old_mode, "mode": mode}
        entry |= {"old_sha": sha_of(old_sha), "sha": sha_of(sha)}
        binary = added == "-"
        entry |= {
            "insertions": 0 if binary else int(added),
            "deletions": 0 if binary else int(removed),
        }
        entries.append(entry | {"binary": binary})
    return entries


def sha_of(sha: str) -> str | None:
    return None if set(sha) == {"0"} else sha


def difference(*arguments: str, at: str = REPOSITORY, after: str | None = None) -> dict[str, Any]:
    entries = differences(*arguments, at=at)
    insertions = sum(entry["insertions"] for entry in entries)
    deletions = sum(entry["deletions"] for entry in entries)
    return {"entries": entries, "insertions": insertions, "deletions": deletions, "next": after}


def worktree_difference(at: str, *paths: str) -> dict[str, Any]:
    """`HEAD` against the worktree, of whose files git itself tells no ids."""
    told = difference("HEAD", "--", *paths, at=at)
    for entry in told["entries"]:
        if entry["status"] != "deleted":
            entry["sha"] = git("hash-object", entry["file"], at=at)
    return told


# The topics, each a file.

PING = {"op": "ping"}
EDGES = [0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]
EDGES += [-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63)]


def envelope(v: Topic) -> None:
    v.ok("a request without an id gets a reply without one", PING, "pong")
    v.ok("keys may come in any order", {"id": 1, "timeout_ms": 60000, "op": "ping"}, "pong")
    v.ok("an operation may come as bin", {"op": b"ping"}, "pong")
    v.ok("an id that is nil is no id", ask("ping", id=None), "pong")
    v.ok("a timeout that is nil is none", ask("ping", timeout_ms=None), "pong")
    for edge in EDGES:
        v.ok(f"the integer {edge} is an id", ask("ping", id=edge), "pong")
    v.ok("an id of one byte", ask("ping", id="a"), "pong")
    v.ok("an id may be any text", ask("ping", id="grüße 7"), "pong")
    v.ok("an id of 128 bytes", ask("ping", id=64 * "ab"), "pong")
    v.ok(
        "an id longer encoded than it need be is the same id",
        ask("ping", id=Raw(["cf0000000000000007"], "7")),
        "pong",
    )
    v.ok("a positive id in a signed format", ask("ping", id=Raw(["d007"], "7")), "pong")
    refused: list[tuple[str, Any]] = [
        ("of 129 bytes", 129 * "a"),
        ("that is empty", ""),
        ("that is bin", b"a"),
    ]
    refused += [
        ("that is a float", 1.0),
        ("that is true", True),
        ("that is a list", [1]),
        ("that is a map", {"a": 1}),
    ]
    for kind, value in refused:
        v.err(f"an id {kind} is refused", ask("ping", id=value), "bad_request", field="id")
    sent = [ask("ping", id=1), ask("ping", id="1"), ask("ping", id=2)]
    v.talk('every id gets its reply; 1 and "1" are two', sent, [answer(it, "pong") for it in sent])
    sent = [PING, {"op": "pin"}, ask("hello", protocol=99), PING]
    back = [
        answer(PING, "pong"),
        refusal(sent[1], "unknown_operation"),
        refusal(sent[2], "unsupported"),
    ]
    v.talk(
        "without ids the replies come in the order of the requests",
        sent,
        [*back, answer(PING, "pong")],
    )

    v.ok("a timeout of a day", ask("ping", timeout_ms=86_400_000), "pong")
    wrong: list[tuple[str, Any]] = [
        ("0", 0),
        ("beyond a day", 86_400_001),
        ("below 0", -1),
        ("that is a str", "1000"),
    ]
    wrong += [("that is a float", 1000.0), ("that is true", True), ("of 64 bits", 2**64 - 1)]
    for kind, value in wrong:
        v.err(
            f"a timeout {kind} is refused",
            ask("ping", id=3, timeout_ms=value),
            "bad_request",
            field="timeout_ms",
        )

    v.err("a request without an operation", {"id": 4}, "bad_request", field="op")
    v.err("an operation that is nil is missing", ask(None, id=4), "bad_request", field="op")
    v.err("an operation that is a number", ask(1, id=4), "bad_request", field="op")
    v.err("an operation that is no UTF-8", {"op": b"\xff"}, "bad_request", field="op")
    v.err("an operation without a letter", {"op": ""}, "unknown_operation")
    unknown = {
        "file": "files",
        "ls-remote": "lsremote",
        "PING": "ping",
        "heads": "head",
        "chekout": "checkout",
    }
    unknown |= {
        "stat": "stats",
        "subscribed": "subscribe",
        "dif": "diff",
        "reed": "read",
        "synch": "sync",
    }
    for said, meant in unknown.items():
        about = f"`{said}` is no operation, but near one"
        v.err(about, {"op": said, "id": 5}, "unknown_operation", **near(said, meant))
    v.err("an operation that is like none", ask("frobnicate", id=5), "unknown_operation")
    v.err(
        "an unknown operation is told before its arguments", ask("reed", x=1), "unknown_operation"
    )
    misspelt = [("ping", "nonsense", None, {}), ("hello", "protocoll", "protocol", {})]
    misspelt += [("files", "patern", "pattern", {"path": FOLDER}), ("head", "paht", "path", {})]
    misspelt += [
        ("read", "encode", "encoding", {"path": FOLDER, "file": "one.yaml"}),
        ("stats", "x", None, {}),
    ]
    misspelt += [
        ("log", "ranges", "range", {"path": REPOSITORY}),
        ("status", "limits", "limit", {"path": EMPTY}),
    ]
    misspelt += [("sync", "dept", "depth", {"url": BARE, "branch": "main", "path": f"{TOP}/never"})]
    for op, said, meant, rest in misspelt:
        about = f"`{op}` refuses the argument `{said}`"
        details = near(said, meant) if meant else {}
        v.err(about, {"op": op, "id": 6, **rest, said: 1}, "bad_request", field=said, **details)
    v.err(
        "an argument of another operation is refused",
        ask("ping", path="/"),
        "bad_request",
        field="path",
    )


def near(said: str, meant: str) -> dict[str, str]:
    """No name is near to one it shares nothing but letters of another case with."""
    return {} if said.isupper() else {"nearest": meant}


def spell(text: str) -> list[str]:
    """Tokens from a spelling in which a text in quotes stands for its encoding."""
    return [
        token
        for word in text.split()
        for token in (encode(word[1:-1]) if word[0] == '"' else [word])
    ]


# Bodies that are no request; the daemon answers each and lives on. The flag says whether the id 7 can be read.
UNSOUND = [
    ("a body without a byte", "", "nothing", False),
    ("a number is no request", "07", "7", False),
    ("a text is no request", '"ping"', '"ping"', False),
    ("nil is no request", "c0", "nil", False),
    ("a list is no request, though its values would do", '91 "ping"', '["ping"]', False),
    ("a map without a key has no operation", "80", "{}", False),
    ("a type that msgpack reserves", "c1", "c1", False),
    ("a byte after the map", '81 "op" "ping" 00', '{op: "ping"} 0', False),
    (
        "a second map after the first",
        '81 "op" "ping" 81 "op" "ping"',
        '{op: "ping"} {op: "ping"}',
        False,
    ),
    ("a byte after the map, and an id", '82 "id" 07 "op" "ping" 00', '{id: 7, op: "ping"} 0', True),
    ("a map that ends too early", '82 "op" "ping"', '{op: "ping", …', False),
    (
        "a map that ends too early, after its id",
        '83 "id" 07 "op" "ping"',
        '{id: 7, op: "ping", …',
        True,
    ),
    ("a key without a value", '82 "op" "ping" "id"', '{op: "ping", id: …', False),
    ("a text that ends too early", '81 "op" a470696e', '{op: "pin…', False),
    ("the operation twice", '82 "op" "ping" "op" "ping"', '{op: "ping", op: "ping"}', False),
    (
        "an argument twice",
        '84 "id" 07 "op" "hello" "client" "a" "client" "a"',
        '{id: 7, op: "hello", client: "a", …',
        True,
    ),
    ("a key that is a number", '82 "op" "ping" 01 01', '{op: "ping", 1: 1}', False),
    ("a key that is nil", '82 "op" "ping" c0 01', '{op: "ping", nil: 1}', False),
    ("a key that is bin", '81 c4026f70 "ping"', '{bin"op": "ping"}', False),
    ("a key that is a list", '82 "op" "ping" 9101 01', '{op: "ping", [1]: 1}', False),
    ("a key that is no UTF-8", '82 "op" "ping" a1ff 01', '{op: "ping", "\\xff": 1}', False),
    (
        "a key that is a number, after the id",
        '83 "id" 07 "op" "ping" 01 01',
        '{id: 7, op: "ping", 1: 1}',
        True,
    ),
    (
        "a key that is a number, before the id",
        '83 01 01 "id" 07 "op" "ping"',
        '{1: 1, id: 7, op: "ping"}',
        True,
    ),
    ("an operation that is a str and no UTF-8", '81 "op" a1ff', '{op: "\\xff"}', False),
    (
        "an extension type",
        '83 "id" 07 "op" "ping" "x" d40101',
        '{id: 7, op: "ping", x: ext(1)}',
        True,
    ),
    (
        "63 lists in the map",
        '83 "id" 07 "op" "ping" "x" 91*62 90',
        '{id: 7, op: "ping", x: [[[…',
        True,
    ),
    (
        "64 lists in the map are too deep",
        '83 "id" 07 "op" "ping" "x" 91*63 90',
        '{id: 7, op: "ping", x: [[[…',
        True,
    ),
    (
        "70 maps in each other",
        '82 "op" "ping" "x" 81a161*70 01',
        '{op: "ping", x: {a: {a: …',
        False,
    ),
    (
        "a million lists in each other",
        '82 "op" "ping" "x" 91*1000000 01',
        '{op: "ping", x: [[[…',
        False,
    ),
    (
        "a list that claims four GiB",
        '82 "op" "ping" "x" ddffffffff 01',
        '{op: "ping", x: [1, …',
        False,
    ),
    (
        "a map that claims four GiB",
        '82 "op" "ping" "x" dfffffffff 01',
        '{op: "ping", x: {1: …',
        False,
    ),
    ("a str that claims four GiB", '82 "op" "ping" "x" dbffffffff 01', '{op: "ping", x: "…', False),
    (
        "bin that claims four GiB",
        '82 "op" "ping" "x" c6ffffffff 01',
        '{op: "ping", x: bin"…',
        False,
    ),
    ("a request that claims four billion keys", 'dfffffffff "op" "ping"', '{op: "ping", …', False),
]

# Bytes that leave no way to find the next frame, or are an orderly end; and whether a ping comes before them.
ENDS = [
    ("nothing at all is an orderly end", "", None, False),
    ("the end between frames is an orderly one", "", None, True),
    ("a length cut after a byte", "00", "bad_request", False),
    ("a length cut after two bytes", "0000", "bad_request", False),
    ("a length cut after three bytes", "000000", "bad_request", False),
    ("a length and no body", "00000009", "bad_request", False),
    ("a body cut in the middle", "00000009 81 a26f70", "bad_request", False),
    ("the longest body, cut", f"{REQUEST_BYTES:08x} 81", "bad_request", False),
    ("what came before a cut frame is answered", "00000009 81", "bad_request", True),
    ("a byte too long", f"{REQUEST_BYTES + 1:08x}", "too_large", False),
    ("the longest length", "ffffffff", "too_large", False),
    ("what came before a length too long is answered", "ffffffff", "too_large", True),
    ("a browser", b"GET / HTTP/1.1\r\n\r\n".hex(), "too_large", False),
]


def frames(v: Topic) -> None:
    pong = answer(PING, "pong")
    ping = [("send", frame(PING)), ("shows", shows(PING))]
    for about, spelling, meaning, has_id in UNSOUND:
        body = spell(spelling)
        sent = [("send", " ".join([f"{size_of(body):08x}", *body])), ("shows", meaning)]
        v.block(about, *sent, *ping, ("code", "bad_request"), ("id", 7 if has_id else None), *pong)
    for about, text, code, after_ping in ENDS:
        sent = [*(ping if after_ping else []), ("send", text or None)]
        back = [*(pong if after_ping else []), ("code", code), ("exit", "nonzero" if code else 0)]
        v.block(about, *sent, *back)
    rest = REQUEST_BYTES - 16
    whole = ask(
        "ping", x=Raw([f"c6{rest:08x}", f"00*{rest}"], "bin of as many bytes as make 16 MiB")
    )
    v.err("a frame as long as may be is read", whole, "bad_request", field="x")


# Encodings that are longer than they need be, and what they mean.
LONGER = [
    (7, "cc07 cd0007 ce00000007 cf0000000000000007 d007 d10007 d200000007 d30000000000000007"),
    (-1, "d0ff d1ffff d2ffffffff d3ffffffffffffffff"),
    (255, "d100ff"),
    (2**63 - 1, "d37fffffffffffffff"),
    (1.5, "ca3fc00000"),
    ("a", "d90161 da000161 db0000000161"),
    (b"\xff", "c50001ff c600000001ff"),
    ([7], "dc000107 dd0000000107"),
    ({"a": 7}, "de0001a16107 df00000001a16107"),
]
# Values of which the end, or more, is missing.
CUT = """cc cd00 ce000000 cf00000000000000 d0 d100 d2000000 d300000000000000 ca000000 cb00000000000000
    a261 d9 d90261 da00 da000261 db000000 db0000000261 c4 c402ff c500 c50002ff c6000000 c600000002ff
    91 9201 dc00 dc000201 dd000000 dd0000000201 81 81a161 82a16101 de00 de0001a161 df000000 df00000001a161
    dbffffffff c6ffffffff ddffffffff dfffffffff"""
EXTENSIONS = """d40100 d5010000 d60100000000 d7010000000000000000 d80100000000000000000000000000000000
    c7000a c800000a c9000000000a c70101ff d6ff00000000"""


def split(token: str, size: int) -> list[str]:
    """The encoding of many times `a`, its head and its content apart."""
    return [token[: len(token) - 2 * size], *([f"61*{size}"] if size else [])]


def codec(v: Topic) -> None:
    for value in (
        None,
        False,
        True,
        *EDGES,
        1.5,
        -0.25,
        1.0,
        "grüße",
        "a\0b",
        b"a",
        {"a": [1, {"b": [None, b"\0"]}], "c": {}},
    ):
        v.good(shows(value), encode(value), shows(value), encode(value))
    for value, texts in LONGER:
        for text in texts.split():
            v.good(
                f"{shows(value)} as {text[:2]}, longer than it need be",
                [text],
                shows(value),
                encode(value),
            )
    for size in (0, 1, 31, 32, 255, 256, 65535, 65536):
        v.same(f"a str of {size} bytes", split(encode(size * "a")[0], size))
        v.same(f"bin of {size} bytes", split(encode(size * b"a")[0], size))
    for size in (0, 1, 15, 16, 65535, 65536):
        v.same(f"a list of {size}", encode(Repeat(None, size)))
    for size in (0, 1, 15, 16):
        v.same(f"a map of {size}", encode({f"{n:02}": n for n in range(size)}))
    v.same("64 lists in each other", ["91*63", "90"])
    v.same("64 maps in each other", ["81a161*63", "80"])
    for depth in (65, 1000, 1_000_000):
        v.bad(f"{depth} lists in each other are too deep", f"91*{depth - 1} 90")
        v.bad(f"{depth} maps in each other are too deep", f"81a161*{depth - 1} 80")
    v.bad("a byte too many", "c0 00")
    v.bad("the type that msgpack reserves", "c1")
    for text in EXTENSIONS.split():
        v.bad(f"the extension type {text}", text)
    for text in CUT.split():
        v.bad(f"{text} is cut", text)
    for text in "a1ff a2c328 a3eda080 a4f4908080 a2c080 d901ff".split():
        v.bad(f"{text} is a str that is no UTF-8", text)
    v.bad("a key twice", "82 a161 01 a161 02")
    v.bad("a key twice, the second longer encoded", "82 a161 01 d90161 02")
    for text in "07 c0 c3 cb3ff8000000000000 90 80 a1ff".split():
        v.bad(f"{text} is a key that is no text", f"81 {text} 01")


NOWHERE = f"{TOP}/nowhere"
FORBIDDEN = {
    "that leaves the folder": "../folder/one.yaml",
    "that is two dots": "..",
    "with two dots as a part": "deploy/../config.yaml",
    "that ends in two dots": "deploy/..",
    "that is absolute": "/etc/hostname",
    "that is absolute, even inside": f"{REPOSITORY}/config.yaml",
    "with NUL": "config.yaml\0",
    "without a byte": "",
    "with .git": ".git/config",
    "with .git in capitals": ".GIT/config",
    "with .git in both": ".gIt/config",
    "with .git as a short name": "GIT~1/config",
    "with .git and a joiner in it": ".g\u200cit/config",
    "with .git at its end": "deploy/.git",
    "with .git and a blank": ".git /config",
    "with .git and a dot": ".git./config",
    "with .git and a stream": ".git::$INDEX_ALLOCATION/config",
}


def wrong_types(v: Topic, op: str, good: dict[str, Any], wrong: dict[str, list[Any]]) -> None:
    for argument, values in wrong.items():
        for value in values:
            about = f"`{argument}` cannot be {shows(value)}"
            v.err(
                about, {"op": op, "id": 1, **good, argument: value}, "bad_request", field=argument
            )


def missing(v: Topic, op: str, good: dict[str, Any], *arguments: str) -> None:
    for argument in arguments:
        rest = {key: value for key, value in good.items() if key != argument}
        v.err(
            f"`{argument}` is missing", {"op": op, "id": 1, **rest}, "bad_request", field=argument
        )
        v.err(
            f"`{argument}` is nil",
            {"op": op, **good, argument: None},
            "bad_request",
            field=argument,
        )


def no_repository(v: Topic, op: str, rest: dict[str, Any]) -> None:
    """What each operation on a repository answers where there is none."""
    for what, path in (("nothing", NOWHERE), ("a plain folder", FOLDER)):
        v.err(f"{what} is no repository", {"op": op, "path": path, **rest}, "not_found")
    v.err(
        "a path that is not absolute",
        {"op": op, "path": "repository", **rest},
        "bad_request",
        field="path",
    )
    v.err(
        "a repository of a format to come",
        {"op": op, "path": f"{TOP}/future", **rest},
        "unsupported",
        has="feature",
    )


def sync(v: Topic) -> None:
    made, main, side = f"{TOP}/made", id_of("main"), id_of("side")
    oldest = partial(ask, "sync", url=BARE, branch="main", path=made, depth=1)
    v.ok("a clone, as the oldest clients ask for it", oldest(), main)
    v.ok("a second sync of the same", oldest(), main)
    v.ok("without a depth", ask("sync", url=BARE, branch="main", path=made), main)
    v.ok("every history", oldest(depth=0), main)
    v.ok("arguments that are nil are absent", oldest(depth=None, auth=None, submodules=None), main)
    v.ok("another branch in the same clone", oldest(branch="side"), side)
    v.ok("and back, with an id", oldest(id="back"), main)
    v.ok("a clone that is behind", oldest(id=1, path=f"{TOP}/clone"), main)
    v.ok("a bare repository is fetched into", oldest(id=1, path=f"{TOP}/mirror.git"), main)
    v.ok("an address as file://", oldest(url=f"file://{BARE}", path=f"{TOP}/made-by-url"), main)
    latin = oldest(url=f"{TOP}/latin.git", path=f"{TOP}/made-from-latin")
    v.ok("a remote with a branch whose name is no UTF-8", latin, id_of("light"))
    nowhere = partial(oldest, path=f"{TOP}/never")
    v.err("a branch that the remote does not have", nowhere(branch="none"), "not_found")
    v.err("after which nothing is there", ask("files", path=f"{TOP}/never"), "not_found")
    v.err(
        "another origin",
        oldest(path=f"{TOP}/clone", url=REPOSITORY),
        "conflict",
        has="expected actual",
    )
    v.err("a folder that is no repository", oldest(path=FOLDER), "conflict", has="expected actual")
    for url in ("ext::sh -c true", "ftp://example.org/x", "fd::17", "foo://example.org/x"):
        v.err(f"the transport of {url}", nowhere(id=1, url=url), "denied", has="rule")
    good = {"url": BARE, "branch": "main", "path": f"{TOP}/never"}
    wrong: dict[str, list[Any]] = {
        "url": [7],
        "branch": [7, ["main"]],
        "path": [7, "never"],
        "depth": ["1", -1, 1.5, True],
    }
    wrong |= {
        "submodules": [1, "yes"],
        "auth": ["secret", 1, True],
        "known_hosts": [1],
        "ca": [1],
        "ca_file": [1],
        "proxy": [1],
    }
    wrong_types(v, "sync", good, wrong)
    missing(v, "sync", good, "url", "branch", "path")
    for kind, auth in credentials().items():
        v.err(kind, {"op": "sync", "id": 1, **good, "auth": auth}, "bad_request")


def credentials() -> dict[str, Any]:
    return {
        "credentials of no kind": {},
        "credentials that nobody knows": {"cookie": "a"},
        "credentials of two kinds": {"token": "a", "key_file": "/b"},
        "a user without a password": {"user": "a"},
        "a token that is a number": {"token": 1},
        "an agent that is none": {"agent": False},
        "credentials in a list": ["secret"],
        "a token with a passphrase": {"token": "a", "passphrase": "b"},
    }


def files(v: Topic) -> None:
    here = partial(ask, "files", path=REPOSITORY)
    top = [b"caf\xe9.yaml", "config.yaml"]
    v.ok(
        "the definitions of a folder, as the oldest clients ask",
        here(subpath="deploy"),
        ["production.yml", "staging.yaml"],
    )
    v.ok("the top folder; a name that is no UTF-8 is bin", here(subpath=None), top)
    v.ok("without a subpath", here(), top)
    v.ok("a plain folder will do", ask("files", path=FOLDER, subpath=None), ["one.yaml", "two.yml"])
    v.ok("a folder in a plain folder", ask("files", path=FOLDER, subpath="sub"), ["four.yaml"])
    v.ok("an empty repository", ask("files", path=EMPTY), [])
    v.ok("a bare repository as of HEAD", ask("files", path=BARE), top)
    v.ok(
        "a bare repository, a folder of it, with an id",
        ask("files", id=9, path=BARE, subpath="deploy"),
        ["production.yml", "staging.yaml"],
    )
    v.ok("as it was at the beginning", here(rev=id_of("main~4")), ["app.yml", "config.yaml"])
    v.ok("as it was at a tag", here(rev="v1"), ["app.yml", *top])
    everything = [
        "README.md",
        "a..b.txt",
        b"caf\xe9.yaml",
        "config.yaml",
        "empty.txt",
        "image.bin",
        "run.sh",
        "side.txt",
    ]
    v.ok(
        "every file, in byte order, the hidden and the links left out",
        here(pattern="*"),
        everything,
    )
    v.ok("the same in a commit", here(pattern="*", rev="HEAD"), everything)
    v.ok("a pattern as bin", here(pattern=b"*.txt"), ["a..b.txt", "empty.txt", "side.txt"])
    v.ok("a pattern with a choice", here(pattern="{run,side}.*"), ["run.sh", "side.txt"])
    v.ok("a pattern that matches none", here(pattern="*.none"), [])
    deep = ["deploy/nested/deep.yaml", "deploy/production.yml", "deploy/staging.yaml"]
    v.ok("into folders", here(recursive=True), [b"caf\xe9.yaml", "config.yaml", *deep])
    v.ok(
        "into folders of a commit",
        here(recursive=True, rev="main"),
        [b"caf\xe9.yaml", "config.yaml", *deep],
    )
    v.ok(
        "names are relative to the subpath",
        here(recursive=True, subpath="deploy"),
        [name.removeprefix("deploy/") for name in deep],
    )
    v.ok(
        "a pattern with a slash is matched against all of a name",
        here(recursive=True, pattern="deploy/*.yaml"),
        ["deploy/staging.yaml"],
    )
    v.ok(
        "two stars match folders",
        here(recursive=True, pattern="deploy/**/*.yaml"),
        ["deploy/nested/deep.yaml", "deploy/staging.yaml"],
    )
    listed = [
        details("notes.txt", "file", "deploy/notes.txt"),
        details("production.yml", "file", "deploy/production.yml"),
    ]
    listed = [
        details("nested", "folder", "deploy/nested"),
        *listed,
        details("staging.yaml", "file", "deploy/staging.yaml"),
    ]
    v.ok(
        "details of every kind of entry",
        here(subpath="deploy", pattern="*", details=True, rev="HEAD"),
        listed,
    )
    plain = [{key: value for key, value in entry.items() if key != "sha"} for entry in listed]
    v.ok(
        "details from the disk have no id", here(subpath="deploy", pattern="*", details=True), plain
    )
    kinds = [details(name, kind) for name, kind in (("folder-link", "link"), ("link", "link"))]
    v.ok("details of links", here(pattern="*link", details=True, rev="HEAD"), kinds)
    v.ok(
        "details of a program",
        here(pattern="run.sh", details=True, rev="HEAD"),
        [details("run.sh", "file")],
    )
    v.ok(
        "details of a submodule",
        here(pattern="mod*", details=True, rev="odd"),
        [details("module", "submodule", at="odd")],
    )
    v.err("a pattern that is none", here(id=1, pattern="["), "bad_request", field="pattern")
    v.err("a folder that is not there", here(subpath="none"), "not_found")
    v.err("a folder that is not there in a commit", here(subpath="none", rev="HEAD"), "not_found")
    v.err("a rev that is not there", here(rev="none"), "not_found")
    v.err("a rev of an empty repository", ask("files", path=EMPTY, rev="HEAD"), "not_found")
    v.err("a rev of a plain folder", ask("files", path=FOLDER, rev="HEAD"), "not_found")
    v.err("a path that is not there", ask("files", path=NOWHERE), "not_found")
    v.err("a subpath through a link", here(subpath="folder-link"), "denied", has="rule")
    v.err(
        "a subpath through a link to elsewhere",
        ask("files", path=FOLDER, subpath="outside"),
        "denied",
    )
    v.ok("an empty subpath is the top folder", here(subpath=""), top)
    v.ok("a dot is the top folder", here(subpath="."), top)
    for kind, forbidden in FORBIDDEN.items():
        if forbidden not in ("", "."):
            v.err(f"a subpath {kind}", here(id=2, subpath=forbidden), "denied", has="rule")
    wrong: dict[str, list[Any]] = {
        "path": [1, ["/"], "folder"],
        "subpath": [1],
        "rev": [1, True, "main\0"],
        "pattern": [1],
    }
    wrong |= {"recursive": [1, "true"], "details": ["yes"]}
    wrong_types(v, "files", {"path": REPOSITORY}, wrong)
    missing(v, "files", {"path": REPOSITORY}, "path")


def details(name: str, kind: str, file: str | None = None, at: str = "HEAD") -> dict[str, Any]:
    mode, _, sha, size = git("ls-tree", "-l", at, file or name).split("\t")[0].split()
    return {
        "name": name,
        "type": kind,
        "size": 0 if size == "-" else int(size),
        "mode": mode,
        "sha": sha,
    }


def read(v: Topic) -> None:
    here = partial(ask, "read", path=REPOSITORY)
    config = "name: vectors\nsize: 2\n"
    image = b"\0\1\2\xfd\xfe\xff"

    def base64_of(data: str | bytes) -> str:
        return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()

    v.ok("a file, as the oldest clients ask", here(file="config.yaml"), base64_of(config))
    v.ok("a file in a folder", here(file="deploy/notes.txt"), base64_of("Not a definition.\n"))
    v.ok(
        "a plain folder will do",
        ask("read", path=FOLDER, file="sub/four.yaml"),
        base64_of("number: 4\n"),
    )
    v.ok("an empty file", here(file="empty.txt"), "")
    v.ok(
        "a bare repository as of HEAD",
        ask("read", path=BARE, file="config.yaml"),
        base64_of(config),
    )
    v.ok("base64 by name", here(file="image.bin", encoding="base64"), base64_of(image))
    v.ok("as bin", here(id=1, file="image.bin", encoding="binary"), image)
    v.ok(
        "text is bin, too, if bin is wanted",
        here(file="config.yaml", encoding="binary"),
        config.encode(),
    )
    v.ok("as text", here(file="config.yaml", encoding="utf8"), config)
    v.err("as text, what is none", here(id=1, file="image.bin", encoding="utf8"), "invalid")
    v.ok("a name that is no UTF-8", here(file=b"caf\xe9.yaml", encoding="utf8"), "latin: 1\n")
    v.ok(
        "the same in a commit",
        here(file=b"caf\xe9.yaml", encoding="utf8", rev="HEAD"),
        "latin: 1\n",
    )
    v.ok("a name as bin", here(file=b"config.yaml", encoding="utf8"), config)
    v.ok("a hidden file", here(file=".hidden.yaml", encoding="utf8"), "hidden: true\n")
    v.ok("a name that only begins like .git", here(file=".gitignore", encoding="utf8"), "*.log\n")
    v.ok("a name with dots in it", here(file="a..b.txt", encoding="utf8"), "two dots\n")
    revs = {
        "HEAD~4": 1,
        id_of("main~4"): 1,
        id_of("main~4")[:10]: 1,
        "v1": 2,
        "light": 2,
        "refs/heads/main": 2,
        "v1^{commit}~1": 1,
    }
    for rev, size in revs.items():
        v.ok(
            f"as it was at {rev}",
            here(file="config.yaml", rev=rev, encoding="utf8"),
            f"name: vectors\nsize: {size}\n",
        )
    for at in (None, "HEAD"):
        where = "from a commit" if at else "from the disk"
        for offset, length in (
            (0, 4),
            (6, 7),
            (20, 100),
            (0, 0),
            (22, 1),
            (23, 1),
            (2**40, 1),
            (5, None),
            (None, 4),
        ):
            end = None if length is None else (offset or 0) + length
            ranged = here(file="config.yaml", offset=offset, length=length, rev=at, encoding="utf8")
            v.ok(
                f"{shows(length)} bytes at {shows(offset)} {where}",
                ranged,
                config[offset or 0 : end],
            )
    v.ok("a range in base64", here(file="image.bin", offset=2, length=2), base64_of(image[2:4]))
    v.err(
        "a range that cuts a character is no text",
        here(file="image.bin", offset=3, length=1, encoding="utf8"),
        "invalid",
    )
    several = ["config.yaml", "none.yaml", "image.bin", "config.yaml"]
    found = [
        {"file": "config.yaml", "content": config.encode()},
        {"file": "none.yaml", "err": "", "code": "not_found"},
    ]
    found += [
        {"file": "image.bin", "content": image},
        {"file": "config.yaml", "content": config.encode()},
    ]
    for at in (None, "HEAD"):
        v.ok(
            f"many files at {shows(at)}, in the order asked",
            here(files=several, encoding="binary", rev=at),
            found,
        )
    v.ok(
        "many files in base64",
        here(files=["image.bin"]),
        [{"file": "image.bin", "content": base64_of(image)}],
    )
    v.ok(
        "many files with a range",
        here(files=["image.bin"], offset=1, length=2, encoding="binary"),
        [{"file": "image.bin", "content": image[1:3]}],
    )
    odd = [b"caf\xe9.yaml", "deploy", "../x", "link"]
    codes = ["bad_request", "denied", "denied"]
    refused = [
        {"file": file, "err": "", "code": code} for file, code in zip(odd[1:], codes, strict=True)
    ]
    v.ok(
        "each of many files has its own error",
        here(files=odd, encoding="binary"),
        [{"file": odd[0], "content": b"latin: 1\n"}, *refused],
    )
    v.ok("no file at all", here(files=[]), [])
    v.err("file and files", here(id=1, file="run.sh", files=["run.sh"]), "bad_request")
    v.err("neither file nor files", here(id=1), "bad_request")
    v.err("a folder", here(id=1, file="deploy"), "bad_request")
    v.err("a folder of a commit", here(file="deploy", rev="HEAD"), "bad_request")
    v.err("a submodule", here(id=1, file="module", rev="odd"), "unsupported")
    v.err("a file that is not there", here(id=1, file="none"), "not_found")
    v.err("a file that is not there in a commit", here(file="none", rev="HEAD"), "not_found")
    v.err("a file as a folder", here(file="run.sh/none", rev="HEAD"), "not_found")
    v.err("a rev that is not there", here(file="run.sh", rev="none"), "not_found")
    v.err(
        "a rev of a plain folder",
        ask("read", path=FOLDER, file="one.yaml", rev="HEAD"),
        "not_found",
    )
    v.err("a path that is not there", ask("read", path=NOWHERE, file="one.yaml"), "not_found")
    v.err(
        "a damaged blob",
        ask("read", path=f"{TOP}/corrupt", file="README.md", rev="HEAD"),
        "corrupt",
    )
    v.ok(
        "and its sound neighbour",
        ask("read", path=f"{TOP}/corrupt", file="sound.txt", rev="HEAD", encoding="utf8"),
        "sound\n",
    )
    for at in (None, "HEAD"):
        v.err(f"a link at {shows(at)}", here(id=1, file="link", rev=at), "denied", has="rule")
    v.err("a name through a link", here(file="folder-link/staging.yaml"), "denied", has="rule")
    v.err(
        "a name through a link to elsewhere",
        ask("read", path=FOLDER, file="outside/hostname"),
        "denied",
    )
    for at in (None, "HEAD"):
        for kind, forbidden in FORBIDDEN.items():
            about = f"a name {kind}" + (", in a commit" if at else "")
            v.err(about, here(id=2, file=forbidden, rev=at), "denied", has="rule")
    good = {"path": REPOSITORY, "file": "run.sh"}
    wrong: dict[str, list[Any]] = {
        "path": [1, "repository"],
        "file": [1, ["run.sh"]],
        "rev": [1],
        "encoding": [0, 1, "hex", ["binary"], {"binary": None}],
    }
    wrong |= {"offset": [-1, "0", 1.0], "length": [-1, "1"]}
    wrong_types(v, "read", good, wrong)
    wrong_types(v, "read", {"path": REPOSITORY}, {"files": ["run.sh", 1]})
    v.err("`files` cannot have a number in it", here(files=[1]), "bad_request")
    missing(v, "read", good, "path")


def head(v: Topic) -> None:
    v.ok("as the oldest clients ask", ask("head", path=REPOSITORY), head_of(REPOSITORY))
    v.ok("a bare repository, with an id", ask("head", id="h", path=BARE), head_of(BARE))
    v.ok("a path as bin", ask("head", path=REPOSITORY.encode()), head_of(REPOSITORY))
    v.err("an unborn HEAD", ask("head", id=1, path=EMPTY), "not_found")
    no_repository(v, "head", {})
    wrong_types(v, "head", {}, {"path": [1, ["/"]]})
    both = ask("head", id=1, path=REPOSITORY, workspace="a")
    v.err("a path and a workspace", both, "bad_request", field="workspace")
    no_workspaces(v, "head", {})
    missing(v, "head", {"path": REPOSITORY}, "path")


def head_of(path: str) -> dict[str, Any]:
    (commit,) = commits("-1", "HEAD", at=path)
    author = commit["author"]
    told = {"sha": commit["sha"], "author": author["name"], "email": author["email"]}
    return told | {"message": commit["message"], "timestamp": commit["committer"]["time"]}


def checkout(v: Topic) -> None:
    here = partial(ask, "checkout", path=f"{TOP}/work")
    first, main = id_of("main~4"), id_of("main")
    v.ok("a commit, as the oldest clients ask", here(sha=first), first)
    v.ok(
        "which HEAD then is",
        ask("read", path=f"{TOP}/work", file="config.yaml", encoding="utf8"),
        "name: vectors\nsize: 1\n",
    )
    v.ok("a rev that names a commit", here(id=1, sha="v1~1"), id_of("v1~1"))
    v.ok("an annotated tag is the commit it names", here(sha="v1"), id_of("v1^{commit}"))
    v.ok("back again: no branch has moved", here(sha="main"), main)
    fenced(v, f"{TOP}/work", here(sha="main"), main)
    v.err("a commit that is not there", here(id=1, sha=40 * "1"), "not_found")
    v.err("a name that is not there", here(id=1, sha="none"), "not_found")
    v.err("a rev that names no commit", here(id=1, sha="HEAD:config.yaml"), "bad_request")
    v.err("a bare repository", ask("checkout", path=BARE, sha="main"), "unsupported", has="feature")
    v.err("an empty repository", ask("checkout", path=EMPTY, sha="HEAD"), "not_found")
    no_repository(v, "checkout", {"sha": "main"})
    good = {"path": f"{TOP}/work", "sha": "main"}
    wrong_types(v, "checkout", good, {"path": [1], "sha": [1, ["main"], "main\0", "main^{none}"]})
    missing(v, "checkout", good, "path", "sha")


def lsremote(v: Topic) -> None:
    here = partial(ask, "lsremote", url=BARE)
    v.ok("a branch, as the oldest clients ask", here(branch="main"), id_of("main"))
    v.ok("a branch by its full name", here(id=1, branch="refs/heads/side"), id_of("side"))
    v.ok("a tag by its full name", here(id=1, branch="refs/tags/light"), id_of("light"))
    v.ok("an annotated tag has the id of the tag", here(branch="refs/tags/v1"), id_of("v1"))
    v.has(
        "every ref",
        here(branch=None),
        "HEAD refs/heads/main refs/heads/odd refs/heads/side refs/tags/light refs/tags/v1",
    )
    v.has("every ref, without a branch, with an id", here(id=1), "refs/heads/main")
    v.ok("the refs of an empty repository", ask("lsremote", url=EMPTY), {})
    v.ok("an address as file://", here(url=f"file://{BARE}", branch="main"), id_of("main"))
    v.err(
        "a branch whose name is no UTF-8",
        ask("lsremote", url=f"{TOP}/latin.git", branch=b"refs/heads/caf\xe9"),
        "unsupported",
        has="feature",
    )
    v.err(
        "every ref, a name that is no UTF-8 among them",
        ask("lsremote", url=f"{TOP}/latin.git"),
        "unsupported",
        has="feature",
    )
    v.err("a branch that is not there", here(id=1, branch="none"), "not_found")
    for url in ("ext::sh -c true", "ftp://example.org/x", "foo://example.org/x"):
        v.err(f"the transport of {url}", ask("lsremote", id=1, url=url), "denied", has="rule")
    wrong: dict[str, list[Any]] = {
        "url": [7],
        "branch": [7],
        "auth": ["secret"],
        "known_hosts": [1],
        "ca": [1],
        "ca_file": [1],
        "proxy": [1],
    }
    wrong_types(v, "lsremote", {"url": BARE}, wrong)
    missing(v, "lsremote", {"url": BARE}, "url")
    for kind, auth in credentials().items():
        v.err(kind, here(id=1, auth=auth), "bad_request")


def push(v: Topic) -> None:
    taking, main, parent, side = TAKING, id_of("main"), id_of("main~1"), id_of("side")
    here = partial(ask, "push", path=REPOSITORY, url=taking)

    def moved(name: str, old: str | None, new: str | None, status: str) -> dict[str, Any]:
        return {"refs": [{"ref": name, "from": old, "to": new, "status": status}]}

    main_to = partial(dict, {"from": "main"})
    is_new = [main_to(to="new", expect=None)]
    v.ok(
        "a branch that must not exist yet",
        here(refs=is_new),
        moved("refs/heads/new", None, main, "created"),
    )
    v.err("and now exists", here(id=1, refs=is_new), "conflict", has="expected actual reason refs")
    same = [main_to(to="refs/heads/new")]
    v.ok(
        "a branch that is there already",
        here(id=1, refs=same),
        moved("refs/heads/new", main, main, "up_to_date"),
    )
    back = [{"from": "main~1", "to": "new"}]
    v.err("what does not follow", here(id=1, refs=back), "conflict", has="reason refs")
    back = [{**back[0], "force": True, "expect": main}]
    v.ok(
        "by force, if it is as expected",
        here(refs=back),
        moved("refs/heads/new", main, parent, "forced"),
    )
    v.err(
        "if it is not as expected",
        here(id=1, refs=back),
        "conflict",
        has="expected actual reason refs",
    )
    v.ok(
        "forward", here(refs=[main_to(to="new")]), moved("refs/heads/new", parent, main, "updated")
    )
    two = [main_to(to="new", expect=side), main_to(to="newer")]
    v.err(
        "two, of which one cannot move",
        here(refs=two),
        "conflict",
        has="expected actual reason refs",
    )
    each = [
        {
            "ref": "refs/heads/new",
            "from": main,
            "to": main,
            "status": "rejected",
            "reason": "expected",
        },
        {"ref": "refs/heads/newer", "from": None, "to": main, "status": "created"},
    ]
    v.ok("two, each by itself", here(id=1, refs=two, atomic=False), {"refs": each})
    for name in ("new", "newer"):
        gone = [{"from": None, "to": name}]
        v.ok(
            f"{name} is deleted",
            here(refs=gone),
            moved(f"refs/heads/{name}", main, None, "deleted"),
        )
        v.err(f"{name} is not there any more", here(refs=gone), "not_found", has="reason refs")
    v.err("a rev without a name for it there", here(refs=[{"from": "main~1"}]), "not_found")
    v.err("a rev that is not there", here(refs=[{"from": "none", "to": "new"}]), "not_found")
    v.err("two places to push to", here(remote="origin", refs=same), "bad_request", field="url")
    v.err(
        "a remote that is not there",
        ask("push", path=REPOSITORY, remote="none", refs=same),
        "not_found",
    )
    for url in ("ext::sh -c true", "ftp://example.org/x"):
        v.err(f"the transport of {url}", here(id=1, url=url, refs=same), "denied", has="rule")
    good = {"path": REPOSITORY, "url": taking, "refs": same}
    wrong: dict[str, list[Any]] = {
        "path": [7, "repository"],
        "url": [7],
        "remote": [7],
        "refs": [7, "main", []],
        "atomic": [1, "yes"],
        "auth": ["secret"],
        "known_hosts": [1],
        "ca": [1],
        "ca_file": [1],
        "proxy": [1],
    }
    wrong_types(v, "push", good, wrong)
    missing(v, "push", good, "path", "refs")
    no_repository(v, "push", {"url": taking, "refs": same})
    mistakes = {
        "neither a rev nor a name": {},
        "a name that cannot be one": main_to(to="a..b"),
        "HEAD of another repository": main_to(to="HEAD"),
        "an expectation that is no id": main_to(expect="main"),
        "a file as a branch": {"from": "main:README.md", "to": "new"},
    }
    for about, mistake in mistakes.items():
        v.err(about, here(id=1, refs=[mistake]), "bad_request", field="refs[0]")
    v.err("one ref twice", here(id=1, refs=[*same, *same]), "bad_request", field="refs[1]")
    unknown = here(id=1, refs=[main_to(forse=True)])
    v.err(
        "an argument of a ref that nobody knows",
        unknown,
        "bad_request",
        field="refs[0].forse",
        nearest="force",
    )
    fenced_push(v, here, taking)


def fenced_push(v: Topic, here: Callable[..., dict[str, Any]], taking: str) -> None:
    held = {"lock": "push", "token": 1}
    refs = [{"from": "main", "to": "fenced"}]
    no = "expected actual"
    v.err(
        "a fence of a lock that nobody holds there", here(refs=refs, fence=held), "conflict", has=no
    )
    far = {"path": REPOSITORY, "url": taking, "name": "push"}
    v.has("a lock for the fence", ask("lock", **far, owner="ada", ttl_ms=DAY), "token")
    created = {"ref": "refs/heads/fenced", "from": None, "to": id_of("main"), "status": "created"}
    v.ok("a fence that holds", here(id=1, refs=refs, fence=held), {"refs": [created]})
    other = {**held, "token": 2}
    v.err("a fence with another token", here(refs=refs, fence=other), "conflict", has=no)
    each = here(refs=refs, fence=held, atomic=False)
    v.err("a fence for each by itself", each, "bad_request", field="atomic")
    itself = [{"from": "main", "to": "refs/gitvan/locks/push"}]
    v.err("the lock of the fence", here(refs=itself, fence=held), "bad_request", field="refs")
    released = {"name": "push", "token": 1, "owner": "ada"}
    v.ok("the lock is let go", ask("unlock", **far, token=1), released)
    v.err("a fence that is over", here(id=1, refs=refs, fence=held), "conflict", has=no)
    wrong: dict[str | None, list[Any]] = {
        None: [{}, {"token": 1}, {"lock": "push"}],
        "fence.token": [held | {"token": "1"}, held | {"token": -1}],
        "fence.lock": [held | {"lock": ""}],
    }
    wrong_parts(v, here(refs=refs), "fence", wrong)


def log(v: Topic) -> None:
    here = partial(ask, "log", path=REPOSITORY)

    def page(*arguments: str, more: bool = False) -> dict[str, Any]:
        found = commits(*arguments)
        return {"commits": found, "next": found[-1]["sha"] if more else None}

    v.ok("all of HEAD", here(), page("HEAD"))
    v.ok("a bare repository, with an id", ask("log", id=1, path=BARE), page("HEAD"))
    v.ok("a branch", here(range="side"), page("side"))
    v.ok("an author in Latin-1 is bin", here(range="odd", limit=1), page("-1", "odd", more=True))
    v.ok("what one has and the other has not", here(range="v1..main"), page("v1..main"))
    v.ok("what only one of two has", here(range="v1...side"), page("v1...side"))
    v.ok(
        "nothing between a commit and itself",
        here(range="main..main"),
        {"commits": [], "next": None},
    )
    v.ok("the first two", here(limit=2), page("-2", more=True))
    v.ok(
        "the two after them",
        here(limit=2, after=id_of("main~1")),
        page("-2", "--skip=2", more=True),
    )
    v.ok(
        "the last ones", here(limit=2, after=commits("--skip=3", "-1")[0]["sha"]), page("--skip=4")
    )
    v.ok("a limit that is met exactly", here(limit=6), page())
    v.ok("a file", here(paths=["config.yaml"]), page("--", "config.yaml"))
    v.ok("a folder or a file", here(paths=["deploy", "side.txt"]), page("--", "deploy", "side.txt"))
    v.ok("a name that is no UTF-8", here(paths=[b"caf\xe9.yaml"]), page("-1", "main~3"))
    v.ok("a file that never was", here(paths=["none"]), {"commits": [], "next": None})
    v.err("an unborn HEAD", ask("log", path=EMPTY), "not_found")
    v.err("a rev that is not there", here(id=1, range="none"), "not_found")
    v.err("half of a range that is not there", here(id=1, range="main..none"), "not_found")
    v.err("after a commit that is not there", here(id=1, after=40 * "1"), "not_found")
    v.err("a rev that names no commit", here(id=1, range="HEAD:config.yaml"), "bad_request")
    no_repository(v, "log", {})
    forbidden_paths(v, "log")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "range": [1, "main\0", "main^{none}"],
        "paths": ["config.yaml", 1],
        "limit": [0, 10001, -1, "1"],
        "after": [1],
    }
    wrong_types(v, "log", {"path": REPOSITORY}, wrong)
    missing(v, "log", {"path": REPOSITORY}, "path")


def forbidden_paths(v: Topic, op: str) -> None:
    for kind in (
        "with two dots as a part",
        "that is absolute",
        "without a byte",
        "with NUL",
        "with .git",
    ):
        v.err(
            f"a path {kind}",
            {"op": op, "path": REPOSITORY, "paths": ["run.sh", FORBIDDEN[kind]]},
            "denied",
            has="rule",
        )


def diff(v: Topic) -> None:
    here = partial(ask, "diff", path=REPOSITORY)
    v.ok("a commit and the next", here(range="main~4..main~3"), difference("main~4", "main~3"))
    v.ok(
        "a file with another name, a file that is gone",
        here(id=1, range="main~1..main"),
        difference("main~1", "main"),
    )
    v.ok("from where they parted", here(range="side...v1"), difference("side...v1"))
    v.ok("a bare repository", here(path=BARE, range="v1..main"), difference("v1", "main"))
    v.ok("a range as bin", here(range=b"v1..main"), difference("v1", "main"))
    v.ok("a commit and itself", here(range="main..main"), difference("main", "main"))
    v.ok("a worktree without changes", here(), difference("main", "main"))
    v.ok("one rev against the worktree", here(range="main"), difference("main", "main"))
    v.ok(
        "some files",
        here(range="main~4..main", paths=["config.yaml", "side.txt"]),
        difference("main~4", "main", "--", "config.yaml", "side.txt"),
    )
    v.ok(
        "a folder",
        here(range="main~4..main", paths=["deploy"]),
        difference("main~4", "main", "--", "deploy"),
    )
    for context in (3, 0):
        asked = here(range="main~3..main~2", patch=True, context=context)
        patch = git("diff", f"-U{context}", "main~3", "main~2") + "\n"
        v.ok(
            f"a patch with {context} lines around",
            asked,
            difference("main~3", "main~2") | {"patch": patch},
        )
    whole = differences("main~4", "main")
    for after, entries in ((None, whole[:2]), (whole[1]["file"], whole[2:4])):
        asked = here(range="main~4..main", limit=2, after=after)
        counts = {key: sum(entry[key] for entry in entries) for key in ("insertions", "deletions")}
        v.ok(
            f"two after {shows(after)}",
            asked,
            {"entries": entries, **counts, "next": entries[-1]["file"]},
        )
    paths = ["README.md", "added.txt", "config.yaml", "deploy", "side.txt"]
    changes = worktree_difference(f"{TOP}/dirty", *paths)
    v.ok(
        "a worktree with changes, staged or not",
        ask("diff", path=f"{TOP}/dirty", paths=paths),
        changes,
    )
    changes = worktree_difference(f"{TOP}/merging", "file.txt")
    v.ok("a worktree with a conflict", ask("diff", path=f"{TOP}/merging"), changes)
    everything = ask("diff", path=f"{TOP}/dirty")
    v.has("a worktree with a change of type", everything, "entries insertions deletions next")
    v.ok(
        "an empty repository",
        ask("diff", path=EMPTY),
        {"entries": [], "insertions": 0, "deletions": 0, "next": None},
    )
    v.err("a rev that is not there", here(id=1, range="none..main"), "not_found")
    no_repository(v, "diff", {})
    forbidden_paths(v, "diff")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "range": [1],
        "paths": ["config.yaml", 1],
        "patch": [1, "yes"],
    }
    wrong |= {"context": [-1, "3"], "limit": [0, -1, "1"], "after": [1]}
    wrong_types(v, "diff", {"path": REPOSITORY}, wrong)
    missing(v, "diff", {"path": REPOSITORY}, "path")


def status(v: Topic) -> None:
    dirty = partial(ask, "status", path=f"{TOP}/dirty")
    states = [
        ("README.md", "modified", "modified"),
        ("added.txt", "added", None),
        ("config.yaml", None, "modified"),
    ]
    states += [
        ("deploy/notes.txt", "deleted", None),
        ("empty.txt", None, "type_changed"),
        ("side.txt", None, "deleted"),
    ]
    entries = [
        {"file": file, "index": index, "worktree": worktree} for file, index, worktree in states
    ]
    untracked = {"file": "untracked.txt", "index": None, "worktree": "untracked"}
    ignored = {"file": "debug.log", "index": None, "worktree": "ignored"}
    told = {"branch": "main", "head": id_of("main"), "next": None}
    v.ok("nothing to tell", ask("status", path=REPOSITORY), {**told, "entries": []})
    v.ok(
        "what changed in the index and in the worktree",
        dirty(),
        {**told, "entries": [*entries, untracked]},
    )
    v.ok("without what is untracked", dirty(id=1, untracked=False), {**told, "entries": entries})
    both = [*entries[:3], ignored, *entries[3:], untracked]
    v.ok("with what is ignored", dirty(ignored=True), {**told, "entries": both})
    v.ok("some files", dirty(paths=["config.yaml", "deploy"]), {**told, "entries": entries[2:4]})
    v.ok("the first two", dirty(limit=2), {**told, "entries": entries[:2], "next": "added.txt"})
    v.ok(
        "the ones after them",
        dirty(after="added.txt"),
        {**told, "entries": [*entries[2:], untracked]},
    )
    v.ok("a limit that is met exactly", dirty(limit=7), {**told, "entries": [*entries, untracked]})
    conflicted = {"file": "file.txt", "index": None, "worktree": "conflicted"}
    merging = {
        "branch": "main",
        "head": id_of("main", f"{TOP}/merging"),
        "entries": [conflicted],
        "next": None,
    }
    v.ok("a conflict", ask("status", path=f"{TOP}/merging"), merging)
    empty = {"branch": "main", "head": None, "entries": [], "next": None}
    v.ok("an empty repository", ask("status", path=EMPTY), empty)
    v.err("a bare repository", ask("status", id=1, path=BARE), "unsupported", has="feature")
    no_repository(v, "status", {})
    forbidden_paths(v, "status")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "paths": ["config.yaml", 1],
        "untracked": [1],
        "ignored": ["no"],
    }
    wrong |= {"limit": [0, -1, "1"], "after": [1]}
    wrong_types(v, "status", {"path": REPOSITORY}, wrong)
    missing(v, "status", {"path": REPOSITORY}, "path")


MAKER = {"name": "Ada Lovelace", "email": "ada@example.org", "time": 1_700_000_000, "offset": 60}
ZEROS = 40 * "0"


def object_id(kind: str, content: str) -> str:
    data = content.encode()
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).hexdigest()


def commit(v: Topic) -> None:
    at = f"{TOP}/commit.git"
    who = {"author": MAKER, "committer": MAKER}
    here = partial(ask, "commit", path=at, message="said\n", **who)
    main = id_of("main")
    one = {"file": "one.txt", "content": b"one\n"}
    first = committed(main, {"one.txt": ("100644", b"one\n")})
    v.ok("a new file", here(changes=[one]), first)
    v.err("the same once more", here(id=1, changes=[one]), "conflict", has="expected actual")
    second = committed(first["commit"], {})
    v.ok("a commit that changes nothing", here(changes=[], empty=True), second)
    script = {"file": "a/run", "content": "cnVuCg==", "mode": "100755"}
    several = [script, {"file": "run.sh", "delete": True}, {"file": "one.txt", "rename": "two.txt"}]
    several += [{"file": "link", "mode": "120000", "content": b"a/run"}]
    third = committed(
        second["commit"],
        {
            "a/run": ("100755", b"run\n"),
            "run.sh": None,
            "one.txt": None,
            "two.txt": ("100644", b"one\n"),
            "link": ("120000", b"a/run"),
        },
    )
    v.ok("several changes of all kinds", here(id=1, changes=several), third)
    alone = {"file": "a/run", "mode": "100644"}
    fourth = committed(third["commit"], {"a/run": ("100644", b"run\n")})
    v.ok("a mode alone", here(changes=[alone], expect=third["commit"]), fourth)
    text = {"file": "text.txt", "content": "grüße\n"}
    v.err(
        "a branch is elsewhere",
        here(id=1, changes=[one], expect=main),
        "conflict",
        has="expected actual",
    )
    v.err(
        "a branch is there",
        here(id=1, changes=[one], expect=ZEROS),
        "conflict",
        has="expected actual",
    )
    fifth = committed(fourth["commit"], {"text.txt": ("100644", "grüße\n".encode())})
    v.ok("text", here(changes=[text], encoding="utf8"), fifth)
    root = committed(None, {"one.txt": ("100644", b"one\n")})
    v.ok("a branch that begins", here(branch="new", changes=[one], expect=ZEROS), root)
    soon = committed(root["commit"], {"two.txt": ("100644", b"two\n")})
    two = {"file": "two.txt", "content": b"two\n"}
    relaxed = here(branch="new", changes=[two], durability="relaxed")
    v.ok("relaxed", relaxed, soon | {"durability": "relaxed"})
    staged = {
        "config.yaml": ("100644", b"changed\n"),
        "new.txt": ("100644", b"new\n"),
        "side.txt": None,
    }
    everything = here(path=f"{TOP}/stage", all=True)
    v.ok("all of a worktree", everything, committed(main, staged))
    v.ok(
        "which is then clean",
        ask("status", path=f"{TOP}/stage"),
        {"branch": "main", "head": committed(main, staged)["commit"], "entries": [], "next": None},
    )
    v.err("all of it again", everything | {"id": 1}, "conflict", has="expected actual")
    v.err("all of a bare repository", here(id=1, all=True), "bad_request", field="all")
    with_key(v, here, one)
    fenced(
        v,
        at,
        here(branch="fenced", changes=[one]),
        committed(None, {"one.txt": ("100644", b"one\n")}),
    )
    signing(v, here(branch="signed", changes=[one]))
    wrong_changes(v, here)
    no_repository(v, "commit", {"message": "said", "changes": [one]})
    good = {"path": at, "message": "said", "changes": [one]}
    v.err(
        "a message that is no UTF-8",
        ask("commit", id=1, **good | {"message": b"\xff"}),
        "bad_request",
        field="message",
    )
    v.err("neither changes nor all", here(id=1), "bad_request", field="changes")
    v.err("changes and all", here(id=1, changes=[one], all=True), "bad_request", field="changes")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "branch": [1, "a..b"],
        "message": [1],
        "message_encoding": ["", "a b"],
    }
    wrong |= {
        "changes": [1, {}],
        "all": [1],
        "encoding": ["hex"],
        "expect": [1, "main"],
        "empty": ["yes"],
    }
    wrong |= {
        "author": ["Ada", {"name": "", "email": ""}],
        "committer": [{"name": "a\n", "email": ""}],
        "durability": ["fast"],
    }
    wrong_types(v, "commit", good, wrong | {"key": [1, "", 201 * "a"]})
    missing(v, "commit", good, "path", "message")


def committed(parent: str | None, changes: dict[str, tuple[str, bytes] | None]) -> dict[str, str]:
    """What stock git makes of the same; it keeps its objects to be built upon."""
    person = {"NAME": "Ada Lovelace", "EMAIL": "ada@example.org", "DATE": "1700000000 +0100"}
    alone = os.environ | {
        f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in person.items()
    }
    alone |= {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_DIR": f"{SCRATCH.name}/git",
    }
    alone["GIT_INDEX_FILE"] = f"{SCRATCH.name}/index"

    def run(*arguments: str, content: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], check=True, input=content, capture_output=True, env=alone
        )
        return done.stdout.decode().strip()

    if not Path(alone["GIT_DIR"]).exists():
        run("clone", "-q", "--bare", "--template=", BARE, alone["GIT_DIR"])
    run("read-tree", parent or "--empty")
    lines = []
    for file, entry in changes.items():
        mode, blob = "0", ZEROS
        if entry is not None:
            mode, content = entry
            blob = run("hash-object", "-w", "--stdin", content=content)
        lines.append(f"{mode} {blob}\t{file}\n")
    run("update-index", "--index-info", content="".join(lines).encode())
    tree = run("write-tree")
    parents = ["-p", parent] if parent else []
    return {"commit": run("commit-tree", *parents, tree, content=b"said\n"), "tree": tree}


def with_key(v: Topic, here: Callable[..., dict[str, Any]], change: dict[str, Any]) -> None:
    made = committed(None, {"one.txt": ("100644", b"one\n")})
    keyed = here(branch="keyed", changes=[change], expect=ZEROS, key="order 7")
    v.ok("a commit with a key", keyed, made)
    v.ok("the same request is answered again", keyed | {"id": 1, "timeout_ms": 60_000}, made)
    spelled = keyed | {"changes": [change | {"content": "b25lCg=="}]}
    v.ok("however its content is encoded", spelled, made)
    v.ok("and relaxed", keyed | {"durability": "relaxed"}, made | {"durability": "relaxed"})
    other = keyed | {"id": 1, "message": "other"}
    v.err("another request with that key", other, "conflict", has="expected actual")
    refused = here(id=1, branch="keyed", changes=[change], key="order 8")
    v.err("a request that is refused", refused, "conflict", has="expected actual")
    after = committed(made["commit"], {"two.txt": ("100644", b"two\n")})
    two = {"file": "two.txt", "content": b"two\n"}
    v.ok("leaves its key free", here(branch="keyed", changes=[two], key="order 8"), after)


def wrong_changes(v: Topic, here: Callable[..., dict[str, Any]]) -> None:
    text = {"file": "new.txt", "content": b"new\n"}
    for about, change in {
        "a change without anything": {"file": "new.txt"},
        "content and delete": text | {"delete": True},
        "content and rename": text | {"rename": "other.txt"},
        "a deletion with a mode": {"file": "link", "delete": True, "mode": "100644"},
        "a mode there is not": text | {"mode": "100600"},
        "content that is no base64": text | {"content": "new!"},
        "a folder": {"file": "deploy", "content": b""},
        "below a file": {"file": "README.md/new", "content": b""},
        "a change of an unknown kind": text | {"copy": "other.txt"},
    }.items():
        v.err(about, here(id=1, changes=[change]), "bad_request")
    v.err("one file twice", here(id=1, changes=[text, text]), "bad_request", field="changes")
    for about, change in {
        "deleting what is not there": {"file": "none", "delete": True},
        "renaming what is not there": {"file": "none", "rename": "other"},
        "the mode of what is not there": {"file": "none", "mode": "100755"},
    }.items():
        v.err(about, here(id=1, changes=[change]), "not_found")
    taken = {"file": "config.yaml", "rename": "README.md"}
    v.err("a name that is not free", here(id=1, changes=[taken]), "already_exists")
    for name in ("../a", "/a", "", ".git/config", "a/.GIT/b", "a//b", "a/./b"):
        v.err(f"the name {shows(name)}", here(id=1, changes=[text | {"file": name}]), "denied")


def fenced(v: Topic, path: str, request: dict[str, Any], value: Any | None = None) -> None:
    """A change that is done only while a lock is held; without a `value` its keys do not matter."""
    name = f"fence/{request['op']}"
    held = {"lock": name, "token": 1}
    none = request | {"id": 1, "fence": {"lock": "none", "token": 1}}
    v.err("a fence of a lock that nobody holds", none, "conflict", has="expected actual")
    lease = {"name": name, "token": 1, "owner": "ada", "shared": False, "expires_in_ms": DAY}
    v.ok("a lock for the fence", ask("lock", path=path, name=name, owner="ada", ttl_ms=DAY), lease)
    other = request | {"id": 1, "fence": held | {"token": 2}}
    v.err("a fence with another token", other, "conflict", has="expected actual")
    if value is None:
        v.talk("a fence that holds", [request | {"fence": held}], [[("code", "ok")]])
    else:
        v.ok("a fence that holds", request | {"fence": held}, value)
    v.ok(
        "the lock is let go",
        ask("unlock", path=path, name=name, token=1),
        {"name": name, "token": 1, "owner": "ada"},
    )
    v.err(
        "a fence that does not hold any more",
        request | {"id": 1, "fence": held},
        "conflict",
        has="expected actual",
    )
    rest = {key: value for key, value in request.items() if key != "op"}
    wrong_types(v, request["op"], rest, {"fence": [1, "fence"]})
    wrong: dict[str | None, list[Any]] = {
        None: [{}, {"token": 1}, {"lock": name}],
        "fence.token": [held | {"token": "1"}, held | {"token": -1}],
        "fence.lock": [held | {"lock": ""}, held | {"lock": 201 * "a"}],
        "fence.owner": [held | {"owner": "ada"}],
    }
    wrong_parts(v, request, "fence", wrong)


def wrong_parts(
    v: Topic, request: dict[str, Any], argument: str, wrong: dict[str | None, list[Any]]
) -> None:
    """What is wrong inside of an argument that is a map."""
    for field, values in wrong.items():
        for value in values:
            about = f"`{argument}` cannot be {shows(value)}"
            bad = request | {"id": 1, argument: value}
            v.err(about, bad, "bad_request", **({"field": field} if field else {}))


def signing(v: Topic, request: dict[str, Any]) -> None:
    """What cannot sign; that what can is accepted by git is for suites, which make keys."""
    no_key = {"key": "no key\n"}
    v.err("a text that is no key", request | {"id": 1, "sign": no_key}, "unauthorized")
    file = {"key_file": f"{REPOSITORY}/README.md"}
    v.err("a file that is no key", request | {"id": 1, "sign": file}, "unauthorized")
    v.err(
        "a file that is not there", request | {"id": 1, "sign": {"key_file": NOWHERE}}, "not_found"
    )
    agent = {"agent": True, "socket": NOWHERE}
    v.err("an agent that is not there", request | {"id": 1, "sign": agent}, "unavailable")
    rest = {key: value for key, value in request.items() if key != "op"}
    wrong_types(v, request["op"], rest, {"sign": [1, "key", []]})
    two = no_key | file
    wrong: dict[str | None, list[Any]] = {
        "sign": [
            {},
            {"agent": False},
            two,
            no_key | {"socket": NOWHERE},
            agent | {"passphrase": "a"},
        ],
        "sign.key": [{"key": 1}],
        "sign.key_file": [{"key_file": "relative"}],
        "sign.public_key": [agent | {"public_key": "no key"}],
        "sign.user": [no_key | {"user": "git"}],
    }
    wrong_parts(v, request, "sign", wrong)


def branch(v: Topic) -> None:
    here = partial(ask, "branch", path=f"{TOP}/branch.git")
    main, side, first = id_of("main"), id_of("side"), id_of("main~4")
    v.ok("where HEAD is", here(branch="new"), {"branch": "new", "commit": main, "was": None})
    v.ok(
        "at a rev",
        here(id=1, branch="a/b", **{"from": "v1"}),
        {"branch": "a/b", "commit": id_of("v1^{}"), "was": None},
    )
    v.err("one that is there", here(id=1, branch="new"), "already_exists")
    v.ok(
        "moved",
        here(branch="new", force=True, **{"from": "side"}),
        {"branch": "new", "commit": side, "was": main},
    )
    v.err(
        "it is elsewhere", here(id=1, branch="new", expect=main), "conflict", has="expected actual"
    )
    v.err("it is there", here(id=1, branch="new", expect=ZEROS), "conflict", has="expected actual")
    moved = here(branch="new", expect=side, **{"from": first})
    v.ok("moved from where it is expected", moved, {"branch": "new", "commit": first, "was": side})
    v.ok(
        "renamed",
        here(branch="new", rename="old"),
        {"branch": "old", "commit": first, "was": first},
    )
    v.err("renamed to one that is there", here(id=1, branch="old", rename="a/b"), "already_exists")
    v.ok(
        "removed", here(branch="old", delete=True), {"branch": "old", "commit": None, "was": first}
    )
    v.err("removed twice", here(id=1, branch="old", delete=True), "not_found")
    v.err(
        "the branch that HEAD is on", here(id=1, branch="main", delete=True), "denied", has="rule"
    )
    v.err("below another one", here(id=1, branch="main/x"), "conflict", has="expected actual")
    relaxed = {"branch": "soon", "commit": main, "was": None, "durability": "relaxed"}
    v.ok("relaxed", here(branch="soon", durability="relaxed"), relaxed)
    v.err("from nothing", here(id=1, branch="x", **{"from": "none"}), "not_found")
    v.err(
        "from a file",
        here(id=1, branch="x", **{"from": "HEAD:config.yaml"}),
        "bad_request",
        field="from",
    )
    for name in ("", "a..b", "-a", "HEAD", "a.lock", "a b"):
        v.err(f"the name {shows(name)}", here(id=1, branch=name), "bad_request", field="branch")
    v.err(
        "two things at once",
        here(id=1, branch="x", delete=True, rename="y"),
        "bad_request",
        field="delete",
    )
    fenced(
        v,
        f"{TOP}/branch.git",
        here(branch="fenced"),
        {"branch": "fenced", "commit": main, "was": None},
    )
    no_repository(v, "branch", {"branch": "x"})
    wrong: dict[str, list[Any]] = {
        "branch": [1, "a\0"],
        "from": [1],
        "expect": [1, "main"],
        "force": ["yes"],
    }
    wrong_types(
        v, "branch", {"path": f"{TOP}/branch.git", "branch": "x"}, wrong | {"durability": ["fast"]}
    )
    missing(v, "branch", {"path": f"{TOP}/branch.git", "branch": "x"}, "path", "branch")


def branches(v: Topic) -> None:
    here = partial(ask, "branches", path=f"{TOP}/bare.git")
    names = git("for-each-ref", "--format=%(refname:short)", "refs/heads", at=BARE).splitlines()
    told = [{"name": n, "commit": id_of(n), "head": n == "main", "upstream": None} for n in names]
    v.ok("all", here(), {"branches": told, "next": None})
    v.ok("the first", here(limit=1), {"branches": told[:1], "next": names[0]})
    v.ok("those after it", here(after=names[0]), {"branches": told[1:], "next": None})
    v.ok(
        "some",
        here(pattern="s*"),
        {"branches": [it for it in told if it["name"][0] == "s"], "next": None},
    )
    followed = {
        "name": "main",
        "commit": id_of("main"),
        "head": True,
        "upstream": "refs/remotes/origin/main",
    }
    v.ok(
        "one that follows another",
        ask("branches", path=f"{TOP}/dirty"),
        {"branches": [followed], "next": None},
    )
    v.ok("none", ask("branches", path=EMPTY), {"branches": [], "next": None})
    no_repository(v, "branches", {})
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "pattern": [1, "{"],
        "limit": [0, 10_001, "1"],
        "after": [1],
    }
    wrong_types(v, "branches", {"path": BARE}, wrong)
    missing(v, "branches", {"path": BARE}, "path")


def tag(v: Topic) -> None:
    here = partial(ask, "tag", path=f"{TOP}/tag.git")
    main, side = id_of("main"), id_of("side")
    v.ok("of HEAD", here(tag="plain"), {"tag": "plain", "target": main, "was": None})
    person = "tagger Ada Lovelace <ada@example.org> 1700000000 +0100"
    made = object_id("tag", f"object {side}\ntype commit\ntag v2\n{person}\n\nversion 2\n")
    with_message = here(tag="v2", target="side", message="version 2\n", tagger=MAKER)
    v.ok("with a message", with_message, {"tag": "v2", "target": side, "object": made, "was": None})
    v.ok(
        "what it names",
        ask("refs", path=f"{TOP}/tag.git", prefix="refs/tags/v2"),
        {"refs": [{"name": "refs/tags/v2", "sha": made, "peeled": side}], "next": None},
    )
    v.err("one that is there", here(id=1, tag="v2"), "already_exists")
    v.err("it is elsewhere", here(id=1, tag="v2", expect=side), "conflict", has="expected actual")
    v.ok("moved", here(tag="v2", expect=made), {"tag": "v2", "target": main, "was": made})
    v.ok("removed", here(tag="v2", delete=True), {"tag": "v2", "target": None, "was": main})
    v.err("removed twice", here(id=1, tag="v2", delete=True), "not_found")
    blob = id_of("HEAD:config.yaml")
    v.ok(
        "of a file",
        here(tag="file", target="HEAD:config.yaml"),
        {"tag": "file", "target": blob, "was": None},
    )
    v.err("of nothing", here(id=1, tag="x", target="none"), "not_found")
    v.err(
        "a tagger without a message",
        here(id=1, tag="x", tagger=MAKER),
        "bad_request",
        field="tagger",
    )
    for name in ("", "a..b", "-a", "HEAD", "a.lock"):
        v.err(f"the name {shows(name)}", here(id=1, tag=name), "bad_request", field="tag")
    v.err(
        "signed without a message",
        here(id=1, tag="x", sign={"key": ""}),
        "bad_request",
        field="sign",
    )
    fenced(v, f"{TOP}/tag.git", here(tag="fenced"), {"tag": "fenced", "target": main, "was": None})
    signing(v, here(tag="signed", message="signed\n", tagger=MAKER))
    no_repository(v, "tag", {"tag": "x"})
    wrong: dict[str, list[Any]] = {
        "tag": [1, "a\0"],
        "target": [1],
        "expect": [1, "main"],
        "message": [1, "a\0", b"\xff"],
    }
    wrong_types(v, "tag", {"path": f"{TOP}/tag.git", "tag": "x"}, wrong | {"durability": ["fast"]})
    missing(v, "tag", {"path": f"{TOP}/tag.git", "tag": "x"}, "path", "tag")


def tags(v: Topic) -> None:
    here = partial(ask, "tags", path=BARE)
    form = "--format=%(taggername)%00%(taggeremail:trim)%00%(taggerdate:unix)%00%(taggerdate:iso)%00%(contents)"
    *fields, message = git("for-each-ref", form, "refs/tags/v1", at=BARE).split("\0")
    light = {"name": "light", "target": id_of("light"), "annotated": False}
    annotated = {"name": "v1", "target": id_of("v1^{}"), "annotated": True, "object": id_of("v1")}
    annotated |= {"message": message.rstrip("\n") + "\n", "tagger": person(fields)}
    v.ok("all", here(), {"tags": [light, annotated], "next": None})
    v.ok("the first", here(limit=1), {"tags": [light], "next": "light"})
    v.ok("those after it", here(after="light"), {"tags": [annotated], "next": None})
    v.ok("some", here(pattern="v*"), {"tags": [annotated], "next": None})
    no_repository(v, "tags", {})
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "pattern": [1, "{"],
        "limit": [0, 10_001, "1"],
        "after": [1],
    }
    wrong_types(v, "tags", {"path": BARE}, wrong)
    missing(v, "tags", {"path": BARE}, "path")


def refs(v: Topic) -> None:
    here = partial(ask, "refs", path=BARE)
    told = []
    for line in git(
        "for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", at=BARE
    ).splitlines():
        ref, sha, *peeled = line.split()
        told.append({"name": ref, "sha": sha} | ({"peeled": peeled[0]} if peeled else {}))
    v.ok("all", here(), {"refs": told, "next": None})
    v.ok("the first two", here(limit=2), {"refs": told[:2], "next": told[1]["name"]})
    v.ok("those after them", here(after=told[1]["name"]), {"refs": told[2:], "next": None})
    some = [it for it in told if it["name"].startswith("refs/tags/")]
    v.ok("tags", here(prefix="refs/tags/"), {"refs": some, "next": None})
    latin = ask("refs", path=f"{TOP}/latin.git", prefix=b"refs/heads/caf\xe9")
    # Its main has a file of its own, the other one is packed.
    v.ok(
        "a name that is no UTF-8",
        latin,
        {"refs": [{"name": b"refs/heads/caf\xe9", "sha": id_of("light")}], "next": None},
    )
    v.ok("none", ask("refs", path=EMPTY), {"refs": [], "next": None})
    no_repository(v, "refs", {})
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "prefix": [1],
        "limit": [0, 10_001, "1"],
        "after": [1],
    }
    wrong_types(v, "refs", {"path": BARE}, wrong)
    missing(v, "refs", {"path": BARE}, "path")


def ref_update(v: Topic) -> None:
    def here(*updates: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        return ask("ref.update", path=f"{TOP}/update.git", **arguments, updates=list(updates))

    main, side = id_of("main"), id_of("side")
    one, two = "refs/heads/one", "refs/odd/two"
    moved = [{"ref": one, "sha": main, "was": None}, {"ref": two, "sha": id_of("v1"), "was": None}]
    v.ok(
        "two that were not there",
        here({"ref": two, "to": "v1"}, {"ref": one, "to": main, "expect": ZEROS}),
        {"refs": moved},
    )
    stale = here(
        {"ref": one, "to": side, "expect": main}, {"ref": two, "to": side, "expect": side}, id=1
    )
    v.err("one is elsewhere", stale, "conflict", has="refs")
    moved = [{"ref": one, "sha": side, "was": main}, {"ref": two, "sha": None, "was": id_of("v1")}]
    v.ok(
        "one moves, the other goes",
        here({"ref": one, "to": "side", "expect": main}, {"ref": two}),
        {"refs": moved},
    )
    v.err("one that is gone goes", here({"ref": two}, id=1), "not_found")
    v.ok(
        "it shall not be there",
        here({"ref": two, "expect": ZEROS}),
        {"refs": [{"ref": two, "sha": None, "was": None}]},
    )
    v.err("to nothing", here({"ref": one, "to": "none"}, id=1), "not_found")
    v.err(
        "a branch at a tree",
        here({"ref": one, "to": "main^{tree}"}, id=1),
        "bad_request",
        field="updates",
    )
    v.err("twice", here({"ref": one}, {"ref": one}, id=1), "bad_request", field="updates")
    v.err("none", here(id=1), "bad_request", field="updates")
    for ref in ("", "main", "refs/heads/a..b", "refs/../config", "refs/heads/"):
        v.err(
            f"the ref {shows(ref)}",
            here({"ref": ref, "to": main}, id=1),
            "bad_request",
            field="updates[0].ref",
        )
    for odd in ("HEAD", "refs/replace/x", "refs/bisect/bad", b"refs/heads/caf\xe9"):
        v.err(
            f"the ref {shows(odd)}",
            here({"ref": odd, "to": main}, id=1),
            "unsupported",
            has="feature",
        )
    v.err("a lock", here({"ref": "refs/gitvan/locks/x", "to": main}, id=1), "denied", has="rule")
    v.err(
        "below another one",
        here({"ref": f"{one}/x", "to": main}, id=1),
        "conflict",
        has="expected actual",
    )
    held = here({"ref": "refs/odd/fenced", "to": main})
    fenced(
        v,
        f"{TOP}/update.git",
        held,
        {"refs": [{"ref": "refs/odd/fenced", "sha": main, "was": None}]},
    )
    no_repository(v, "ref.update", {"updates": [{"ref": one}]})
    good = {"path": f"{TOP}/update.git", "updates": [{"ref": one, "expect": side, "to": side}]}
    wrong_types(
        v, "ref.update", good, {"updates": [1, one], "message": [1], "durability": ["fast"]}
    )
    missing(v, "ref.update", good, "path", "updates")


def merge(v: Topic) -> None:
    here = partial(ask, "merge", path=f"{TOP}/merge.git")
    main, odd, tree = id_of("main"), id_of("odd"), id_of("main^{tree}")
    told = {"commit": main, "tree": tree, "merged": "up_to_date"}
    v.ok("what is there already", here(**{"from": "side"}), told)
    v.ok("into a branch that is ahead", here(into="main", **{"from": "v1"}), told)
    v.err(
        "a fast-forward that is none",
        here(id=1, into="side", strategy="ff_only", **{"from": "main~4^{}"}, expect=main),
        "conflict",
    )
    forward = {"commit": odd, "tree": id_of("odd^{tree}"), "merged": "fast_forward"}
    v.ok("a fast-forward", here(into="main", **{"from": "odd"}), forward)
    who = {"author": MAKER, "committer": MAKER}
    person = "Ada Lovelace <ada@example.org> 1700000000 +0100"
    side = id_of("side")
    parents = f"parent {side}\nparent {main}\n"
    made = object_id(
        "commit", f"tree {tree}\n{parents}author {person}\ncommitter {person}\n\nboth\n"
    )
    both = here(into="side", strategy="no_ff", message="both\n", **who, **{"from": main})
    v.ok("a commit where none is needed", both, {"commit": made, "tree": tree, "merged": "merge"})
    conflict = partial(ask, "merge", path=f"{TOP}/conflict.git", **{"from": "theirs"})
    v.err("a conflict", conflict(id=1), "conflict", has="files count")
    v.err(
        "a fast-forward where both went on",
        conflict(id=1, strategy="ff_only"),
        "conflict",
        has="expected actual",
    )
    v.has("the other side wins", conflict(favor="theirs"), "commit tree merged")
    v.ok(
        "what came of it",
        ask("read", path=f"{TOP}/conflict.git", file="file.txt", encoding="utf8"),
        "theirs\n",
    )
    v.err("into nothing", here(id=1, into="none", **{"from": "side"}), "not_found")
    v.err("from nothing", here(id=1, **{"from": "none"}), "not_found")
    v.err("from a file", here(id=1, **{"from": "main:config.yaml"}), "bad_request", field="from")
    fenced(v, f"{TOP}/merge.git", here(**{"from": "side"}))
    signing(v, here(**{"from": "side"}))
    no_repository(v, "merge", {"from": "main"})
    good = {"path": f"{TOP}/merge.git", "from": "side"}
    wrong: dict[str, list[Any]] = {
        "into": [1, "a..b"],
        "from": [1],
        "strategy": ["fast", 1],
        "favor": ["mine"],
    }
    wrong |= {
        "message": [1],
        "author": ["Ada"],
        "expect": ["main"],
        "unrelated": [1],
        "encoding": ["latin1"],
    }
    wrong_types(v, "merge", good, wrong)
    missing(v, "merge", good, "path", "from")


NOTED = f"{TOP}/noted.git"


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def note(v: Topic) -> None:
    here = partial(ask, "note", path=NOTED, target="main", content="c2FpZA==")
    v.has("a note", here(), "commit notes")
    one = partial(ask, "notes", path=NOTED, target="main", encoding="utf8")
    place = {"target": id_of("main"), "note": blob(b"said")}
    v.ok("which is there then", one(id=1), place | {"content": "said"})
    v.has("bytes, after the ones before", here(content=b"\xff", append=True), "commit notes")
    both = {"target": id_of("main"), "note": blob(b"said\n\n\xff"), "content": b"said\n\n\xff"}
    v.ok("with a blank line between", one(encoding="binary"), both)
    wrong = here(id=1, expect=40 * "0")
    v.err("a note that is not as expected", wrong, "conflict", has="expected actual")
    v.err("an object that is not there", here(id=1, target=40 * "1"), "not_found")
    v.err("nothing to note", ask("note", id=1, path=NOTED), "bad_request", field="notes")
    for about, namespace in {"answers of keys": "keys", "runs that went": "pruned"}.items():
        request = here(namespace=f"gitvan/{namespace}")
        v.err(f"{about} are not for clients", request, "denied", has="rule")
    for namespace in ("../x", "a..b", "", "x.lock", "refs/heads/main"):
        about = f"`{namespace}` is no namespace"
        v.err(about, here(id=1, namespace=namespace), "bad_request", field="namespace")
    fenced(v, NOTED, here(namespace="fenced"))
    rest = {"target": "main", "content": ""}
    no_repository(v, "note", rest)
    good = {"path": NOTED, **rest}
    wrong_types(v, "note", good, {"target": [1], "append": [1], "namespace": [1]})
    missing(v, "note", good, "path")


def note_remove(v: Topic) -> None:
    here = partial(ask, "note.remove", path=NOTED, target="main", namespace="removed")
    v.has(
        "a note",
        ask("note", path=NOTED, target="main", namespace="removed", content=b"x"),
        "commit",
    )
    v.err("one that is not as expected", here(expect=40 * "1"), "conflict", has="expected actual")
    v.has("which is removed", here(id=1), "commit removed")
    v.err("a second time", here(id=1), "not_found")
    v.has("where that is fine", here(missing_ok=True), "commit removed")
    none = {"commit": None, "removed": 0}
    v.ok("a namespace that never was", here(namespace="never", missing_ok=True), none)
    v.err("nothing to remove", ask("note.remove", path=NOTED), "bad_request", field="targets")
    fenced(v, NOTED, here(namespace="never", missing_ok=True), none)
    no_repository(v, "note.remove", {"target": "main"})
    good = {"path": NOTED, "target": "main"}
    wrong_types(v, "note.remove", good, {"targets": ["main"], "missing_ok": [1]})
    missing(v, "note.remove", good, "path")


def notes(v: Topic) -> None:
    here = partial(ask, "notes", path=NOTED, namespace="listed")
    v.ok("a namespace that is not there", here(), {"notes": [], "next": None})
    targets = sorted([id_of("main"), id_of("side"), id_of("v1")])
    several = [{"target": target, "content": target.encode()} for target in targets]
    v.has("notes", ask("note", path=NOTED, namespace="listed", notes=several), "commit notes")
    places = [{"target": target, "note": blob(target.encode())} for target in targets]
    v.ok("in the order of their targets", here(id=1), {"notes": places, "next": None})
    v.ok("the first two", here(limit=2), {"notes": places[:2], "next": targets[1]})
    v.ok("the rest", here(limit=2, after=targets[1]), {"notes": places[2:], "next": None})
    first = places[0] | {"content": targets[0]}
    page = here(limit=1, contents=True, encoding="utf8")
    v.ok("with their contents", page, {"notes": [first], "next": targets[0]})
    v.ok(
        "one, by a full name",
        here(target=targets[0], encoding="utf8", namespace="refs/notes/listed"),
        first,
    )
    v.err("a target without a note", here(id=1, target="main~1"), "not_found")
    v.err("no whole id to go on after", here(id=1, after="main"), "bad_request", field="after")
    for limit in (0, 10_001):
        v.err(f"a page of {limit}", here(id=1, limit=limit), "bad_request", field="limit")
    no_repository(v, "notes", {})
    wrong_types(v, "notes", {"path": NOTED}, {"contents": [1], "namespace": [1, ".."]})
    missing(v, "notes", {"path": NOTED}, "path")


def far(v: Topic, good: dict[str, Any]) -> None:
    """What an operation on a lock says of the remote that keeps it."""
    op, rest = good["op"], {key: value for key, value in good.items() if key != "op"}
    both = ask(**good, url=TAKING, remote="origin")
    v.err("two places of one lock", both, "bad_request", field="url")
    v.err("a remote that is not there", ask(**good, remote="none"), "not_found")
    alone = ask(**good, id=1, proxy="none")
    v.err("a way to no remote", alone, "bad_request", field="remote")
    transport = ask(**good, url="ext::sh -c true")
    v.err("a transport that nobody allows", transport, "denied", has="rule")
    if op != "locks":
        relaxed = ask(**good, url=TAKING, durability="relaxed")
        v.err("less than a remote promises", relaxed, "bad_request", field="durability")
    names = ("url", "remote", "auth", "known_hosts", "ca", "ca_file", "proxy")
    wrong_types(v, op, rest, {name: [7] for name in names})


def lock(v: Topic) -> None:
    here = partial(ask, "lock", path=LOCKS)
    lease = {"token": 1, "owner": "ada", "shared": False, "expires_in_ms": 30_000}
    v.ok("a lock is taken", here(name="lock/1", owner="ada"), {"name": "lock/1", **lease})
    held = "holder token expires_in_ms retry_after_ms"
    v.err("one that is held", here(id=1, name="lock/1", owner="bob"), "locked", has=held)
    v.err(
        "also by whoever holds it",
        here(name="lock/1", owner="ada"),
        "locked",
        holder="ada",
        has=held,
    )
    v.err(
        "after waiting for it", here(name="lock/1", owner="bob", wait_ms=10), "locked", holder="ada"
    )
    shared = {"name": "lock/2", "owner": "ada", "shared": True}
    for token in (1, 2):
        told = {**shared, "token": token, "expires_in_ms": DAY}
        v.ok(f"the {token}. of those that share a lock", here(**shared, ttl_ms=DAY), told)
    v.err("one that does not share it", here(name="lock/2", owner="bob"), "locked", holder="ada")
    relaxed = here(name="lock/3", owner="ada", durability="relaxed", reason="a reason", wait_ms=DAY)
    v.ok("a promise that is less", relaxed, {"name": "lock/3", **lease, "durability": "relaxed"})
    for name in ("a.lock", "..", "größe ☃", "@{", 200 * "/"):
        v.ok(
            f"a lock may be called {shows(name)}",
            here(name=name, owner="ada"),
            {"name": name, **lease},
        )
    no_repository(v, "lock", {"name": "a", "owner": "ada"})
    good = {"path": LOCKS, "name": "lock/4", "owner": "ada"}
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "name": [1, "", 201 * "a", "a\0b"],
        "owner": [1, "", 201 * "a"],
    }
    wrong |= {
        "shared": [1],
        "reason": [1, 1001 * "a"],
        "ttl_ms": [0, -1, DAY + 1, "1"],
        "wait_ms": [-1, DAY + 1],
    }
    wrong |= {"durability": ["never"], "token": [1]}
    wrong_types(v, "lock", good, wrong)
    missing(v, "lock", good, "path", "name", "owner")
    there = partial(here, name="lock/far", url=TAKING)
    taken = "name token owner shared expires_in_ms"
    v.has("a lock on a remote", there(owner="ada", ttl_ms=DAY), taken)
    v.err("one that is held there", there(id=1, owner="bob"), "locked", holder="ada", has=held)
    waiting = there(owner="bob", wait_ms=10)
    v.err("after waiting for it there", waiting, "locked", holder="ada", has=held)
    other = {"name": "lock/far", **lease, "owner": "bob"}
    v.ok("it is none of the repository", here(name="lock/far", owner="bob"), other)
    far(v, {"op": "lock", **good})


def renew(v: Topic) -> None:
    taken = ask("lock", path=LOCKS, name="renew", owner="ada")
    lease = {"name": "renew", "token": 1, "owner": "ada", "shared": False, "expires_in_ms": 30_000}
    v.ok("a lock is taken", taken, lease)
    here = partial(ask, "renew", path=LOCKS, name="renew", ttl_ms=DAY)
    v.ok("and held for longer", here(id=1, token=1), {**lease, "expires_in_ms": DAY})
    v.err("another token", here(token=2), "conflict", has="expected actual")
    v.err(
        "a lock that nobody ever held",
        here(name="renew/none", token=1),
        "conflict",
        has="expected actual",
    )
    no_repository(v, "renew", {"name": "a", "token": 1, "ttl_ms": 1})
    good = {"path": LOCKS, "name": "renew", "token": 1, "ttl_ms": DAY}
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "name": [1, ""],
        "token": ["1", -1, 1.5],
        "ttl_ms": [0, DAY + 1],
    }
    wrong_types(v, "renew", good, wrong | {"durability": ["never"], "owner": ["ada"]})
    missing(v, "renew", good, "path", "name", "token", "ttl_ms")
    there = {"path": LOCKS, "url": TAKING, "name": "renew"}
    v.has("a lock on a remote is taken", ask("lock", **there, owner="ada"), "token")
    v.has("and held for longer there", ask("renew", **there, token=1, ttl_ms=DAY), "expires_in_ms")
    v.err(
        "another token there",
        ask("renew", **there, token=2, ttl_ms=DAY),
        "conflict",
        has="expected actual",
    )
    far(v, {"op": "renew", **good})


def unlock(v: Topic) -> None:
    lease = {"name": "unlock", "token": 1, "owner": "ada", "shared": False, "expires_in_ms": 30_000}
    taken = ask("lock", path=LOCKS, name="unlock", owner="ada")
    here = partial(ask, "unlock", path=LOCKS, name="unlock")
    v.err("a lock that nobody ever held", here(token=1), "conflict", has="expected actual")
    v.ok("a lock is taken", taken, lease)
    v.err("another token", here(token=2), "conflict", has="expected actual")
    v.ok("and let go", here(id=1, token=1), {"name": "unlock", "token": 1, "owner": "ada"})
    v.err("once", here(token=1), "conflict", has="expected actual")
    v.ok("the next token is another one", taken, {**lease, "token": 2})
    v.err("the old one is good for nothing", here(token=1), "conflict", has="expected actual")
    no_repository(v, "unlock", {"name": "a", "token": 1})
    good = {"path": LOCKS, "name": "unlock", "token": 1}
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "name": [1, ""],
        "token": ["1", -1, 1.5],
        "durability": ["never"],
    }
    wrong_types(v, "unlock", good, wrong)
    missing(v, "unlock", good, "path", "name", "token")
    there = {"path": LOCKS, "url": TAKING, "name": "unlock"}
    v.has("a lock on a remote is taken", ask("lock", **there, owner="ada"), "token")
    released = {"name": "unlock", "token": 1, "owner": "ada"}
    v.ok("and let go there", ask("unlock", **there, token=1), released)
    again = ask("unlock", **there, token=1)
    v.err("once there", again, "conflict", has="expected actual")
    far(v, {"op": "unlock", **good})


def locks(v: Topic) -> None:
    none = {"locks": [], "next": None}
    v.ok("none is held", ask("locks", path=EMPTY), none)
    v.ok("none begins like this", ask("locks", path=LOCKS, prefix="none/"), none)
    for name in ("locks/1", "locks/2"):
        lease = {"name": name, "token": 1, "owner": "ada", "shared": False, "expires_in_ms": DAY}
        v.ok(f"{name} is taken", ask("lock", path=LOCKS, name=name, owner="ada", ttl_ms=DAY), lease)
    here = partial(ask, "locks", path=LOCKS, prefix="locks/")
    v.has("those that are held", here(id=1), "locks next")
    v.ok("after the last one", here(after="locks/2"), none)
    no_repository(v, "locks", {})
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "prefix": [1],
        "limit": [0, 10_001, "1"],
        "after": [1],
    }
    wrong_types(v, "locks", {"path": LOCKS}, wrong)
    missing(v, "locks", {"path": LOCKS}, "path")
    there = {"path": LOCKS, "url": TAKING}
    none_there = ask("locks", **there, prefix="none/")
    v.ok("none on a remote begins like this", none_there, none)
    taken = ask("lock", **there, name="locks/far", owner="ada", ttl_ms=DAY)
    v.has("a lock on a remote is taken", taken, "token")
    v.has("those that are held there", ask("locks", **there, prefix="locks/"), "locks next")
    far(v, {"op": "locks", "path": LOCKS})


def hello(v: Topic) -> None:
    keys = "protocol program version libgit2 operations events features limits"
    v.has("who is there", {"op": "hello"}, keys)
    v.has("the client says who it is", ask("hello", id=1, protocol=1, client="vectors"), keys)
    v.has("arguments that are nil are absent", ask("hello", protocol=None, client=None), keys)
    v.err(
        "a version that is not spoken",
        ask("hello", id=1, protocol=99),
        "unsupported",
        has="feature",
    )
    v.err(
        "a version that is not spoken, without an id",
        ask("hello", protocol=2),
        "unsupported",
        has="feature",
    )
    wrong_types(v, "hello", {}, {"protocol": ["1", -1, 1.5, True], "client": [1, ["vectors"]]})


def ping(v: Topic) -> None:
    v.ok("the smallest request", PING, "pong")
    v.ok("with an id", ask("ping", id="p"), "pong")


def stats(v: Topic) -> None:
    keys = "uptime_ms requests operations repositories queues events memory"
    v.has("what the daemon counts", {"op": "stats"}, keys)
    v.has("with an id", ask("stats", id=1), keys)


def subscribe(v: Topic) -> None:
    v.ok("to progress", ask("subscribe", events=["progress"]), {"events": ["progress"]})
    v.ok(
        "to progress, with an id",
        ask("subscribe", id=1, events=["progress"]),
        {"events": ["progress"]},
    )
    v.err("to a kind there is not", ask("subscribe", id=1, events=["weather"]), "bad_request")
    wrong_types(v, "subscribe", {}, {"events": ["progress", 1, True]})
    missing(v, "subscribe", {"events": []}, "events")
    v.ok("to nothing any more", ask("subscribe", id=1, events=[]), {"events": []})


def cancel(v: Topic) -> None:
    for wanted in (12345, "none", -1, 2**64 - 1):
        v.ok(f"{shows(wanted)}, which nobody asked", ask("cancel", id=1, request=wanted), False)
    v.ok("without an id of its own", ask("cancel", request=12345), False)
    wrong_types(v, "cancel", {}, {"request": [1.5, True, [1], b"a", "", 129 * "a"]})
    missing(v, "cancel", {"request": 1}, "request")


def batch(v: Topic) -> None:
    failed = {"err": "", "code": "unknown_operation"}
    mixed = [PING, {"op": "nonsense"}, ask("files", path=FOLDER)]
    v.ok(
        "one after the other",
        ask("batch", id=1, requests=mixed),
        [{"ok": "pong"}, failed, {"ok": ["one.yaml", "two.yml"]}],
    )
    v.ok("without an id", ask("batch", requests=[PING]), [{"ok": "pong"}])
    v.ok(
        "nothing after a failure",
        ask("batch", requests=mixed, stop_on_error=True),
        [{"ok": "pong"}, failed, {"err": "", "code": "cancelled"}],
    )
    v.ok(
        "an error is told where it is",
        ask("batch", requests=[{"op": "head"}, PING]),
        [{"err": "", "code": "bad_request"}, {"ok": "pong"}],
    )
    v.ok("a thousand", ask("batch", requests=Repeat(PING, 1000)), Repeat({"ok": "pong"}, 1000))
    v.err(
        "a thousand and one",
        ask("batch", id=1, requests=Repeat(PING, 1001)),
        "bad_request",
        field="requests",
    )
    v.err("none", ask("batch", id=1, requests=[]), "bad_request", field="requests")
    refused = {"err": "", "code": "bad_request"}
    others = [
        ask("batch", requests=[PING]),
        ask("cancel", request=1),
        ask("subscribe", events=[]),
        ask("task.subscribe", path=at("task.subscribe"), worker="ann"),
        ask("task.credit", request=1, credits=1),
        ask("shutdown"),
    ]
    for other in others:
        inside = [PING, other, PING]
        v.ok(
            f"`{other['op']}` cannot be in it",
            ask("batch", id=1, requests=inside),
            [{"ok": "pong"}, refused, {"ok": "pong"}],
        )
    for key in ("id", "timeout_ms"):
        v.ok(
            f"a request in it has no `{key}`",
            ask("batch", id=1, requests=[{"op": "ping", key: 1}]),
            [refused],
        )
    v.ok("a request in it that is no map", ask("batch", id=1, requests=[1]), [refused])
    wrong_types(v, "batch", {}, {"requests": [1, "ping", PING]})
    wrong_types(v, "batch", {"requests": [PING]}, {"stop_on_error": [1, "yes"]})
    missing(v, "batch", {"requests": [PING]}, "requests")


def shutdown(v: Topic) -> None:
    none = {"finished": 0, "cancelled": 0}
    for about, request in {
        "as the oldest clients would ask": {"op": "shutdown"},
        "with an id": ask("shutdown", id=1),
        "with a time": ask("shutdown", id=1, grace_ms=1000),
        "at once": ask("shutdown", id=1, grace_ms=0),
    }.items():
        v.talk(about, [request], [answer(request, none)], exit=0)
    sent = [ask("ping", id=1), ask("shutdown", id=2)]
    v.talk(
        "what came before is answered before",
        sent,
        [answer(sent[0], "pong"), [("code", "ok"), ("id", 2), ("has", "finished cancelled")]],
        exit=0,
    )
    wrong_types(v, "shutdown", {}, {"grace_ms": ["1", -1, 1.5]})


def no_workspaces(v: Topic, op: str, rest: dict[str, Any]) -> None:
    """What a daemon without a data directory says."""
    v.err(
        "a workspace without a data directory",
        ask(op, id=1, workspace="team/project", **rest),
        "unsupported",
    )
    v.err("a number is an id", ask(op, id=1, workspace=42, **rest), "unsupported")
    v.err("an id as bin", ask(op, id=1, workspace=b"7f3a", **rest), "unsupported")
    ids = [1.5, True, [1], "", 201 * "a", "a\0", "a\n", 76 * "A", b"\xff"]
    wrong_types(v, op, rest, {"workspace": ids})


def a_workspace(v: Topic, op: str) -> None:
    no_workspaces(v, op, {})
    missing(v, op, {"workspace": "a"}, "workspace")
    path = ask(op, id=1, workspace="a", path=REPOSITORY)
    v.err("there is no path", path, "bad_request", field="path", nearest="workspace")


def workspace_create(v: Topic) -> None:
    a_workspace(v, "workspace.create")
    wrong = {"branch": [1, ["main"], "a\0"], "description": [1, "a\0"]}
    # Without a data directory nothing else is looked at.
    for field, values in wrong.items():
        request = ask("workspace.create", id=1, workspace="a", **{field: values[0]})
        v.err(f"no data directory, whatever `{field}` is", request, "unsupported")


def workspace_list(v: Topic) -> None:
    v.err("no data directory", ask("workspace.list", id=1), "unsupported")
    wrong_types(
        v,
        "workspace.list",
        {},
        {"limit": ["1", -1, 1.5, 0, 10_001], "after": [1, "a\0"], "deleted": [1]},
    )


def verify(v: Topic) -> None:
    op = "verify"
    keys = "ok problems found objects signatures next"
    v.has("a repository", ask(op, path=REPOSITORY), keys)
    v.has("who signed", ask(op, id=1, path=REPOSITORY, range="main", fsck=False, limit=1), keys)
    both = {"allowed_signers": "", "allowed_signers_file": "/none"}
    v.err(
        "two lists", ask(op, id=1, path=REPOSITORY, **both), "bad_request", field="allowed_signers"
    )
    v.err("a limit of 0", ask(op, id=1, path=REPOSITORY, limit=0), "bad_request", field="limit")
    v.err(
        "a range of nothing", ask(op, id=1, path=REPOSITORY, fsck=False, range="none"), "not_found"
    )
    v.err("no repository", ask(op, id=1, path=FOLDER), "not_found")


DEFINITION = """\
process_name: ship
process_version: "1.0.0"
# What a person does.
steps:
  - step_id: pack
    transitions: [{on: packed, next_step: send}]
  - step_id: send
"""
DEFINITION_SAYS = {
    "process_name": "ship",
    "process_version": "1.0.0",
    "steps": [
        {"step_id": "pack", "transitions": [{"next_step": "send", "on": "packed"}]},
        {"step_id": "send"},
    ],
}


# Another one that calls it, tests of it in a file of their own, and one that cannot be read.
CALLER = """\
process_name: bill
process_version: "1.0.0"
steps:
  - step_id: delivered
    call: ship
"""
TESTS = """\
process_name: ship
tests:
  packed: ["pack:packed", "@send", send, "=done"]
"""
UNREADABLE = DEFINITION + "stepz: []\n"
# One that nothing is known of but its one step.
LONELY = """\
process_name: lonely
process_version: "0.1.0"
steps:
  - step_id: wait
"""
# A value for each key, and no key.
LISTED = "[1, ship, 1.0.0, null, null, null, {}, null, null, [{step_id: pack}], [], {}]\n"
# A comment that is one byte longer than a file may be.
TOO_LONG = Raw(["c600100001", "23*1048577"], "bin of 1048577 bytes")


def draft(file: str | bytes, content: Any) -> dict[str, Any]:
    return {"file": file, "content": content}


def definitions(v: Topic, op: str, path: str, fine: Callable[[str, dict[str, Any]], None]) -> None:
    """Where the definitions come from; `fine` adds a vector of a request that has its reply."""
    here, sent = partial(ask, op, path=path), partial(ask, op, encoding="utf8")
    v.ok(
        "a clone to look at",
        ask("sync", url=BARE, branch="main", path=path, depth=0),
        id_of("main"),
    )
    said = {"ship.yaml": DEFINITION, "deep/bill.yaml": CALLER, "ship.test.yaml": TESTS}
    changes = [draft(file, text.encode()) for file, text in said.items()]
    changes.append(draft(b"sh\xefp.yaml", DEFINITION.encode()))
    v.has(
        "with definitions in it",
        ask("commit", path=path, message="said", changes=changes),
        "commit tree",
    )
    ship = draft("ship.yaml", DEFINITION)
    both = [draft("bill.yaml", CALLER), ship]
    fine("a file on the disk", here(files=["ship.yaml"]))
    fine("the same in a commit, with an id", here(id=1, files=["ship.yaml"], rev="main"))
    fine("a name as bin", here(files=[b"ship.yaml"]))
    fine("a name that is no UTF-8", here(files=[b"sh\xefp.yaml"]))
    fine("a name that is no UTF-8, in a commit", here(files=[b"sh\xefp.yaml"], rev="HEAD"))
    fine("several files", here(files=["deep/bill.yaml", "ship.yaml"]))
    fine("with tests among them", here(id=1, files=["ship.yaml", "ship.test.yaml"], rev="HEAD"))
    fine("a draft", sent(drafts=[ship]))
    fine("a draft with an id", sent(id="looked", drafts=[ship]))
    fine("a draft as bin", ask(op, drafts=[draft("ship.yaml", DEFINITION.encode())]))
    coded = draft("ship.yaml", base64.b64encode(DEFINITION.encode()).decode())
    fine("a draft in base64", ask(op, drafts=[coded]))
    fine("base64 by name", ask(op, drafts=[coded], encoding="base64"))
    fine("a draft whose name is bin", sent(drafts=[draft(b"ship.yaml", DEFINITION)]))
    fine("several drafts", sent(drafts=both))
    fine("drafts with tests among them", sent(drafts=[ship, draft("a.test.yaml", TESTS)]))
    fine("arguments that are nil are absent", sent(drafts=[ship], files=None, rev=None, path=None))

    for about, request, field in (
        ("neither files nor drafts", ask(op, id=1), "drafts"),
        ("a repository, and nothing of it", here(id=1), "files"),
        ("a rev, and no files of it", here(id=1, rev="HEAD"), "files"),
        ("files of no repository", ask(op, id=1, files=["ship.yaml"]), "path"),
        ("files and drafts", here(id=1, files=["ship.yaml"], drafts=[ship]), "drafts"),
        ("drafts and a repository", sent(id=1, path=path, drafts=[ship]), "drafts"),
        ("a rev of drafts", sent(id=1, drafts=[ship], rev="HEAD"), "rev"),
        ("a rev that is none", here(id=1, files=["ship.yaml"], rev="a b^{"), "rev"),
        ("more files than a request has", here(id=1, files=Repeat("a", 10_001)), "files"),
    ):
        v.err(about, request, "bad_request", field=field)
    many = Repeat(draft("a", ""), 10_001)
    v.err("more drafts than a request has", ask(op, id=1, drafts=many), "bad_request")
    v.err("a draft that is no base64", ask(op, id=1, drafts=[ship]), "bad_request")
    for about, part in {
        "a draft that is empty": {},
        "a draft without content": {"file": "ship.yaml"},
        "a draft without a name": {"content": ""},
        "a draft whose name is a number": draft("a", "") | {"file": 1},
        "a draft whose content is a list": draft("a", []),
        "a draft whose name has NUL": draft("a\0", ""),
        "a draft with a mode": draft("a", "") | {"mode": "100644"},
    }.items():
        v.err(about, sent(id=1, drafts=[part]), "bad_request")
    for about, request in {
        "a file that is not there": here(id=1, files=["ship.yaml", "none.yaml"]),
        "a file that was not there": here(id=1, files=["ship.yaml"], rev="HEAD~1"),
        "a rev that is not there": here(id=1, files=["ship.yaml"], rev="none"),
    }.items():
        v.err(about, request, "not_found")
    for at in (None, "HEAD"):
        v.err(f"a folder at {shows(at)}", here(id=1, files=["deep"], rev=at), "bad_request")
        for name in ("link", "../ship.yaml", f"{path}/ship.yaml", ".git/config", ""):
            about = f"the file {shows(name)} at {shows(at)}"
            v.err(about, here(id=1, files=[name], rev=at), "denied", has="rule")
    v.err("a submodule", ask(op, path=REPOSITORY, files=["module"], rev="odd"), "unsupported")
    damaged = ask(op, path=f"{TOP}/corrupt", files=["README.md"], rev="HEAD")
    v.err("a damaged blob", damaged, "corrupt")
    no_repository(v, op, {"files": ["ship.yaml"], "rev": "HEAD"})
    no_workspaces(v, op, {"files": ["ship.yaml"]})
    two = here(id=1, workspace="a", files=["ship.yaml"])
    v.err("a path and a workspace", two, "bad_request", field="workspace")
    wrong_types(v, op, {"path": path}, {"files": [1, "ship.yaml", {"a": 1}]})
    wrong_types(v, op, {"path": path, "files": ["ship.yaml"]}, {"rev": [1, "a\0"]})
    wrong: dict[str, list[Any]] = {"drafts": [1, "ship.yaml", ship]}
    wrong_types(v, op, {"encoding": "utf8"}, wrong)
    wrong_types(v, op, {"drafts": [ship]}, {"encoding": [1, "latin"]})


def process_lint(v: Topic) -> None:
    op, keys = "process.lint", "errors warnings diagnostics"
    nothing = {"errors": 0, "warnings": 0, "diagnostics": []}
    definitions(v, op, f"{TOP}/linted", lambda about, request: v.ok(about, request, nothing))
    sent = partial(ask, op, encoding="utf8")
    v.ok("no file", ask(op, path=REPOSITORY, files=[]), nothing)
    v.ok("no draft", sent(drafts=[]), nothing)
    v.ok("tests alone", sent(drafts=[draft("deep/ship.test.yaml", "a: [")]), nothing)
    reached = draft("ship.yaml", f"{DEFINITION}    milestone: half-way_2\n")
    v.ok("a milestone", sent(drafts=[reached]), nothing)
    v.has("a bare repository as of HEAD", ask(op, path=BARE, files=["config.yaml"]), keys)
    for about, text in {
        "no YAML": "a: [",
        "nothing": "",
        "no UTF-8": b"process_name: caf\xe9\n",
        "UTF-16": DEFINITION.encode("utf-16"),
        "no map": "- a\n",
        "a key that nobody knows": UNREADABLE,
        "a key twice": DEFINITION + "process_name: ship\n",
        "a step that is not there": DEFINITION.replace("next_step: send", "next_step: sned"),
        "a step that nothing leads to": DEFINITION + "  - step_id: never\n",
        "a process that is not there": CALLER,
        "a milestone that no tag can be called by": f"{DEFINITION}    milestone: a b\n",
        "a milestone that is none": f"{DEFINITION}    milestone: [a]\n",
        "one process twice": f"{DEFINITION}---\n{DEFINITION}",
        "more than a file may have": TOO_LONG,
    }.items():
        v.has(f"what is wrong: {about}", sent(drafts=[draft("ship.yaml", text)]), keys)
    wrong = [draft("ship.yaml", DEFINITION), draft("other.yaml", UNREADABLE)]
    v.has("one of two is wrong", sent(id=1, drafts=wrong), keys)
    for word in ("text", "json", "sarif", "github"):
        rendered = f"{keys} rendered"
        v.has(f"as {word}", sent(drafts=wrong, format=word), rendered)
        v.has(f"nothing wrong, as {word}", sent(drafts=[], format=word), rendered)
    coloured = sent(drafts=wrong, format="text", color=True)
    v.has("in colours", coloured, f"{keys} rendered")
    v.has("colours of what is not rendered", sent(drafts=wrong, color=True), keys)
    v.has("no format", sent(drafts=wrong, format=None, color=None), keys)
    types: dict[str, list[Any]] = {"format": [1, "", "html", "junit"], "color": [1, "yes"]}
    wrong_types(v, op, {"drafts": []}, types)


def process_test(v: Topic) -> None:
    op, keys = "process.test", "passed tests failed seed diagnostics tested"
    definitions(v, op, f"{TOP}/tested", lambda about, request: v.has(about, request, keys))
    sent = partial(ask, op, encoding="utf8")
    nothing = {"passed": True, "tests": 0, "failed": 0, "seed": 0, "diagnostics": [], "tested": []}
    v.ok("no file", ask(op, path=REPOSITORY, files=[]), nothing)
    v.ok("no draft", sent(drafts=[]), nothing)
    v.ok("the largest seed", sent(drafts=[], seed=2**64 - 1), nothing | {"seed": 2**64 - 1})
    v.ok("as many runs as there may be", sent(drafts=[], interleavings=100_000), nothing)
    coverage = {"steps": 1, "steps_run": 0, "transitions": 0, "transitions_run": 0}
    lonely = {"file": "a/lonely.yaml", "process_name": "lonely", "process_version": "0.1.0"}
    lonely |= {"tests": [], "coverage": coverage | {"never": [{"what": "wait", "line": 4}]}}
    untested = draft("a/lonely.yaml", LONELY)
    v.ok("without a test", sent(drafts=[untested]), nothing | {"tested": [lonely]})
    unnamed = draft("a/lonely.yaml", LONELY.replace('process_version: "0.1.0"', "title: Lonely"))
    bare = {key: value for key, value in lonely.items() if key != "process_version"}
    v.ok("without a version", sent(id=1, drafts=[unnamed]), nothing | {"tested": [bare]})
    v.has("a bare repository as of HEAD", ask(op, path=BARE, files=["config.yaml"]), keys)
    inside = TESTS.removeprefix("process_name: ship\n")
    ship, failing = DEFINITION + inside, DEFINITION + inside.replace("@send", "@pack")
    for about, drafts in {
        "a test in the definition": [draft("ship.yaml", ship)],
        "a test that fails": [draft("ship.yaml", failing)],
        "a scenario": [
            draft(
                "lonely.yaml",
                LONELY + "tests: {a: {scenario: [{when: {step: wait}, then: {status: done}}]}}\n",
            )
        ],
        "a test of a step that is not there": [draft("ship.yaml", ship.replace("@send", "@sned"))],
        "tests of what is not there": [draft("ship.test.yaml", TESTS)],
        "tests that cannot be read": [untested, draft("lonely.test.yaml", "tests: 1\n")],
        "a definition that cannot be read": [draft("ship.yaml", UNREADABLE)],
        "a definition that is no UTF-8": [draft("ship.yaml", b"process_name: caf\xe9\n")],
        "more than a file may have": [draft("ship.yaml", TOO_LONG)],
        "a process that is called and not there": [draft("bill.yaml", CALLER)],
    }.items():
        v.has(about, sent(drafts=drafts), keys)
    tested = [draft("ship.yaml", ship)]
    for about, arguments in {
        "only some tests": {"only": "ship.pack"},
        "only what is in none": {"only": "none"},
        "the text that is wanted as bin": {"only": b"ship.packed"},
        "runs by chance": {"interleavings": 3, "seed": 7},
        "no run by chance": {"interleavings": 0},
        "with every mistake": {"mutants": True},
        "all of it": {"only": "ship", "interleavings": 1, "seed": 1, "mutants": True},
    }.items():
        v.has(about, sent(drafts=tested, **arguments), keys)
    for word in ("text", "junit", "github"):
        v.has(f"as {word}", sent(drafts=tested, format=word), f"{keys} rendered")
        v.has(f"nothing tested, as {word}", sent(drafts=[], format=word), f"{keys} rendered")
    types: dict[str, list[Any]] = {
        "only": [1, "a\0"],
        "interleavings": [-1, 1.5, "1", 100_001, 2**32],
        "seed": [-1, 1.5, "1"],
        "mutants": [1, "yes"],
        "format": [1, "", "json", "sarif"],
    }
    wrong_types(v, op, {"drafts": []}, types)


def process_graph(v: Topic) -> None:
    op, keys = "process.graph", "process_name picture"
    definitions(v, op, f"{TOP}/drawn", lambda about, request: v.has(about, request, keys))
    sent = partial(ask, op, encoding="utf8")
    both = [draft("bill.yaml", CALLER), draft("ship.yaml", DEFINITION)]
    for word in ("svg", "dot", "mermaid"):
        v.has(f"as {word}", sent(drafts=both, format=word), keys)
        marked = sent(drafts=both, format=word, marking={"delivered/pack": {"offered": 1}})
        v.has(f"a run as {word}", marked, keys)
    for name in ("bill", "ship", b"ship"):
        v.has(f"the process {shows(name)}", sent(drafts=both, process_name=name), keys)
    v.has("a step that is not there", sent(drafts=both[:1]), keys)
    gone = DEFINITION.replace("next_step: send", "next_step: sned")
    v.has("a transition to nowhere", sent(drafts=[draft("ship.yaml", gone)]), keys)
    for about, marking in {
        "no marking": {},
        "every state": {
            "pack": {"stuck": 1, "running": 2, "offered": 3, "waiting": 4, "done": 5},
            "send": {"done": 0},
        },
        "as many threads as there may be": {"pack": {"done": 2**32 - 1}},
        "an instance": {"pack#2": {"running": 1}},
    }.items():
        v.has(about, sent(id=1, drafts=both, process_name="ship", marking=marking), keys)
    for about, request in {
        "a process that is not there": sent(id=1, drafts=both, process_name="none"),
        "no process": sent(id=1, drafts=[]),
        "no file": ask(op, id=1, path=REPOSITORY, files=[]),
        "tests alone": sent(id=1, drafts=[draft("ship.test.yaml", TESTS)]),
    }.items():
        v.err(about, request, "not_found")
    for about, text in {
        "no YAML": "a: [",
        "nothing": "",
        "no UTF-8": b"process_name: caf\xe9\n",
        "a key that nobody knows": UNREADABLE,
        "a list with what a definition has": LISTED,
        "a step that is a list": "process_name: ship\nsteps: [[pack]]\n",
    }.items():
        unreadable = sent(id=1, drafts=[draft("ship.yaml", text)])
        v.err(f"what cannot be read: {about}", unreadable, "invalid", has="diagnostics")
    second = sent(id=1, drafts=[both[1], draft("other.yaml", UNREADABLE)])
    v.err("the second cannot be read", second, "invalid", has="diagnostics")
    v.err("of a bare repository", ask(op, path=BARE, files=["config.yaml"]), "invalid")
    for value in ({"pack": 1}, {"pack": ["done"]}, {"pack": {"gone": 1}}, {"pack": {"Done": 1}}):
        about = f"`marking` cannot be {shows(value)}"
        v.err(about, sent(id=1, drafts=both, marking=value), "bad_request", has="field")
    for count in (-1, 1.5, "1", 2**32):
        marked = sent(id=1, drafts=both, marking={"pack": {"done": count}})
        v.err(f"{shows(count)} threads", marked, "bad_request", has="field")
    types: dict[str, list[Any]] = {
        "process_name": [1, "a\0"],
        "format": [1, "", "png", "SVG"],
        "marking": [1, "pack", ["pack"]],
    }
    wrong_types(v, op, {"drafts": both, "encoding": "utf8"}, types)


def published(text: str, says: dict[str, Any]) -> dict[str, Any]:
    canonical = json.dumps(says, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {
        "name": says["process_name"],
        "version": says["process_version"],
        "digest": "sha256:" + hashlib.sha256(canonical.encode()).hexdigest(),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def process_publish(v: Topic) -> None:
    op, path = "process.publish", f"{TOP}/publish.git"
    here = partial(ask, op, path=path, encoding="utf8")
    reply = published(DEFINITION, DEFINITION_SAYS)
    v.ok("a version", here(content=DEFINITION), reply | {"created": True})
    v.ok("the same bytes again", here(content=DEFINITION), reply | {"created": False})
    said = here(content=DEFINITION.encode(), name="ship", version="1.0.0")
    v.ok("as it is said to be", said, reply | {"created": False})
    v.err(
        "other bytes that say the same",
        here(id=1, content=DEFINITION + "# a word\n"),
        "already_exists",
        has="expected actual",
    )
    later = DEFINITION.replace("1.0.0", "1.1.0-rc.1")
    later_says = DEFINITION_SAYS | {"process_version": "1.1.0-rc.1"}
    v.ok(
        "another version",
        here(content=later),
        published(later, later_says) | {"created": True},
    )
    next_one = DEFINITION.replace("1.0.0", "1.2.0")
    would_be = published(next_one, DEFINITION_SAYS | {"process_version": "1.2.0"})
    for about in ("what would be new", "and still is, since nothing was published"):
        v.ok(about, here(content=next_one, dry_run=True), would_be | {"created": True})
    v.ok("what is there", here(content=DEFINITION, dry_run=True), reply | {"created": False})
    v.err(
        "what would be refused",
        here(id=1, content=DEFINITION + "# a word\n", dry_run=True),
        "already_exists",
        has="expected actual",
    )
    odd = here(id=1, content=DEFINITION, dry_run="yes")
    v.err("neither dry nor not", odd, "bad_request", field="dry_run")
    mismatch = {"name": "other", "version": "1.0.1"}
    for argument, value in mismatch.items():
        v.err(
            f"another {argument} than the file has",
            here(id=1, content=DEFINITION, **{argument: value}),
            "conflict",
            has="expected actual",
        )
    for about, text in {
        "no version": DEFINITION.replace('process_version: "1.0.0"\n', ""),
        "a version that is none": DEFINITION.replace("1.0.0", "1.0"),
        "a version with build metadata": DEFINITION.replace("1.0.0", "1.0.0+5"),
        "two definitions": DEFINITION + "---\n" + DEFINITION.replace("ship", "other"),
    }.items():
        v.err(about, here(id=1, content=text), "invalid")
    inside = TESTS.removeprefix("process_name: ship\n")
    for about, text in {
        "no YAML": "a: [",
        "nothing in it": "",
        "no UTF-8": b"process_name: caf\xe9\n",
        "no map": "- a\n",
        "a step that is a list": 'process_name: a\nprocess_version: "1.0.0"\nsteps: [[pack]]\n',
        "a version of another kind": DEFINITION.replace('"1.0.0"', "1.0"),
        "a name with a slash": DEFINITION.replace("ship", "a/b"),
        "a key that nobody knows": UNREADABLE,
        "a key twice": DEFINITION + "process_name: ship\n",
        "a step that is not there": DEFINITION.replace("next_step: send", "next_step: sned"),
        "a test that fails": DEFINITION + inside.replace("@send", "@pack"),
        "a test of a step that is not there": DEFINITION + inside.replace("@send", "@sned"),
        "a process that is called and nowhere": CALLER.replace("ship", "none"),
    }.items():
        v.err(about, here(id=1, content=text), "invalid", has="diagnostics")
    too_long = here(id=1, content=TOO_LONG)
    v.err("more than a file may have", too_long, "too_large", has="diagnostics")
    no_file = here(id=1, file="README.md")
    v.err("a file that is no process", no_file, "invalid", has="diagnostics")
    v.err("a file that is not there", here(id=1, file="none.yaml"), "not_found")
    v.err("nothing to publish", here(id=1), "bad_request", field="content")
    named = here(id=1, content="", file="a.yaml")
    v.err("nothing, and what it is called", named, "invalid", has="diagnostics")
    beside_it(v, op, path)
    v.err("nowhere", ask(op, id=1, content=""), "bad_request", field="store")
    v.err(
        "a definition for nowhere",
        ask(op, id=1, content=DEFINITION, encoding="utf8"),
        "bad_request",
        field="store",
    )
    folder = {"folder": f"{TOP}/published"}
    v.ok(
        "in a folder",
        ask(op, content=DEFINITION, encoding="utf8", store=folder),
        reply | {"created": True},
    )
    v.err(
        "a folder has no tags",
        ask(op, id=1, content=DEFINITION, encoding="utf8", store=folder, fence={"lock": "a", "token": 1}),
        "bad_request",
        field="fence",
    )
    no_repository(v, op, {"content": DEFINITION, "encoding": "utf8"})
    wrong: dict[str, list[Any]] = {
        "file": [1],
        "rev": [1, "a\0"],
        "files": [1, "a", {}],
        "drafts": [1, "a", {}],
        "content": [1],
        "encoding": ["latin"],
        "name": [1],
        "version": [1.0],
        "store": [1, {}, {"folder": "/a", "s3": {"bucket": "a"}}],
    }
    wrong_types(v, op, {"path": path, "content": ""}, wrong)
    parts: dict[str | None, list[Any]] = {
        "store.folder": [{"folder": "a"}, {"folder": 1}],
        "store.s3.bucket": [{"s3": {}}, {"s3": {"bucket": 1}}],
        None: [{"folder": "/a", "s3": {}}, {"s3": 1}, {"bucket": "a"}],
    }
    wrong_parts(v, ask(op, content=""), "store", parts)


def beside_it(v: Topic, op: str, path: str) -> None:
    """What a definition is looked at with before it is published; `ship` is published there."""
    here = partial(ask, op, path=path, encoding="utf8")

    def made(name: str, calls: str) -> tuple[str, dict[str, Any]]:
        says = {"process_name": name, "process_version": "1.0.0"}
        says |= {"steps": [{"step_id": "delivered", "call": calls}]}
        text = CALLER.replace("bill", name).replace("ship", calls)
        return text, published(text, says) | {"created": True}

    bill, reply = made("bill", "ship")
    v.ok("what it calls is published", here(content=bill), reply)
    again = here(content=bill, drafts=[draft("ship.yaml", DEFINITION)])
    v.ok("what it calls is beside it, too", again, reply | {"created": False})
    text, reply = made("calls-load", "load")
    load = draft("load.yaml", LONELY.replace("lonely", "load"))
    v.ok("what it calls is only beside it", here(content=text, drafts=[load]), reply)

    def ship(version: str, more: str = "") -> tuple[str, dict[str, Any]]:
        says = DEFINITION_SAYS | {"process_version": version}
        if more:
            says |= {"steps": [*DEFINITION_SAYS["steps"], {"step_id": more}]}
        text = DEFINITION.replace("1.0.0", version) + (f"  - step_id: {more}\n" if more else "")
        return text, published(text, says) | {"created": True}

    later, reply = ship("1.2.0")
    for about, tests in {
        "a test beside it that fails": TESTS.replace("@send", "@pack"),
        "a test beside it of a step that is not there": TESTS.replace("@send", "@sned"),
        "tests beside it that cannot be read": "tests: 1\n",
    }.items():
        failing = here(id=1, content=later, drafts=[draft("ship.test.yaml", tests)])
        v.err(about, failing, "invalid", has="diagnostics")
    passing = here(content=later, drafts=[draft("ship.test.yaml", TESTS)])
    v.ok("tests beside it that pass", passing, reply)
    warned, reply = ship("1.3.0", "never")
    v.ok("what is only warned of", here(content=warned, file="deep/ship.yaml"), reply)

    text, reply = made("calls-road", "road")
    said = {"a/calls.yaml": text, "a/road.yaml": LONELY.replace("lonely", "road")}
    changes = [draft(file, text.encode()) for file, text in said.items()]
    v.has(
        "definitions in the repository",
        ask("commit", path=path, branch="said", message="said", changes=changes),
        "commit tree",
    )
    there = partial(here, file="a/calls.yaml", rev="said")
    v.err("a file that calls another one", there(id=1), "invalid", has="diagnostics")
    v.ok("with that beside it", there(files=["a/road.yaml"]), reply)
    as_bin = there(file=b"a/calls.yaml", files=[b"a/road.yaml"])
    v.ok("names as bin", as_bin, reply | {"created": False})
    none = there(id=1, files=["a/none.yaml"])
    v.err("a file beside it that is not there", none, "not_found")
    v.err("a rev that is not there", there(id=1, rev="none"), "not_found")
    folder = {"folder": f"{TOP}/published-of-files"}
    kept = there(files=["a/road.yaml"], store=folder)
    v.ok("a file of a repository, in a folder", kept, reply)
    for about, request, field in (
        ("a rev of content", here(id=1, content=DEFINITION, rev="HEAD"), "rev"),
        ("files beside content", here(id=1, content=DEFINITION, files=["a"]), "files"),
        ("drafts beside a file", there(id=1, drafts=[]), "drafts"),
        ("a file of no repository", ask(op, id=1, file="a.yaml", store=folder), "file"),
        ("files alone", here(id=1, files=["a/calls.yaml"]), "content"),
        ("drafts alone", here(id=1, drafts=[draft("ship.yaml", DEFINITION)]), "content"),
        ("content, a repository and a store", here(id=1, content="", store=folder), "store"),
        ("more files than a request has", there(id=1, files=Repeat("a", 10_001)), "files"),
    ):
        v.err(about, request, "bad_request", field=field)
    coded = ask(op, id=1, path=path, content=b"", drafts=[draft("a.yaml", "no base64")])
    v.err("a draft that is no base64", coded, "bad_request")
    text = ask(op, id=1, path=path, content="no base64")
    v.err("content that is no base64", text, "bad_request", field="content")
    for part in ({}, {"file": "a.yaml"}, {"content": ""}, draft("a", "") | {"mode": "100644"}):
        beside = here(id=1, content=DEFINITION, drafts=[part])
        v.err(f"the draft {shows(part)}", beside, "bad_request")


def process_get(v: Topic) -> None:
    op, path = "process.get", f"{TOP}/get.git"
    here = partial(ask, op, path=path, name="ship")
    texts = {it: DEFINITION.replace("1.0.0", it) for it in ("1.0.0", "1.2.0", "1.10.0", "2.0.0-rc")}
    for version, text in texts.items():
        says = DEFINITION_SAYS | {"process_version": version}
        publish = ask("process.publish", path=path, content=text, encoding="utf8")
        v.ok(f"{version} is published", publish, published(text, says) | {"created": True})

    def found(version: str) -> dict[str, Any]:
        says = DEFINITION_SAYS | {"process_version": version}
        file = f"ship/ship_v{version}.yaml"
        return published(texts[version], says) | {"file": file, "content": texts[version]}

    for about, arguments, version in (
        ("the latest release", {}, "1.10.0"),
        ("the latest, pre-releases too", {"prerelease": True}, "2.0.0-rc"),
        ("a version", {"version": "1.0.0"}, "1.0.0"),
        ("a pre-release", {"version": "2.0.0-rc"}, "2.0.0-rc"),
        ("a range", {"version": "^1.1"}, "1.10.0"),
        ("a narrow range", {"version": "~1.2"}, "1.2.0"),
        ("two bounds", {"version": ">=1, <1.10"}, "1.2.0"),
    ):
        v.ok(about, here(encoding="utf8", **arguments), found(version))
    encoded = base64.b64encode(texts["1.0.0"].encode()).decode()
    v.ok("as base64", here(version="1.0.0"), found("1.0.0") | {"content": encoded})
    v.err("a version that is not there", here(id=1, version="1.0.1"), "not_found")
    v.err("a range that has none", here(id=1, version="^3"), "not_found")
    v.err("a process that is not there", here(id=1) | {"name": "other"}, "not_found")
    for value in ("", "newest", "v1"):
        v.err(f"the version {shows(value)}", here(id=1, version=value), "bad_request", field="version")
    v.err("a name that is none", here(id=1) | {"name": "a/b"}, "bad_request", field="name")
    v.err("no store", ask(op, id=1, name="ship"), "bad_request", field="store")
    two = here(id=1, store={"folder": f"{TOP}/published"})
    v.err("two stores", two, "bad_request", field="store")
    no_repository(v, op, {"name": "ship"})
    wrong: dict[str, list[Any]] = {
        "name": [1],
        "version": [1.0],
        "prerelease": [1],
        "encoding": ["latin"],
    }
    wrong_types(v, op, {"path": path, "name": "ship"}, wrong)
    missing(v, op, {"path": path, "name": "ship"}, "name")


def process_list(v: Topic) -> None:
    op, path = "process.list", f"{TOP}/list.git"
    here = partial(ask, op, path=path)
    v.ok("nothing yet", here(), {"processes": [], "next": None})
    every = [("bill", "0.1.0"), ("ship", "1.2.0"), ("ship", "1.10.0"), ("ship", "2.0.0-rc")]
    for name, version in reversed(every):
        text = DEFINITION.replace("ship", name).replace("1.0.0", version)
        says = DEFINITION_SAYS | {"process_name": name, "process_version": version}
        publish = ask("process.publish", path=path, content=text, encoding="utf8")
        v.ok(f"{name} {version} is published", publish, published(text, says) | {"created": True})
    processes = [{"name": name, "version": version} for name, version in every]
    v.ok("all", here(), {"processes": processes, "next": None})
    v.ok("of one", here(name="bill"), {"processes": processes[:1], "next": None})
    v.ok("of none", here(name="other"), {"processes": [], "next": None})
    v.ok("the first two", here(limit=2), {"processes": processes[:2], "next": "ship@1.2.0"})
    after = {"processes": processes[2:], "next": None}
    v.ok("those after them", here(after="ship@1.2.0"), after)
    v.err("no store", ask(op, id=1), "bad_request", field="store")
    folder = {"folder": NOWHERE}
    v.err("a folder that is not there", ask(op, id=1, store=folder), "not_found")
    no_repository(v, op, {})
    wrong: dict[str, list[Any]] = {
        "name": [1, "a/b"],
        "limit": [0, 10_001, "1"],
        "after": [1, "ship"],
    }
    wrong_types(v, op, {"path": path}, wrong)


# The numbers of the tasks in a run of the fixture's `order`. They are parts of a run for ever, since what happened is
# replayed by them.
ITEMS = {"pack": 6, "check": 8, "sign": 10, "stamp": 12}
# The number of the call in a run of the fixture's `bill`.
CALLED = 3
HELD = {"token": 40 * "0"}
NO_RUNS = ["", ".", "..", "a/b", "x.lock", "-a", ".a", "a.", "a..b", "a b", "é", "a\0", 101 * "a"]
NO_TASKS = ["", "r", "r/", "/8", "r/x", "r/-8", "r/08", "r/8 ", "../8", "a/b/8", "x.lock/8"]
NO_TASKS += ["r/8\0", f"r/{2**64}"]
NO_NAMES = ["", 201 * "a", "a\nb", "a <b>", " a", "a "]
STARTED = "run process version digest status commit created"
NO_REASONS = ["", 501 * "a", "a\nb", " a", "a "]
MOVED = "run status commit"
AGAIN = f"{MOVED} again"
NO_LIST: dict[str, Any] = {"runs": [], "next": None}
VERIFIED = "run ok commits status receipts signed problems"
PRUNED = "runs more file bytes"


NO_TIMES: dict[str, list[Any]] = {
    "path": [1],
    "run": [1, ["r"], b"\xff", *NO_RUNS],
    "seq": [0, -1, "1", b"1", 1.5, 1.0, True, [1]],
}


def at(op: str) -> str:
    """The repository of an operation on runs or tasks."""
    return f"{TOP}/{op}.git"


def begun(
    v: Topic, path: str, run: str, file: str = "order.yaml", about: str = "", **arguments: Any
) -> None:
    request = ask("run.start", path=path, run=run, files=[file], **arguments)
    v.has(about or f"the run {run} begins", request, STARTED)


def stopped(v: Topic, path: str, run: str) -> None:
    v.has(f"the run {run} is cancelled", ask("run.cancel", path=path, run=run), MOVED)


def task_of(run: str, step: str, **more: Any) -> dict[str, Any]:
    """A task as `task.list` shows it."""
    told = {"task": f"{run}/{ITEMS[step]}", "run": run, "step": step, "process": "order"}
    told |= {"version": "1.0.0", "type": None, "queue": "default", "priority": 0}
    told |= {"assignee": None, "roles": [], "attempt": 1, "round": 1, "title": None}
    told |= {"description": None, "configuration": {}, "data": {"total": 0}, "overdue": False}
    its: dict[str, dict[str, Any]] = {
        "pack": {"type": "shelf", "queue": "store", "priority": 7, "title": "Pack it"},
        "check": {},
        "sign": {"queue": "office", "assignee": "ada"},
        "stamp": {"queue": "office", "roles": ["clerk", "lead"]},
    }
    shelf = {"configuration": {"shelf": 4}} if step == "pack" else {}
    return told | its[step] | shelf | more


def tasks_of(run: str, **workers: str) -> list[dict[str, Any]]:
    """All tasks of a run, some of which somebody holds."""
    held = {step: {"worker": worker} for step, worker in workers.items()}
    return [task_of(run, step, **held.get(step, {})) for step in ITEMS]


def on_runs(v: Topic, op: str, good: dict[str, Any], *needed: str, **named: int) -> None:
    """What each operation on runs and tasks refuses: a request with `good` decodes, and is sound
    with what is `named`, too.
    """
    no_repository(v, op, named | good)
    no_workspaces(v, op, good)
    both = ask(op, id=1, path=BARE, workspace="a", **good)
    v.err("a path and a workspace", both, "bad_request", field="workspace")
    unknown = ask(op, id=1, path=BARE, colour="red", **good)
    v.err("an argument that nobody knows", unknown, "bad_request", field="colour")
    near = ask(op, id=1, paths=BARE, **good)
    v.err("an argument that is misspelt", near, "bad_request", field="paths", nearest="path")
    missing(v, op, {"path": BARE, **good}, "path", *needed)


def run_start(v: Topic) -> None:
    op, path = "run.start", at("run.start")
    here = partial(ask, op, path=path)
    of_files = partial(here, files=["order.yaml"])
    v.has("a run of a file", of_files(run="r"), STARTED)
    v.has("the same again, with an id", of_files(id=1, run="r"), STARTED)
    v.has("of the process by its name", here(run="r", process="order"), STARTED)
    ranged = here(run="r", process="order", version="^1")
    v.has("of a range that takes its version", ranged, STARTED)
    said = of_files(run="r", actor="ada", attributes={"customer": "acme"})
    v.has("by another one, with attributes", said, STARTED)
    empty = of_files(run="r", input={}, version=None, prerelease=False, store=None)
    v.has("arguments that are nil are absent, and no input is an empty one", empty, STARTED)
    for about, request in {
        "another input": of_files(id=1, run="r", input={"total": 1}),
        "the same file as it was": of_files(id=1, run="r", rev="HEAD~1"),
        "another file": here(id=1, run="r", files=["wait.yaml"]),
        "another process": here(id=1, run="r", process="wait"),
        "another version": here(id=1, run="r", process="order", version="1.0.1"),
        "a range that does not take its version": here(
            id=1, run="r", process="order", version="^2"
        ),
    }.items():
        v.err(f"of this id is {about}", request, "conflict", has="expected actual")
    is_one = {"runs": [], "next": None}
    v.ok("all of these are one run", ask("run.list", path=path, after="r"), is_one)

    nan = {"total": Raw(["cb7ff8000000000000"], "NaN")}
    v.err("JSON has no NaN", of_files(id=1, input=nan), "bad_request", field="input.total")
    v.err("nor bytes", of_files(id=1, input={"a": Raw(["c401ff"], "bytes")}), "bad_request")
    of_store = of_files(id=1, prerelease=True)
    v.err("files have no pre-releases", of_store, "bad_request", field="prerelease")

    v.has("a run without an id gets one", of_files(), STARTED)
    for run in ("0", "_a", "A.b-c_1", "lock", "a.lock.b", b"bin", 100 * "a"):
        v.has(f"a run may be called {shows(run)}", here(run=run, files=["go.yaml"]), STARTED)
    as_bin = here(files=[b"order.yaml"], rev=b"main", process=b"order", actor=b"ada")
    v.has("texts as bin", as_bin, STARTED)
    v.has("an earlier one", of_files(rev="main~1"), STARTED)
    called = here(run="called", files=["bill.yaml", "wait.yaml"])
    v.has("one that calls another one beside it", called, STARTED)
    named = called | {"process": "bill", "files": ["wait.yaml", "bill.yaml"]}
    v.has("the same by its name, among files in another order", named, STARTED)
    v.has("the other one of these", named | {"run": "other", "process": "wait"}, STARTED)
    ended = here(run="ended", files=["go.yaml"])
    v.has("one that ends at once", ended, STARTED)
    v.has("which is answered with as it ended", ended, STARTED)
    numbers = {"total": 2**64 - 1, "low": -(2**63), "half": 0.5, "list": [None, True, {"": "ü"}]}
    v.has("an input of every kind", of_files(run="input", input=numbers), STARTED)
    v.has("the same input again", of_files(run="input", input=numbers), STARTED)
    attributes = {f"a-{number}_b.c": 488 * "x" for number in range(50)} | {"a-0_b.c": ""}
    v.has("as many attributes as there may be", of_files(attributes=attributes), STARTED)
    long = {"a": 499 * "x"}
    v.has("one that is as long as it may be", of_files(attributes=long), STARTED)
    v.has("a name that is as long as it may be", of_files(actor=200 * "a"), STARTED)

    drafted_ones(v, here)
    published_ones(v, here)
    for about, files, code in (
        ("a file that is not there", ["none.yaml"], "not_found"),
        ("no file", [], "not_found"),
        ("a name that leads out", ["../order.yaml"], "denied"),
        ("an absolute name", ["/order.yaml"], "denied"),
        ("an empty name", [""], "denied"),
        ("Git's own folder", [".git/config"], "denied"),
        ("a name with NUL", ["a\0"], "denied"),
        ("a process that it calls is not there", ["bill.yaml"], "invalid"),
        ("a step that is not there", ["lost.yaml"], "invalid"),
    ):
        v.err(f"files: {about}", here(id=1, run="none", files=files), code)
    odd = here(id=1, run="none", files=["odd.yaml"])
    v.err("files: a key that nobody knows", odd, "invalid", has="diagnostics")
    v.err("a process that is not in the files", of_files(id=1, process="none"), "not_found")
    v.err("a rev that is not there", of_files(id=1, rev="none"), "not_found")
    before = here(id=1, files=["wait.yaml"], rev="HEAD~1")
    v.err("a file that was not there", before, "not_found")
    v.err("a damaged file", ask(op, path=f"{TOP}/corrupt", files=["README.md"]), "corrupt")
    wrong_input = of_files(id=1, run="none", input={"total": "1"})
    v.err("an input that is not as the process says", wrong_input, "invalid")
    none = ask("run.get", path=path, run="none")
    v.err("nothing began where it was refused", none, "not_found")

    folder = {"folder": f"{TOP}/run-store"}
    for about, request, field in (
        ("nothing to run", here(id=1), "process"),
        ("a version of nothing", here(id=1, version="1.0.0"), "process"),
        ("a store of nothing", here(id=1, store=folder), "process"),
        ("a rev of a published process", here(id=1, process="order", rev="HEAD"), "rev"),
        ("files of a store", of_files(id=1, store=folder), "store"),
        ("a version of files", of_files(id=1, version="1.0.0"), "version"),
        ("a name that nothing is published by", here(id=1, process="a/b"), "process"),
        ("a rev that is none", of_files(id=1, rev="a b^{"), "rev"),
        ("more files than a request has", here(id=1, files=Repeat("a", 10_001)), "files"),
    ):
        v.err(about, request, "bad_request", field=field)
    for value in ("", "newest", "v1", "1.0.0+5"):
        request = here(id=1, process="order", version=value)
        v.err(f"the version {shows(value)}", request, "bad_request", field="version")
    good = {"files": ["order.yaml"]}
    on_runs(v, op, good)
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "run": [1, ["a"], b"\xff", *NO_RUNS],
        "files": [1, "order.yaml", {"a": 1}],
        "process": [1, "a\0"],
        "version": [1, "a\0"],
        "prerelease": [1, "yes"],
        "rev": [1, "a\0"],
        "input": [1, "a", ["a"], b"a"],
        "attributes": [1, "a", ["a"], {"": "a"}, {"a b": "a"}, {"ä": "a"}, {"a": " b"}],
        "actor": [1, "a\0", *NO_NAMES],
        "override": [1, "a\0", *NO_REASONS],
    }
    wrong["attributes"] += [{"a": "b\nc"}, {"a": 500 * "x"}, {f"a{it}": "" for it in range(51)}]
    wrong_types(v, op, {"path": path, **good}, wrong)
    wrong_types(v, op, {"path": path, "process": "order"}, {"store": [1, "a", {}]})
    parts: dict[str | None, list[Any]] = {
        "store.folder": [{"folder": "a"}, {"folder": 1}],
        "store.s3.bucket": [{"s3": {}}, {"s3": {"bucket": 1}}],
        None: [{"folder": "/a", "s3": {"bucket": "a"}}, {"bucket": "a"}],
    }
    wrong_parts(v, here(process="order"), "store", parts)
    wrong_parts(v, of_files(), "files", {"files[0]": [[1], [["order.yaml"]]]})
    wrong_parts(v, of_files(), "attributes", {"attributes.a": [{"a": 1}, {"a": None}]})
    wrong_parts(v, of_files(), "input", {"input.a": [{"a": b"a"}]})


def drafted_ones(v: Topic, here: Callable[..., dict[str, Any]]) -> None:
    """Runs of definitions that come with the request."""
    order, wait, bill = (
        git("show", f"main:{it}.yaml", at=f"{TOP}/running") for it in ("order", "wait", "bill")
    )
    sent = partial(here, encoding="utf8")
    one = sent(run="draft", drafts=[draft("order.yaml", order)])
    v.has("a run of a draft", one, STARTED)
    v.has("the same again", one, STARTED)
    v.has("and of the same file", here(run="draft", files=["order.yaml"]), STARTED)
    as_bin = here(run="draft", drafts=[draft(b"order.yaml", order.encode())])
    v.has("a draft as bin", as_bin, STARTED)
    coded = draft("order.yaml", base64.b64encode(order.encode()).decode())
    v.has("a draft in base64", here(run="draft", drafts=[coded]), STARTED)
    v.has("base64 by name", here(run="draft", drafts=[coded], encoding="base64"), STARTED)
    both = [draft("bill.yaml", bill), draft("wait.yaml", wait)]
    v.has("one that calls another draft", sent(run="drafts", drafts=both), STARTED)
    v.has("the other one", sent(run="drafted", drafts=both, process="wait"), STARTED)
    other = sent(id=1, run="draft", drafts=[draft("order.yaml", wait)])
    v.err("of this id is another draft", other, "conflict", has="expected actual")
    drafts = [draft("order.yaml", order)]
    for about, request, code in (
        ("a process that is not in the drafts", sent(drafts=drafts, process="none"), "not_found"),
        ("no draft", sent(drafts=[]), "not_found"),
        ("a draft that calls what is not there", sent(drafts=both[:1]), "invalid"),
        ("a draft that cannot be read", sent(drafts=[draft("a.yaml", "a: [")]), "invalid"),
    ):
        v.err(about, request | {"id": 1, "run": "none"}, code)
    folder = {"folder": f"{TOP}/run-store"}
    many = Repeat(draft("a", ""), 10_001)
    for about, request, field in (
        ("drafts and files", sent(drafts=drafts, files=["order.yaml"]), "drafts"),
        ("drafts of a rev", sent(drafts=drafts, rev="HEAD"), "rev"),
        ("drafts of a store", sent(drafts=drafts, store=folder), "store"),
        ("a version of drafts", sent(drafts=drafts, version="1.0.0"), "version"),
        ("a pre-release of drafts", sent(drafts=drafts, prerelease=True), "prerelease"),
        ("more drafts than a request has", here(drafts=many), "drafts"),
    ):
        v.err(about, request | {"id": 1}, "bad_request", field=field)
    v.err("a draft that is no base64", here(id=1, drafts=drafts), "bad_request")
    for part in (1, {}, {"file": "a.yaml"}, {"content": ""}, draft("a", "") | {"mode": "100644"}):
        v.err(f"the draft {shows(part)}", sent(id=1, drafts=[part]), "bad_request")
    wrong: dict[str, list[Any]] = {"drafts": [1, "order.yaml", drafts[0]]}
    wrong["encoding"] = [1, "latin"]
    wrong_types(v, "run.start", {"path": here()["path"], "drafts": drafts}, wrong)


def published_ones(v: Topic, here: Callable[..., dict[str, Any]]) -> None:
    """Runs of what is published, in the repository and elsewhere."""
    v.err("nothing is published yet", here(id=1, process="order"), "not_found")
    texts = {it: git("show", f"main:{it}.yaml", at=f"{TOP}/running") for it in ("order", "wait")}
    order = texts["order"]
    every = {f"order {it}": order.replace("1.0.0", it) for it in ("1.0.0", "1.1.0", "2.0.0-rc")}
    every |= {"wait": texts["wait"], "bill": git("show", "main:bill.yaml", at=f"{TOP}/running")}
    publish = partial(ask, "process.publish", encoding="utf8")
    for name, text in every.items():
        request = publish(path=here()["path"], content=text)
        v.has(f"{name} is published", request, "name version digest sha256")
    of = partial(here, process="order")
    v.has("the latest", of(run="latest"), STARTED)
    v.has("which is no pre-release", of(run="latest", version="1.1.0"), STARTED)
    v.has("the latest, pre-releases too", of(run="pre", prerelease=True), STARTED)
    v.has("which is one", of(run="pre", version="2.0.0-rc"), STARTED)
    v.has("one version", of(run="one", version="1.0.0"), STARTED)
    v.has("which any range that takes it answers with", of(run="one", version="1"), STARTED)
    newer = of(id=1, run="one", version="1.1.0")
    v.err("and no other version", newer, "conflict", has="expected actual")
    v.has("one that calls another published one", here(run="bill", process="bill"), STARTED)
    v.err("a version that is not published", of(id=1, version="1.0.1"), "not_found")
    v.err("a range of which none is published", of(id=1, version="^3"), "not_found")
    v.err("a process that is not published", here(id=1, process="other"), "not_found")
    store = {"folder": f"{TOP}/run-store"}
    elsewhere = publish(content=order, store=store)
    v.has("one is published in a folder", elsewhere, "name version digest sha256")
    v.has("which is run in the repository", of(run="stored", store=store), STARTED)
    v.has("where it is the same as one published there", of(run="stored", version="1"), STARTED)
    none = of(id=1, store=store, version="1.1.0")
    v.err("a version that is only in the repository", none, "not_found")
    v.err("a store that is not there", of(id=1, store={"folder": NOWHERE}), "not_found")


def run_get(v: Topic) -> None:
    op, path = "run.get", at("run.get")
    here = partial(ask, op, path=path)
    keys = "run process version digest input status final_status problem actor began_ms"
    keys += " updated_ms due_ms commit seq attributes forked data offers milestones children"
    begun(v, path, "r", input={"total": 5}, actor="ada", attributes={"customer": "acme"})
    v.has("one with something to do", here(run="r"), keys)
    v.has("the same, with an id", here(id=1, run=b"r"), keys)
    begun(v, path, "w", "wait.yaml")
    v.has("one that waits", here(run="w"), keys)
    paid = ask("run.signal", path=path, run="w", name="paid", key="p1")
    v.has("what it waits for comes", paid, MOVED)
    v.has("one that is done", here(run="w"), keys)
    begun(v, path, "g", "go.yaml")
    v.has("one without a version", here(run="g"), keys)
    stopped(v, path, "r")
    v.has("one that is cancelled", here(run="r"), keys)
    as_it_was(v, here, keys)
    fork = ask("run.fork", path=path, run="r", seq=1, new="forked", actor="eve")
    v.has("another one begins as it was", fork, AGAIN)
    v.has("one that was forked", here(run="forked"), keys)
    v.has("as it was before it was forked", here(run="forked", seq=1), keys)
    v.has("with its own first commit", here(id=1, run="forked", seq=2), keys)
    milestones(v, here, keys)
    children(v, here, keys)
    v.err("one that is not there", here(id=1, run="none"), "not_found")
    v.err("one of another repository", here(id=1, run="r") | {"path": BARE}, "not_found")
    on_runs(v, op, {"run": "r"}, "run")
    no_children = [it for it in NO_TASKS if "/" in it and it not in NO_RUNS]
    wrong = NO_TIMES | {"run": [*NO_TIMES["run"], *no_children]}
    wrong_types(v, op, {"path": path, "run": "r"}, wrong)


def milestones(v: Topic, here: Callable[..., dict[str, Any]], keys: str) -> None:
    """A run that reaches a milestone by itself, and another one when it is told of something."""
    path = here()["path"]
    begun(v, path, "m", "reach.yaml")
    v.has("one that has reached a milestone", here(run="m"), keys)
    v.has("as it was before", here(run="m", seq=1), keys)
    move = ask("run.signal", path=path, run="m", name="paid")
    v.has("it reaches another one", move, MOVED)
    v.has("one that has reached two, and has failed", here(run="m"), keys)
    failed = ask("run.list", path=path, status="failed", after="m")
    v.ok("the only one that has", failed, {"runs": [], "next": None})
    mine = ask("ref.update", id=1, path=path)
    for about, update in {
        "moves": {"ref": "refs/tags/milestone/m/begun", "to": "main"},
        "takes away": {"ref": "refs/tags/milestone/m/begun"},
        "makes": {"ref": "refs/tags/milestone/m/other", "to": "main"},
    }.items():
        request = mine | {"updates": [update]}
        v.err(f"nobody else {about} a milestone", request, "denied", has="rule")
    tag = partial(ask, "tag", id=1, path=path)
    for about, name, arguments in (
        ("makes", "other", {}),
        ("moves", "begun", {"target": "main", "force": True}),
        ("takes away", "begun", {"delete": True}),
    ):
        request = tag(tag=f"milestone/m/{name}", **arguments)
        v.err(f"nor {about} one as a tag", request, "denied", has="rule")


def children(v: Topic, here: Callable[..., dict[str, Any]], keys: str) -> None:
    """A run that calls another process, which waits."""
    path, child = here()["path"], f"called/{CALLED}"
    its = "run parent step process status commit data offers"
    called = ask("run.start", path=path, run="called", files=["bill.yaml", "wait.yaml"])
    v.has("one that calls another process begins", called, STARTED)
    v.has("with what it calls", here(run="called"), keys)
    v.has("what it calls", here(run=child), its)
    v.has("what it calls, with an id", here(id=1, run=child.encode()), its)
    v.has("what it calls, as it was with a commit", here(run=child, seq=2), its)
    for about, run in {
        "a number that is no call's": "called/1",
        "a number later than all": f"called/{2**64 - 1}",
        "a call of a run that calls nothing": f"r/{CALLED}",
        "a call of a run that is not there": f"none/{CALLED}",
    }.items():
        v.err(about, here(id=1, run=run), "not_found")
    for other in ("run.graph", "run.history", "run.verify", "run.cancel", "run.suspend"):
        request = ask(other, id=1, path=path, run=child)
        v.err(f"`{other}` takes no call", request, "bad_request", field="run")
    mine = {"ref": f"refs/workflow/children/called/{CALLED}", "to": "main"}
    request = ask("ref.update", id=1, path=path, updates=[mine])
    v.err("nobody else moves what it calls", request, "denied", has="rule")
    fork = ask("run.fork", path=path, run="called", new="twin")
    v.has("another one begins while it calls", fork, AGAIN)
    v.has("it calls as well", here(run="twin"), keys)
    v.has("what the other one calls", here(run=f"twin/{CALLED}"), its)
    paid = ask("run.signal", path=path, run="called", name="paid", key="p1")
    v.has("what the call waits for comes", paid, MOVED)
    v.has("what it called is done", here(run=child), its)
    v.has("and so is the run", here(run="called"), keys)
    waits = ask("run.list", path=path, process="bill", status="waiting")
    v.has("but not the other one", waits, "runs next")
    v.ok("which alone waits", waits | {"after": "twin"}, NO_LIST)


def as_it_was(v: Topic, here: Callable[..., dict[str, Any]], keys: str) -> None:
    """What `seq` may be: `r` is cancelled, `w` has waited, `g` ended at once."""
    for run in ("r", "w", "g"):
        v.has(f"{run} as it began", here(run=run, seq=1), keys)
        v.has(f"{run} with its second commit", here(run=run, seq=2), keys)
        to_come = here(id=1, run=run, seq=1000)
        v.err(f"{run} with a commit to come", to_come, "bad_request", field="seq")
    later = here(id=1, run="r", seq=2**64 - 1)
    v.err("later than anything", later, "bad_request", field="seq")
    v.has("a number that is nil is absent", here(run="r", seq=None), keys)
    v.err("none as it was is there", here(id=1, run="none", seq=1), "not_found")


def run_list(v: Topic) -> None:
    op, path = "run.list", at("run.list")
    here, none = partial(ask, op, path=path), {"runs": [], "next": None}
    v.ok("nothing yet", here(), none)
    v.ok("nothing of any kind", here(id=1, process="order", status="running", limit=10_000), none)
    begun(v, path, "a", actor="ada", attributes={"customer": "acme", "region": "eu"})
    begun(v, path, "b", "wait.yaml", actor="bob", attributes={"customer": "acme"})
    begun(v, path, "c", "go.yaml")
    v.has("all", here(), "runs next")
    v.has("with an id", here(id=1), "runs next")
    v.has("the first", here(limit=1), "runs next")
    v.has("the second", here(limit=1, after="a"), "runs next")
    v.ok("those after the last one", here(after="c"), none)
    v.ok("those after one that is not there", here(after="cc"), none)
    # Each of these has one of the three, and what comes after that has none.
    for about, arguments, run in (
        ("a process", {"process": "order"}, "a"),
        ("another process", {"process": "go"}, "c"),
        ("a version", {"version": "1.0.0", "process": "wait"}, "b"),
        ("something to do", {"status": "running"}, "a"),
        ("something to wait for", {"status": "waiting"}, "b"),
        ("an end", {"status": "done"}, "c"),
        ("a step to do", {"step": "pack"}, "a"),
        ("whoever began it", {"actor": "ada"}, "a"),
        ("an attribute", {"attributes": {"region": "eu"}}, "a"),
        ("two attributes", {"attributes": {"customer": "acme", "region": "eu"}}, "a"),
        ("all of it", {"process": "wait", "actor": "bob", "since_ms": 0, "until_ms": 2**62}, "b"),
    ):
        v.has(f"those with {about}", here(**arguments), "runs next")
        v.ok(f"those with {about}, after {run}", here(after=run, **arguments), none)
    for about, arguments in {
        "another process": {"process": "none"},
        "another version": {"version": "2.0.0"},
        "a status that no run has": {"status": "failed"},
        "one that is stuck": {"status": "stuck"},
        "one that is cancelled": {"status": "cancelled"},
        "a step that is not there": {"step": "none"},
        "a step that was done": {"step": "go"},
        "another one": {"actor": "carl"},
        "another value": {"attributes": {"customer": "other"}},
        "another attribute": {"attributes": {"colour": "acme"}},
        "attributes of different runs": {"actor": "bob", "attributes": {"region": "eu"}},
        "a time to come": {"since_ms": 2**62},
        "a time before": {"until_ms": 0},
        "a process and the status of another one": {"process": "order", "status": "done"},
    }.items():
        v.ok(f"none has {about}", here(**arguments), none)
    nothing = here(process=None, status=None, attributes=None, since_ms=None, after=None)
    v.has("arguments that are nil are absent", nothing, "runs next")
    v.has("no attribute", here(attributes={}), "runs next")
    v.has("texts as bin", here(process=b"order", after=b"a", actor=b"ada"), "runs next")
    stopped(v, path, "a")
    v.ok("nothing is to be done then", here(status="running"), none)
    v.ok("nor at its steps", here(step="pack"), none)
    v.has("it is cancelled", here(status="cancelled"), "runs next")
    v.ok("none is suspended", here(status="suspended"), none)
    v.has("one is", ask("run.suspend", path=path, run="b"), MOVED)
    v.has("those that are suspended", here(id=1, status="suspended"), "runs next")
    v.ok("there is one", here(status="suspended", after="b"), none)
    v.ok("it waits no more", here(status="waiting"), none)
    v.has("it is at its step all the same", here(step="paid", status="suspended"), "runs next")
    fork = ask("run.fork", path=path, run="a", seq=1, new="d", actor="eve")
    v.has("another one begins as the first was", fork, AGAIN)
    v.has("it is there", here(after="c"), "runs next")
    v.has("with the same attributes", here(after="c", attributes={"region": "eu"}), "runs next")
    v.has("begun by whoever forked it", here(actor="eve"), "runs next")
    on_runs(v, op, {})
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "process": [1, "a\0"],
        "version": [1, 1.0],
        "status": [1, "", "gone", "Done"],
        "step": [1, "a\0"],
        "actor": [1],
        "attributes": [1, "a", ["a"]],
        "since_ms": ["1", 1.5, 2**63],
        "until_ms": ["1", 1.5, 2**63],
        "limit": [0, 10_001, -1, "1", 1.5],
        "after": [1, "a\0"],
    }
    wrong_types(v, op, {"path": path}, wrong)
    wrong_parts(v, here(), "attributes", {"attributes.a": [{"a": 1}, {"a": None}]})


def run_history(v: Topic) -> None:
    op, path = "run.history", at("run.history")
    here = partial(ask, op, path=path, run="r")
    begun(v, path, "r")
    v.has("what happened", here(), "events next")
    v.has("with an id", here(id=1), "events next")
    v.has("the first", here(limit=1), "events next")
    v.has("the one after it", here(limit=1, after=1), "events next")
    v.has("as many as there may be", here(limit=10_000, after=0), "events next")
    none = {"events": [], "next": None}
    v.ok("nothing that late", here(after=1000), none)
    v.ok("nothing later than anything", here(after=2**64 - 1), none)
    v.err("one that is not there", here(id=1) | {"run": "none"}, "not_found")
    stopped(v, path, "r")
    v.has("of a run that has ended", here(), "events next")
    called = ask("run.start", path=path, run="called", files=["bill.yaml", "wait.yaml"])
    v.has("one that calls another one begins", called, STARTED)
    v.has("with a process that is called", here() | {"run": "called"}, "events next")
    told = partial(ask, path=path, run="r")
    for about, move, keys in (
        ("tried again", told("run.retry"), AGAIN),
        ("suspended", told("run.suspend"), MOVED),
        ("moved", told("run.migrate", files=["moved.yaml"], steps={"sign": "seal"}), MOVED),
        ("resumed", told("run.resume"), MOVED),
        ("forked", told("run.fork", new="f"), AGAIN),
    ):
        v.has(f"it is {about}", move, keys)
        v.has(f"what happened once it is {about}", here(), "events next")
    v.has("a fork has the history of what it began as", here(limit=1) | {"run": "f"}, "events next")
    v.has("and its own", here(limit=1, after=1) | {"run": "f"}, "events next")
    on_runs(v, op, {"run": "r"}, "run")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "run": [1, ["r"], b"\xff", *NO_RUNS],
        "limit": [0, 10_001, -1, "1", 1.5],
        "after": [-1, "1", 1.5],
    }
    wrong_types(v, op, {"path": path, "run": "r"}, wrong)


def run_graph(v: Topic) -> None:
    op, path, keys = "run.graph", at("run.graph"), "run picture"
    here = partial(ask, op, path=path)
    begun(v, path, "r")
    v.has("one with something to do", here(run="r"), keys)
    for word in ("svg", "dot", "mermaid"):
        v.has(f"as {word}", here(id=1, run="r", format=word), keys)
        v.has(f"as {word} when it began", here(run="r", format=word, seq=1), keys)
    v.has("a format that is nil is absent", here(run=b"r", format=None), keys)
    v.has("a format as bin", here(run="r", format=b"dot"), keys)
    held = ask("task.claim", path=path, worker="ann", lease_ms=DAY)
    v.has("a task is claimed", held, "tasks")
    v.has("one that somebody is at", here(run="r"), keys)
    begun(v, path, "w", "wait.yaml")
    v.has("one that waits", here(run="w"), keys)
    paid = ask("run.signal", path=path, run="w", name="paid", key="p1")
    v.has("what it waits for comes", paid, MOVED)
    v.has("one that is done", here(run="w"), keys)
    begun(v, path, "g", "go.yaml")
    v.has("one without a version", here(run="g"), keys)
    called = ask("run.start", path=path, run="called", files=["bill.yaml", "wait.yaml"])
    v.has("one that calls another one begins", called, STARTED)
    for word in ("svg", "dot", "mermaid"):
        v.has(f"with a process that is called, as {word}", here(run="called", format=word), keys)
    stopped(v, path, "r")
    v.has("one that is cancelled", here(run="r"), keys)
    as_it_was(v, here, keys)
    v.err("one that is not there", here(id=1, run="none"), "not_found")
    v.err("one of another repository", here(id=1, run="r") | {"path": BARE}, "not_found")
    on_runs(v, op, {"run": "r"}, "run")
    wrong = NO_TIMES | {"format": [1, "", "png", "SVG", ["svg"]]}
    wrong_types(v, op, {"path": path, "run": "r"}, wrong)


def run_verify(v: Topic) -> None:
    op, path = "run.verify", at("run.verify")
    here = partial(ask, op, path=path)

    def sound(
        about: str, run: str, commits: int, status: str, receipts: int = 0, **more: Any
    ) -> None:
        good = {"run": run, "ok": True, "commits": commits, "status": status}
        good |= {"receipts": receipts, "signed": 0, "problems": []}
        v.ok(about, here(run=run, **more), good)

    begun(v, path, "r")
    sound("one with something to do", "r", 2, "running")
    sound("with an id", "r", 2, "running", id=1)
    held = ask("task.claim", path=path, worker="ann", lease_ms=DAY)
    v.has("a task is claimed", held, "tasks")
    sound("which is a commit more", "r", 3, "running")
    begun(v, path, "w", "wait.yaml")
    sound("one that waits", "w", 1, "waiting")
    paid = ask("run.signal", path=path, run="w", name="paid", key="p1")
    v.has("what it waits for comes", paid, MOVED)
    sound("one that is done", "w", 6, "done", receipts=2)
    nobody = here(run="w", allowed_signers="")
    v.has("nobody may sign, and nobody has", nobody, VERIFIED)
    begun(v, path, "g", "go.yaml")
    sound("one without a version", "g", 3, "done")
    called = ask("run.start", path=path, run="called", files=["bill.yaml", "wait.yaml"])
    v.has("one that calls another one begins", called, STARTED)
    sound("with a process that is called", "called", 2, "waiting")
    stopped(v, path, "r")
    sound("one that is cancelled", "r", 5, "cancelled")
    v.has("a run as bin", here(run=b"r"), VERIFIED)
    # The fixture has a ref of a run at commits that are none.
    v.has("one that is none", here(run="forged"), VERIFIED)
    for other in ("run.get", "run.graph", "run.history"):
        v.err(f"as `{other}` says", ask(other, id=1, path=path, run="forged"), "corrupt")
    v.err("one that is not there", here(id=1, run="none"), "not_found")
    v.err("one of another repository", here(id=1, run="r") | {"path": BARE}, "not_found")
    at_once = here(id=1, run="r", seq=1)
    v.err("it is verified as it is", at_once, "bad_request", field="seq")
    no_signers(v, here(run="r"))
    on_runs(v, op, {"run": "r"}, "run")
    wrong = {argument: NO_TIMES[argument] for argument in ("path", "run")}
    wrong |= NO_SIGNERS
    wrong_types(v, op, {"path": path, "run": "r"}, wrong)


NO_SIGNERS: dict[str, list[Any]] = {
    "allowed_signers": [1, "a\0"],
    "allowed_signers_file": [1, "", "relative", "/a\0b"],
}
NO_FILTERS: dict[str, list[Any]] = {
    "path": [1],
    "run": [1, ["r"], b"\xff", *NO_RUNS],
    "process": [1, "a\0"],
    "version": [1, 1.0],
    "step": [1, "a\0"],
    "actor": [1, "a\0"],
    "worker": [1, "a\0"],
    "outcome": [1, "a\0"],
    "since_ms": ["1", 1.5, 2**63],
    "until_ms": ["1", 1.5, 2**63],
    "limit": [0, 10_001, -1, "1", 1.5],
}
# Each of these has something of the one receipt that there is, and the next one has not.
FILTERS: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("a run", {"run": "w"}, {"run": "v"}),
    ("a process", {"process": "wait"}, {"process": "order"}),
    ("a version", {"version": "1.0.0"}, {"version": "2.0.0"}),
    ("a step", {"step": "paid"}, {"step": "other"}),
    ("whoever did it", {"actor": "bob"}, {"actor": "carl"}),
    ("an outcome", {"outcome": "ok"}, {"outcome": "failed"}),
    ("a time", {"since_ms": 0, "until_ms": 2**62}, {"since_ms": 2**62}),
    ("all of it", {"run": "w", "step": "paid", "actor": "bob"}, {"until_ms": 0}),
)


def no_signers(v: Topic, good: dict[str, Any]) -> None:
    """Lists of who may sign that are none."""
    both = good | {"id": 1, "allowed_signers": "", "allowed_signers_file": "/tmp/none"}
    v.err("two lists", both, "bad_request", field="allowed_signers")
    odd = good | {"id": 1, "allowed_signers": "ada@example.org no-key"}
    v.err("a list that is none", odd, "invalid", line=1)
    gone = good | {"id": 1, "allowed_signers_file": f"{TOP}/nowhere"}
    v.err("a list that is not there", gone, "not_found")


def finished(v: Topic, path: str) -> None:
    """The run `w` is done: what it waited for has come, and it was closed."""
    begun(v, path, "w", "wait.yaml")
    paid = ask("run.signal", path=path, run="w", name="paid", key="p1", actor="bob")
    v.has("what it waits for comes", paid, MOVED)


def receipt_list(v: Topic) -> None:
    op, path = "receipt.list", at("receipt.list")
    here, none = partial(ask, op, path=path), {"receipts": [], "next": None}
    v.ok("nothing yet", here(), none)
    v.ok("nothing of any kind", here(id=1, process="order", worker="ann", limit=10_000), none)
    v.ok("no lines", here(format="jsonl"), {"text": "", "next": None})
    begun(v, path, "v", "wait.yaml")
    v.ok("nobody has done anything", here(), none)
    finished(v, path)
    v.has("all", here(), "receipts next")
    v.has("with an id", here(id=1), "receipts next")
    v.has("the first", here(limit=1), "receipts next")
    v.has("those of a run", here(run="w"), "receipts next")
    v.has("as lines", here(format="jsonl"), "text next")
    v.has("as a table", here(format="csv"), "text next")
    v.has("as they are", here(format="records"), "receipts next")
    v.ok("those after the last one", here(after=40 * "f"), none)
    v.has("those after any", here(after=40 * "0"), "receipts next")
    v.has("those after any, in capitals", here(after=40 * "A"), "receipts next")
    for about, one, other in FILTERS:
        v.has(f"those with {about}", here(**one), "receipts next")
        v.ok(f"not those with {about}", here(**other), none)
    nothing = here(run=None, process=None, since_ms=None, after=None)
    v.has("arguments that are nil are absent", nothing, "receipts next")
    v.has("texts as bin", here(process=b"wait", actor=b"bob", run=b"w"), "receipts next")
    v.ok("those of a run that is not there", here(run="none"), none)
    elsewhere = here(id=1, run="w", after=40 * "0")
    v.err("after none of the run's", elsewhere, "bad_request", field="after")
    on_runs(v, op, {})
    wrong = NO_FILTERS | {
        "after": [1, "", "abc", 39 * "0", 41 * "0", 40 * "g"],
        "format": [1, "", "json", "CSV"],
    }
    wrong_types(v, op, {"path": path}, wrong)


def receipt_get(v: Topic) -> None:
    op, path = "receipt.get", at("receipt.get")
    here = partial(ask, op, path=path)
    v.err("of what nobody has done", here(id=1, commit=40 * "0"), "not_found")
    finished(v, path)
    close = "w/7"
    keys = "commit receipt line signature ok apart problems"
    v.has("one of a task", here(task=close), keys)
    v.has("the same with an id, as bin", here(id=1, task=close.encode()), keys)
    v.has("of an attempt", here(task=close, attempt=1), keys)
    v.has("with nobody who may sign", here(task=close, allowed_signers=""), keys)
    v.err("of an attempt that was none", here(id=1, task=close, attempt=2), "not_found")
    v.err("of a task that is none", here(id=1, task="w/99"), "not_found")
    v.err("of a run that is not there", here(id=1, task="none/1"), "not_found")
    v.err("of a commit that is none", here(id=1, commit=40 * "1"), "not_found")
    v.err("of nothing", here(id=1), "bad_request", field="commit")
    both = here(id=1, task=close, commit=40 * "1")
    v.err("of both", both, "bad_request", field="commit")
    attempt = here(id=1, commit=40 * "1", attempt=1)
    v.err("an attempt of a commit", attempt, "bad_request", field="attempt")
    no_signers(v, here(task=close))
    on_runs(v, op, {"task": close})
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "commit": [1, "", "abc", 39 * "0", 41 * "0", 40 * "g"],
        "task": [1, ["w/7"], b"\xff", *NO_TASKS],
        "attempt": [-1, "1", 1.5],
    }
    without = {"path": path, "task": close}
    wrong_types(v, op, without, {name: wrong[name] for name in ("path", "task", "attempt")})
    wrong_types(v, op, {"path": path}, {"commit": wrong["commit"]})
    wrong_types(v, op, without, NO_SIGNERS)
    v.has("its run is pruned", ask("run.prune", path=path, runs=["w"]), PRUNED)
    v.has("the one of the task stays", here(task=close), keys)
    v.has("that of its attempt, too", here(id=1, task=close, attempt=1), keys)
    v.err("an attempt of it that was none", here(id=1, task=close, attempt=2), "not_found")
    v.err("a task of it that was none", here(id=1, task="w/99"), "not_found")


def receipt_verify(v: Topic) -> None:
    op, path = "receipt.verify", at("receipt.verify")
    here = partial(ask, op, path=path)
    keys = "ok runs receipts signed apart found problems"

    def sound(about: str, runs: int, receipts: int, apart: int = 0, **more: Any) -> None:
        good = {"ok": True, "runs": runs, "receipts": receipts, "signed": 0, "apart": apart}
        v.ok(about, here(**more), good | {"found": 0, "problems": []})

    sound("nothing yet", 0, 0)
    begun(v, path, "v", "wait.yaml")
    sound("nobody has done anything", 1, 0)
    finished(v, path)
    sound("all", 2, 2)
    sound("with an id", 2, 2, id=1)
    sound("of a run", 1, 2, run="w")
    sound("of another run", 1, 0, run="v")
    sound("of a process", 2, 2, process="wait")
    sound("of another process", 0, 0, process="order")
    sound("of a step", 2, 1, step="paid")
    sound("of whoever did it", 2, 1, actor="bob")
    sound("of nobody", 2, 0, worker="carl")
    sound("of a time", 2, 2, since_ms=0, until_ms=2**62)
    sound("of a time to come", 2, 0, since_ms=2**62)
    v.has("nobody may sign, and nobody has", here(allowed_signers=""), keys)
    v.has("of which few are told", here(allowed_signers="", limit=1), keys)
    v.err("of a run that is not there", here(id=1, run="none"), "not_found")
    no_signers(v, here())
    on_runs(v, op, {})
    wrong_types(v, op, {"path": path}, NO_FILTERS | NO_SIGNERS)
    v.has("a run is pruned", ask("run.prune", path=path, runs=["w"]), PRUNED)
    sound("its receipts stay", 1, 2, apart=2)
    sound("and are asked for by its id", 0, 2, apart=2, run="w")
    begun(v, path, "w", "go.yaml", about="another run of that id begins")
    sound("and the receipts of the first one are still right", 2, 2, apart=2)


def run_signal(v: Topic) -> None:
    op, path = "run.signal", at("run.signal")
    here = partial(ask, op, path=path, run="w", name="paid")
    waiting = ask("run.list", path=path, status="waiting", after="w")
    begun(v, path, "v", "wait.yaml")
    begun(v, path, "w", "wait.yaml")
    v.has("with another key it is not taken", here(key="p2"), MOVED)
    v.has("without a key neither", here(id=1), MOVED)
    v.has("an event that nobody waits for", here() | {"name": "other"}, MOVED)
    keys: list[Any] = [0, -1, 2**64 - 1, 0.5, True, "", [], {}, {"a": [None, 1.5, {"b": "ü"}]}]
    for key in keys:
        v.has(f"a key may be {shows(key)}", here(key=key), MOVED)
    v.has("texts as bin", here() | {"run": b"w", "name": b"other", "actor": b"ada"}, MOVED)
    v.has("a name that is as long as it may be", here() | {"name": 200 * "a"}, MOVED)
    v.ok("nothing after it waits", waiting, {"runs": [], "next": None})
    taken = here(key="p1", data={"by": "card"}, actor="bob")
    v.has("what it waits for", taken, MOVED)
    after_it = waiting | {"after": "v"}
    v.ok("it waits no more", after_it, {"runs": [], "next": None})
    v.err("once", taken | {"id": 1}, "conflict", has="expected actual")
    v.has("another run waits as before", taken | {"run": "v"}, MOVED)
    begun(v, path, "g", "go.yaml")
    v.err("a run that ended at once", here(id=1) | {"run": "g"}, "conflict")
    for key in (Raw(["cb7ff8000000000000"], "NaN"), {"a": Raw(["c401ff"], "bytes")}):
        field = "key.a" if isinstance(key, dict) else "key"
        v.err(f"JSON has no {shows(key)}", here(id=1, key=key), "bad_request", field=field)
    v.err("a run that is not there", here(id=1) | {"run": "none"}, "not_found")
    begun(v, path, "r")
    v.has("an event for one of many", here() | {"run": "r"}, MOVED)
    at_it = ask("run.list", path=path, step="paid", after="g")
    v.ok("of which the others go on", at_it, {"runs": [], "next": None})
    left = {"tasks": tasks_of("r"), "next": None}
    v.ok("as they were", ask("task.list", path=path, run="r"), left)
    on_runs(v, op, {"run": "w", "name": "paid"}, "run", "name")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "run": [1, ["r"], b"\xff", *NO_RUNS],
        "name": [1, "", 201 * "a", "a\0", b"\xff"],
        "key": [b"a"],
        "data": [1, "a", ["a"], True, b"a"],
        "actor": [1, "a\0", *NO_NAMES],
        "override": [1, "a\0", *NO_REASONS],
    }
    wrong_types(v, op, {"path": path, "run": "r", "name": "paid"}, wrong)
    wrong_parts(v, here() | {"run": "r"}, "data", {"data.a": [{"a": b"a"}]})


def run_cancel(v: Topic) -> None:
    op, path = "run.cancel", at("run.cancel")
    here = partial(ask, op, path=path)
    begun(v, path, "r")
    held = ask("task.claim", path=path, worker="ann", lease_ms=DAY)
    v.has("a task is claimed", held, "tasks")
    v.has("all that is left is withdrawn", here(run="r", actor="ada"), MOVED)
    v.ok("none goes on", ask("run.list", path=path, status="running"), {"runs": [], "next": None})
    none = ask("task.list", path=path)
    v.ok("nothing is to be done", none, {"tasks": [], "next": None})
    late = ask("task.complete", path=path, task=f"r/{ITEMS['check']}", **HELD)
    v.err("what was held is so no more", late, "conflict", has="expected actual")
    v.err("a second time", here(id=1, run="r"), "conflict", has="expected actual")
    begun(v, path, "w", "wait.yaml")
    v.has("one that waits", here(id=1, run=b"w"), MOVED)
    begun(v, path, "g", "go.yaml")
    v.err("one that ended by itself", here(id=1, run="g"), "conflict")
    v.err("one that is not there", here(id=1, run="none"), "not_found")
    again = "the same id and process again is that run"
    begun(v, path, "r", about=again)
    v.ok("which has ended", none, {"tasks": [], "next": None})
    on_runs(v, op, {"run": "r"}, "run")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "run": [1, ["r"], b"\xff", *NO_RUNS],
        "actor": [1, "a\0", *NO_NAMES],
        "override": [1, "a\0", *NO_REASONS],
    }
    wrong_types(v, op, {"path": path, "run": "r"}, wrong)


def run_suspend(v: Topic) -> None:
    op, path = "run.suspend", at("run.suspend")
    here, none = partial(ask, op, path=path), {"tasks": [], "next": None}
    begun(v, path, "r")
    held = ask("task.claim", path=path, worker="ann", lease_ms=DAY)
    v.has("a task is claimed", held, "tasks")
    v.has("nothing more of it is started", here(run="r", actor="ada"), MOVED)
    claim = partial(ask, "task.claim", path=path)
    for queue, worker, roles in (
        ("default", "bob", []),
        ("store", "bob", []),
        ("office", "ada", ["clerk"]),
    ):
        nothing = claim(worker=worker, queue=queue, roles=roles)
        v.ok(f"nothing of the queue {queue} is given to {worker}", nothing, {"tasks": []})
    v.err("one by its name neither", claim(id=1, worker="b", task=f"r/{ITEMS['pack']}"), "conflict")
    its = {"tasks": [task_of("r", "check", worker="ann")], "next": None}
    v.ok("what is held stays so", ask("task.list", path=path, worker="ann"), its)
    v.ok("what it offers is in no list", ask("task.list", path=path, run="r"), its)
    v.err("a second time", here(id=1, run="r"), "conflict")
    runs = partial(ask, "run.list", path=path)
    v.has("it is suspended", runs(status="suspended"), "runs next")
    v.ok("nothing of it can be done", runs(status="running"), NO_LIST)
    v.has("signals are taken", ask("run.signal", path=path, run="r", name="paid"), MOVED)
    v.ok("its step is done", runs(step="paid"), {"runs": [], "next": None})
    v.err("it is not tried again", ask("run.retry", id=1, path=path, run="r"), "conflict")
    unheld = ask("task.complete", id=1, path=path, task=f"r/{ITEMS['check']}", **HELD)
    v.err("what is held is another's", unheld, "conflict", has="expected actual")
    sound = {"run": "r", "ok": True, "commits": 6, "status": "suspended", "problems": []}
    sound |= {"receipts": 1, "signed": 0}
    v.ok("it is what its commits say", ask("run.verify", path=path, run="r"), sound)
    stopped(v, path, "r")
    v.ok("nothing is left of it", ask("task.list", path=path), none)
    v.err("one that was cancelled", here(id=1, run="r"), "conflict", has="expected actual")
    begun(v, path, "w", "wait.yaml")
    v.has("one that waits", here(id=1, run=b"w", actor=b"ada"), MOVED)
    paid = ask("run.signal", path=path, run="w", name="paid", key="p1")
    v.has("what it waits for comes", paid, MOVED)
    v.has("what comes after it does not", runs(status="suspended", process="wait"), "runs next")
    v.ok("so it is not done", runs(status="done"), NO_LIST)
    begun(v, path, "g", "go.yaml")
    v.err("one that ended by itself", here(id=1, run="g"), "conflict", has="expected actual")
    v.err("one that is not there", here(id=1, run="none"), "not_found")
    moves(v, op)


def moves(v: Topic, op: str, good: dict[str, Any] | None = None, **more: list[Any]) -> None:
    """What operations that move a run refuse."""
    good = {"run": "r", **(good or {})}
    on_runs(v, op, good, "run")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "run": [1, ["r"], b"\xff", *NO_RUNS, f"r/{CALLED}"],
        "actor": [1, "a\0", *NO_NAMES],
        **more,
    }
    wrong_types(v, op, {"path": at(op), **good}, wrong)


def run_resume(v: Topic) -> None:
    op, path = "run.resume", at("run.resume")
    here = partial(ask, op, path=path)
    suspend = partial(ask, "run.suspend", path=path)
    tasks = partial(ask, "task.list", path=path)
    begun(v, path, "r")
    v.err("one that was not suspended", here(id=1, run="r"), "conflict")
    v.has("it is suspended", suspend(run="r"), MOVED)
    v.has("it goes on", here(run="r", actor="ada"), MOVED)
    left = {"tasks": tasks_of("r"), "next": None}
    v.ok("with all that there was to do", tasks(run="r"), left)
    v.err("a second time", here(id=1, run="r"), "conflict")
    v.has("it is suspended again", suspend(run="r", actor="bob"), MOVED)
    v.has("and goes on again", here(id="again", run=b"r", actor=b"ada"), MOVED)
    claim = ask("task.claim", path=path, worker="ann", lease_ms=DAY)
    v.has("its tasks are given out", claim, "tasks")
    held = {"tasks": tasks_of("r", check="ann"), "next": None}
    v.ok("to whoever asks", tasks(run="r"), held)
    v.has("it is suspended while a task is held", suspend(run="r"), MOVED)
    v.has("it goes on while a task is held", here(run="r"), MOVED)
    v.ok("which is held as before", tasks(run="r"), held)
    begun(v, path, "w", "wait.yaml")
    v.has("one that waits is suspended", suspend(run="w"), MOVED)
    paid = ask("run.signal", path=path, run="w", name="paid", key="p1")
    v.has("what it waits for comes meanwhile", paid, MOVED)
    v.has("it goes on to its end", here(run="w"), MOVED)
    done = ask("run.list", path=path, status="done", after="w")
    v.ok("it is the last that is done", done, {"runs": [], "next": None})
    v.ok("none is suspended", done | {"status": "suspended", "after": None}, NO_LIST)
    v.err("one that has ended", here(id=1, run="w"), "conflict", has="expected actual")
    v.has("one is suspended", suspend(run="r"), MOVED)
    stopped(v, path, "r")
    late = here(id=1, run="r")
    v.err("one that was cancelled meanwhile", late, "conflict", has="expected actual")
    v.err("one that is not there", here(id=1, run="none"), "not_found")
    moves(v, op)


def run_retry(v: Topic) -> None:
    op, path = "run.retry", at("run.retry")
    here = partial(ask, op, path=path)
    details = {"has": "expected actual"}
    begun(v, path, "r", attributes={"customer": "acme"})
    v.err("one with something to do", here(id=1, run="r"), "conflict", **details)
    none = here(id=1, run="r", seq=0)
    v.err("one with something to do, from no commit", none, "bad_request", field="seq")
    claim = ask("task.claim", path=path, worker="ann", lease_ms=DAY)
    v.has("a task is claimed", claim, "tasks")
    stopped(v, path, "r")
    v.has("one that was cancelled", here(run="r", actor="ada"), AGAIN)
    offered = {"tasks": tasks_of("r"), "next": None}
    v.ok("what was held is offered anew", ask("task.list", path=path, run="r"), offered)
    v.err("a second time", here(id=1, run="r"), "conflict", **details)
    claimed = "it is given to whoever asks"
    v.has(claimed, claim | {"worker": "bob"}, "tasks")
    held = {"tasks": tasks_of("r", check="bob"), "next": None}
    v.ok(f"{claimed}: bob has it", ask("task.list", path=path, run="r"), held)
    sound = {"run": "r", "ok": True, "commits": 7, "status": "running", "problems": []}
    sound |= {"receipts": 0, "signed": 0}
    v.ok("nothing is taken away", ask("run.verify", path=path, run="r"), sound)
    again = ask("run.cancel", path=path, run="r", actor="ada")
    v.has("it is cancelled again", again, MOVED)
    v.has("from a commit", here(id=1, run=b"r", seq=1, actor=b"ada"), AGAIN)
    v.ok("all is offered from there", ask("task.list", path=path, run="r"), offered)
    v.has("and cancelled once more", again | {"actor": "bob"}, MOVED)
    late = here(id=1, run="r", seq=4)
    v.err("from the commit 4, with which it had ended", late, "conflict", **details)
    for seq in (1000, 2**64 - 1):
        to_come = here(id=1, run="r", seq=seq)
        v.err(f"from the commit {seq}, which is to come", to_come, "bad_request", field="seq")
    v.has("a number that is nil is absent", here(run="r", seq=None, actor=None), AGAIN)

    begun(v, path, "m", "reach.yaml")
    v.err("one that waits", here(id=1, run="m"), "conflict", **details)
    failing = ask("run.signal", path=path, run="m", name="paid")
    v.has("it fails of what it waits for", failing, MOVED)
    v.has("one that failed", here(run="m"), AGAIN)
    waits = ask("run.list", path=path, status="waiting", step="paid", after="m")
    v.has("it waits again", waits | {"after": None}, "runs next")
    v.ok("it alone", waits, {"runs": [], "next": None})
    v.has("it fails again", failing | {"data": {"round": 2}}, MOVED)
    v.has("from its beginning", here(run="m", seq=1), AGAIN)
    v.has("it is suspended", ask("run.suspend", path=path, run="m"), MOVED)
    v.err("one that is suspended", here(id=1, run="m"), "conflict", **details)
    begun(v, path, "g", "go.yaml")
    v.err("one that is done", here(id=1, run="g"), "conflict", **details)
    v.err("one that is done, from a commit", here(id=1, run="g", seq=1), "conflict", **details)
    v.err("one that is not there", here(id=1, run="none"), "not_found")
    v.has("it ends for good", again | {"id": 1}, MOVED)
    moves(v, op, seq=NO_TIMES["seq"])


def run_fork(v: Topic) -> None:
    op, path = "run.fork", at("run.fork")
    here = partial(ask, op, path=path)
    details = {"has": "expected actual"}
    tasks = partial(ask, "task.list", path=path)
    begun(v, path, "r", actor="ada", attributes={"customer": "acme"})
    as_it_began = here(run="r", seq=1, new="a", actor="eve")
    v.has("another one as it began", as_it_began, AGAIN)
    v.has("the same again, with an id", as_it_began | {"id": 1}, AGAIN)
    v.ok("with its tasks", tasks(run="a"), {"tasks": tasks_of("a"), "next": None})
    v.ok("which are left to it, too", tasks(run="r"), {"tasks": tasks_of("r"), "next": None})
    claim = ask("task.claim", path=path, worker="ann", task=f"r/{ITEMS['check']}", lease_ms=DAY)
    v.has("a task is claimed", claim, "tasks")
    v.has("another one as it is now", here(run=b"r", new=b"b", actor=b"eve"), AGAIN)
    as_it_is = here(id=1, run="r", new="b", actor="eve")
    v.has("the same again, which is no other one", as_it_is, AGAIN)
    v.ok("what is held is offered there", tasks(run="b"), {"tasks": tasks_of("b"), "next": None})
    held = {"tasks": tasks_of("r", check="ann"), "next": None}
    v.ok("and held as before", tasks(run="r"), held)
    v.err("another one of that name", here(id=1, run="r", seq=1, new="b"), "conflict", **details)
    sound = {"ok": True, "status": "running", "problems": []}
    sound |= {"receipts": 0, "signed": 0}
    for run, commits in {"a": 3, "b": 4, "r": 3}.items():
        verify = ask("run.verify", path=path, run=run)
        v.ok(f"{run} is what its commits say", verify, {"run": run, "commits": commits, **sound})
    v.has("one that is called as it comes", here(run="r"), AGAIN)
    v.has("nil is absent", here(run="r", seq=None, new=None, actor=None), AGAIN)
    v.has("a fork of a fork", here(run="b", new="c"), AGAIN)
    v.has("a fork of a fork as it was before", here(run="b", seq=1, new="e"), AGAIN)
    v.ok("has all to do", tasks(run="e"), {"tasks": tasks_of("e"), "next": None})
    for seq in (5, 1000, 2**64 - 1):
        late = here(id=1, run="b", seq=seq)
        v.err(f"the commit {seq}, which is to come", late, "bad_request", field="seq")
    stopped(v, path, "r")
    v.err("one that was cancelled, as it is", here(id=1, run="r"), "conflict", **details)
    v.has("one that was cancelled, as it was", here(run="r", seq=1, new="d"), AGAIN)
    v.ok("goes on", tasks(run="d"), {"tasks": tasks_of("d"), "next": None})
    v.err("itself", here(id=1, run="b", new="b"), "conflict", **details)
    v.err("one that is another run", here(id=1, run="b", new="r"), "conflict", **details)
    for run in ("0", "_a", "A.b-c_1", "lock", "a.lock.b", 100 * "a"):
        v.has(f"it may be called {shows(run)}", here(run="b", new=run), AGAIN)
    begun(v, path, "g", "go.yaml")
    v.err("one that is done", here(id=1, run="g"), "conflict", **details)
    v.err("one that was done at once", here(id=1, run="g", seq=1), "conflict", **details)
    begun(v, path, "w", "wait.yaml")
    v.has("one that waits", here(run="w", new="x"), AGAIN)
    paid = ask("run.signal", path=path, run="x", name="paid", key="p1")
    v.has("what the other one waits for comes", paid, MOVED)
    one = ask("run.list", path=path, process="wait", status="waiting", after="w")
    v.ok("what it was forked from waits", one | {"after": "x"}, NO_LIST)
    v.ok("and nothing else", one, NO_LIST)
    v.err("one that is not there", here(id=1, run="none"), "not_found")
    moves(v, op, seq=NO_TIMES["seq"], new=[1, ["a"], b"\xff", *NO_RUNS, f"r/{CALLED}"])


def run_migrate(v: Topic) -> None:
    op, path = "run.migrate", at("run.migrate")
    here = partial(ask, op, path=path, run="r")
    of_files = partial(here, files=["moved.yaml"])
    tasks = ask("task.list", path=path, run="r")
    begun(v, path, "r")
    claim = ask("task.claim", path=path, worker="ann", lease_ms=DAY)
    v.has("a task is claimed", claim, "tasks")
    as_before: dict[str, Any] = {"tasks": tasks_of("r", check="ann"), "next": None}
    there = here(id=1, files=["order.yaml"])
    v.err("to what it follows already", there, "conflict", has="actual")
    v.err("to where a step is not", of_files(id=1), "conflict", has="missing")
    for about, steps in {
        "a new name that is not there": {"sign": "none"},
        "an old name that is not there": {"sign": "seal", "none": "stamp"},
        "two steps that become one": {"sign": "stamp"},
        "two names for one": {"sign": "seal", "stamp": "seal"},
    }.items():
        v.err(about, of_files(id=1, steps=steps), "bad_request", field="steps")
    v.ok("nothing has changed", tasks, as_before)
    sealed = of_files(steps={"sign": "seal"}, actor="ada")
    v.has("to where each has a place", sealed, MOVED)
    moved = [it | {"version": "2.0.0"} for it in as_before["tasks"]]
    for task in moved:
        task["step"] = {"sign": "seal"}.get(task["step"], task["step"])
    v.ok("all is as it was, there", tasks, {"tasks": moved, "next": None})
    v.has("it is at its step", ask("run.list", path=path, step="seal"), "runs next")
    v.has("it is of that version", ask("run.list", path=path, version="2.0.0"), "runs next")
    v.err("a second time", sealed | {"id": 1}, "conflict", has="actual")
    sound = {"run": "r", "ok": True, "commits": 4, "status": "running", "problems": []}
    sound |= {"receipts": 0, "signed": 0}
    v.ok("it is what its commits say", ask("run.verify", path=path, run="r"), sound)
    back = here(id="back", files=[b"order.yaml"], rev=b"main", steps={"seal": "sign"}, actor=b"b")
    v.has("back, with texts as bin", back, MOVED)
    v.ok("it is as it was", tasks, as_before)
    v.has("to the files of another rev", here(files=["order.yaml"], rev="HEAD~1"), MOVED)
    empty = here(files=["order.yaml"], version=None, prerelease=False, store=None, steps={})
    v.has("nil is absent", empty, MOVED)
    v.has("one is suspended", ask("run.suspend", path=path, run="r"), MOVED)
    v.has("which moves all the same", sealed, MOVED)
    v.has("and goes on", ask("run.resume", path=path, run="r"), MOVED)
    v.has("back once more", back, MOVED)
    moved_to_published(v, path)

    for about, request, code in (
        ("a file that is not there", here(files=["none.yaml"]), "not_found"),
        ("a rev that is not there", of_files(rev="none"), "not_found"),
        ("a file that was not there", of_files(rev="HEAD~1"), "not_found"),
        ("no file", here(files=[]), "not_found"),
        ("files of another process", here(files=["wait.yaml"]), "not_found"),
        ("a name that leads out", here(files=["../order.yaml"]), "denied"),
        ("an absolute name", here(files=["/order.yaml"]), "denied"),
        ("an empty name", here(files=[""]), "denied"),
        ("Git's own folder", here(files=[".git/config"]), "denied"),
        ("a key that nobody knows", here(files=["odd.yaml"]), "invalid"),
    ):
        v.err(f"files: {about}", request | {"id": 1}, code)
    called = ask("run.start", path=path, run="called", files=["bill.yaml", "wait.yaml"])
    v.has("one that calls another process", called, STARTED)
    alone = here(id=1, files=["bill.yaml"]) | {"run": "called"}
    v.err("without what it calls", alone, "invalid")
    begun(v, path, "g", "go.yaml")
    over = of_files(id=1) | {"run": "g"}
    v.err("one that has ended", over, "conflict", has="expected actual")
    v.err("one that is not there", of_files(id=1) | {"run": "none"}, "not_found")

    folder = {"folder": f"{TOP}/run-store"}
    for about, request, field in (
        ("a rev of a published process", here(id=1, rev="HEAD"), "rev"),
        ("files of a store", of_files(id=1, store=folder), "store"),
        ("a version of files", of_files(id=1, version="1.0.0"), "version"),
        ("pre-releases of files", of_files(id=1, prerelease=True), "prerelease"),
        ("a rev that is none", of_files(id=1, rev="a b^{"), "rev"),
        ("more files than a request has", here(id=1, files=Repeat("a", 10_001)), "files"),
        ("another process", of_files(id=1, process="order"), "process"),
    ):
        v.err(about, request, "bad_request", field=field)
    for value in ("", "newest", "v1", "1.0.0+5"):
        request = here(id=1, version=value)
        v.err(f"the version {shows(value)}", request, "bad_request", field="version")
    wrong: dict[str, list[Any]] = {
        "files": [1, "order.yaml", {"a": 1}],
        "rev": [1, "a\0"],
        "steps": [1, "a", ["a"], b"a"],
    }
    moves(v, op, {"files": ["moved.yaml"]}, **wrong)
    others: dict[str, list[Any]] = {
        "version": [1, "a\0"],
        "prerelease": [1, "yes"],
        "store": [1, "a", {}],
    }
    wrong_types(v, op, {"path": path, "run": "r"}, others)
    wrong_parts(v, of_files(), "files", {"files[0]": [[1], [["order.yaml"]]]})
    wrong_parts(v, of_files(), "steps", {"steps.a": [{"a": 1}, {"a": None}, {"a": ["b"]}]})


def moved_to_published(v: Topic, path: str) -> None:
    """A run of files goes on by what is published, in the repository and elsewhere."""
    here = partial(ask, "run.migrate", path=path, run="r")
    v.err("nothing is published yet", here(id=1), "not_found")
    order = git("show", "main:order.yaml", at=f"{TOP}/running")
    publish = partial(ask, "process.publish", encoding="utf8")
    keys = "name version digest sha256"
    for version in ("1.1.0", "1.2.0", "2.0.0-rc"):
        request = publish(path=path, content=order.replace("1.0.0", version))
        v.has(f"{version} is published", request, keys)
    v.has("to one version", here(version="1.1.0"), MOVED)
    v.has("to the latest of a range", here(version="^1"), MOVED)
    latest = here(id=1, version="latest")
    v.err("which is the latest", latest, "conflict", has="actual")
    v.has("pre-releases too", here(prerelease=True), MOVED)
    v.has("to the latest", here(id=1), MOVED)
    v.err("a version that is not published", here(id=1, version="1.0.1"), "not_found")
    v.err("a range of which none is published", here(id=1, version="^3"), "not_found")
    store = {"folder": f"{TOP}/migrate-store"}
    v.err("a store that is not there", here(id=1, store=store), "not_found")
    elsewhere = publish(content=order.replace("1.0.0", "1.3.0"), store=store)
    v.has("one is published in a folder", elsewhere, keys)
    v.has("to one of a store", here(store=store), MOVED)
    only = here(id=1, store=store, version="1.1.0")
    v.err("a version that is only in the repository", only, "not_found")


def run_prune(v: Topic) -> None:
    op, path, keys = "run.prune", at("run.prune"), PRUNED
    here = partial(ask, op, path=path)
    nothing = {"runs": [], "more": False, "file": None, "bytes": None}
    file, details = f"{TOP}/pruned.bundle", {"has": "expected actual"}
    runs = partial(ask, "run.list", path=path)
    v.ok("there is none", here(keep=0), nothing)
    for run in ("a", "b", "c"):
        begun(v, path, run, "go.yaml")
    begun(v, path, "r")
    begun(v, path, "s")
    begun(v, path, "w", "wait.yaml")
    v.has("one is suspended", ask("run.suspend", path=path, run="s"), MOVED)
    for about, arguments in {
        "no run has ended so long ago": {"keep_ms": DAY},
        "nor longer ago than anything": {"keep_ms": 2**64 - 1},
        "as many may stay as there are": {"keep": 3},
        "or more": {"keep": 2**32},
        "none is named": {"runs": []},
        "another process": {"keep": 0, "process": "none"},
        "a process of which none has ended": {"keep": 0, "process": "order"},
        "a status that no run has": {"keep": 0, "status": "failed"},
        "one of another process": {"runs": ["a"], "process": "order"},
        "one of another status": {"runs": ["a"], "status": "cancelled"},
    }.items():
        v.ok(about, here(**arguments), nothing)
    v.has("which would go", here(id=1, keep=0, dry_run=True), keys)
    v.has("which one would go", here(runs=["b"], dry_run=True, to=file), keys)
    v.has("none is gone", runs(limit=3), "runs next")
    v.ok("none was written", here(keep=3, to=file), nothing)
    for run in ("r", "s", "w"):
        request = here(id=1, runs=["a", run])
        v.err(f"{run} is under way", request, "conflict", **details)
    v.err("one that is not there", here(id=1, runs=["a", "none"]), "not_found")
    v.has("and the one beside it stays", ask("run.get", path=path, run="a"), MOVED)
    v.err("a file that is there", here(id=1, keep=0, to=f"{FOLDER}/one.yaml"), "already_exists")
    v.err("a folder", here(id=1, keep=0, to=FOLDER), "bad_request", field="to")
    v.err("a folder that is not there", here(id=1, keep=0, to=f"{NOWHERE}/a"), "not_found")

    v.has("the first to end, into a file", here(keep=1, limit=1, to=file), keys)
    v.err("it is gone", ask("run.get", id=1, path=path, run="a"), "not_found")
    v.err("the file is there", here(id=1, keep=0, to=file), "already_exists")
    v.has("the next, in its place", here(id=1, keep=1, to=file, overwrite=True), keys)
    v.ok("no more than so many are left", here(keep=1), nothing)
    v.has("one by its name", here(runs=[b"c"], process=b"go", status=b"done"), keys)
    v.ok("of the ended none is left", runs(status="done"), NO_LIST)
    begun(v, path, "a", "wait.yaml", about="its id begins another one")
    stopped(v, path, "a")
    stopped(v, path, "s")
    cancelled = here(keep=0, status="cancelled", process="wait", limit=10_000)
    v.has("those that were cancelled", cancelled, keys)
    v.ok("of that process", cancelled, nothing)
    of_nil = here(keep=0, runs=None, keep_ms=None, process=None, status=None, to=None, limit=None)
    v.has("nil is absent", of_nil, keys)
    v.ok("twice", of_nil, nothing)
    v.has("those that are under way stay", runs(limit=2), "runs next")
    left = {"tasks": tasks_of("r"), "next": None}
    v.ok("as they were", ask("task.list", path=path), left)

    v.err("no rule", here(id=1), "bad_request")
    v.err("no rule but a process", here(id=1, process="go"), "bad_request")
    v.err("those named, and a number", here(id=1, runs=["r"], keep=0), "bad_request", field="runs")
    v.err("those named, and a time", here(id=1, runs=["r"], keep_ms=0), "bad_request", field="runs")
    on_runs(v, op, {"keep": 0})
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "keep": [-1, "1", 1.5, True],
        "keep_ms": [-1, "1", 1.5, True],
        "process": [1, "a\0"],
        "status": [1, "", "gone", "Done", "running", "waiting", "stuck", "suspended"],
        "to": [1, "a", "", f"{TOP}/../a"],
        "overwrite": [1, "yes"],
        "limit": [0, 10_001, -1, "1", 1.5],
        "dry_run": [1, "yes"],
    }
    wrong_types(v, op, {"path": path, "keep": 0}, wrong)
    wrong_types(v, op, {"path": path}, {"runs": [1, "a", {"a": 1}]})
    for run in NO_RUNS:
        v.err(f"a run called {shows(run)}", here(id=1, runs=[run]), "bad_request")
    wrong_parts(v, here(), "runs", {"runs[0]": [[1], [["a"]]]})


def task_claim(v: Topic) -> None:
    op, path = "task.claim", at("task.claim")
    here = partial(ask, op, path=path)
    v.ok("nothing is there", here(worker="ann"), {"tasks": []})
    v.ok("nor after waiting", here(id=1, worker="ann", wait_ms=10), {"tasks": []})
    v.ok("texts as bin", here(worker=b"ann", queue=b"default", types=[b"a"]), {"tasks": []})
    nothing = here(worker="ann", queue=None, types=None, roles=None, max=None, wait_ms=None)
    v.ok("arguments that are nil are absent", nothing, {"tasks": []})
    most = here(worker=200 * "a", max=1000, lease_ms=DAY, types=[], roles=[])
    v.ok("as much as there may be", most, {"tasks": []})
    begun(v, path, "r")
    for about, arguments in {
        "another queue": {"queue": "none"},
        "a queue without a name": {"queue": ""},
        "no type": {"types": []},
        "another type": {"types": ["shelf", "other"]},
        "a task of somebody else, and of roles": {"queue": "office"},
        "another role": {"queue": "office", "roles": ["boss"]},
        "another type in the queue": {"queue": "store", "types": [""]},
    }.items():
        v.ok(f"nothing for {about}", here(worker="ann", **arguments), {"tasks": []})
    holds = partial(ask, "task.list", path=path)

    def given(about: str, worker: str, step: str, run: str = "r", **arguments: Any) -> None:
        v.has(about, here(worker=worker, lease_ms=DAY, **arguments), "tasks")
        is_its = {"tasks": [task_of(run, step, worker=worker)], "next": None}
        v.ok(f"{about}: it has it", holds(run=run, worker=worker), is_its)

    given("a task", "ann", "check")
    v.ok("once", here(worker="bob"), {"tasks": []})
    given("one of a type", "bob", "pack", queue="store", types=["other", "shelf"])
    given("one of a role", "carl", "stamp", queue="office", roles=["boss", "lead"])
    given("one that is for nobody else", "ada", "sign", queue="office", max=10)
    v.ok("nothing is left", here(worker="ada", queue="office", roles=["clerk"]), {"tasks": []})
    workers = {"pack": "bob", "check": "ann", "sign": "ada", "stamp": "carl"}
    v.ok("who does what", holds(run="r"), {"tasks": tasks_of("r", **workers), "next": None})

    named = here(id=1, worker="ann", task=f"r/{ITEMS['check']}")
    v.err("one by its name that is held", named, "conflict")
    begun(v, path, "n")
    sign = f"n/{ITEMS['sign']}"
    v.err("one by its name that is for another worker", named | {"task": sign}, "denied")
    stamp = named | {"task": f"n/{ITEMS['stamp']}"}
    v.err("one by its name that is for a role", stamp | {"roles": ["boss"]}, "denied")
    for step, worker, roles in (
        ("pack", "bob", []),
        ("sign", "ada", []),
        ("stamp", "carl", ["lead"]),
    ):
        by_name = {"task": f"n/{ITEMS[step]}", "roles": roles}
        given(f"{step} by its name", worker, step, "n", **by_name)
    v.err("one by its name that is there no more", named | {"task": "n/9999"}, "conflict")
    v.err("one of a run that is not there", named | {"task": "none/8"}, "not_found")
    stopped(v, path, "n")

    begun(v, path, "s")
    several = here(worker="ada", queue="office", roles=["clerk"], max=3, lease_ms=DAY)
    v.has("several", several, "tasks")
    both = [task_of("s", step, worker="ada") for step in ("sign", "stamp")]
    v.ok("two of them", holds(run="s", worker="ada"), {"tasks": both, "next": None})
    given("the empty type is that of a step without", "dora", "check", "s", types=[""])
    v.has("one for a moment", here(worker="ann", queue="store", lease_ms=1), "tasks")
    waiting = here(id=1, worker="bob", queue="store", wait_ms=1000, lease_ms=DAY)
    v.has("it is offered again", waiting, "tasks")
    over = {"tasks": [task_of("s", "pack", worker="bob")], "next": None}
    v.ok("to whoever waits", holds(run="s", queue="store"), over)

    waits = here(id=1, worker="eve", wait_ms=DAY, lease_ms=DAY)
    begins = ask("run.start", id=2, path=path, run="t", files=["order.yaml"])
    done = [
        [("code", "ok"), ("id", 1), ("has", "tasks")],
        [("code", "ok"), ("id", 2), ("has", STARTED)],
    ]
    v.talk("who waits is given what begins", [waits, begins], done)
    hers = {"tasks": [task_of("t", "check", worker="eve")], "next": None}
    v.ok("and holds it", holds(worker="eve"), hers)
    for_ever = here(id=1, worker="eve", queue="none", wait_ms=DAY)
    ends = ask("cancel", id=2, request=1)
    cancelled = [refusal(for_ever, "cancelled"), answer(ends, True)]
    v.talk("waiting is cancelled", [for_ever, ends], cancelled)
    v.err("or takes too long", for_ever | {"timeout_ms": 10}, "timeout", has="timeout_ms")
    v.err("nobody waits for nothing", for_ever | {"path": NOWHERE}, "not_found")
    on_runs(v, op, {"worker": "ann"}, "worker")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "worker": [1, ["ann"], "a\0", b"\xff", *NO_NAMES],
        "override": [1, "a\0", "nothing that is named", *NO_REASONS],
        "task": [1, ["r/8"], b"\xff", *NO_TASKS],
        "queue": [1, "a\0"],
        "types": [1, "shelf", {"a": 1}],
        "roles": [1, "lead", {"a": 1}],
        "max": [0, 1001, -1, "1", 1.5],
        "lease_ms": [0, DAY + 1, -1, "1", 1.5],
        "wait_ms": [-1, DAY + 1, "1", 1.5],
    }
    wrong_types(v, op, {"path": path, "worker": "ann"}, wrong)
    wrong_parts(v, here(worker="ann"), "types", {"types[0]": [[1], ["a\0"]]})
    wrong_parts(v, here(worker="ann"), "roles", {"roles[1]": [["a", 1], ["a", "a\0"]]})


def held_tasks(v: Topic, op: str, rest: dict[str, Any], wrong: dict[str, list[Any]]) -> None:
    """What is told to whoever does not hold a task. A token depends on the clock, so what comes of
    a good one is for suites.
    """
    path, task = at(op), f"r/{ITEMS['check']}"
    begun(v, path, "r")
    here = partial(ask, op, path=path, **rest, **HELD)
    details = {"has": "expected actual"}
    v.err("nobody holds it", here(id=1, task=task), "conflict", **details)
    claim = ask("task.claim", path=path, worker="ann", lease_ms=DAY)
    v.has("it is claimed", claim, "tasks")
    v.err("another token", here(id=1, task=task), "conflict", **details)
    v.err("another token of its worker", here(task=task, worker="ann"), "conflict", **details)
    v.err("another worker", here(task=task, worker="bob"), "conflict", **details)
    v.err("texts as bin", here(task=task.encode(), worker=b"ann"), "conflict", **details)
    v.err("one that is offered", here(task=f"r/{ITEMS['pack']}"), "conflict", **details)
    v.err("one that never was", here(task=f"r/{2**64 - 1}"), "conflict", **details)
    v.err("a run that is not there", here(id=1, task="none/8"), "not_found")
    as_it_was = {"tasks": tasks_of("r", check="ann"), "next": None}
    v.ok("nothing has changed", ask("task.list", path=path), as_it_was)
    stopped(v, path, "r")
    v.err("its run has ended", here(id=1, task=task), "conflict", **details)
    good = {"task": task, **rest, **HELD}
    on_runs(v, op, good, "task", "token")
    wrong = {
        "path": [1],
        "task": [1, ["r/8"], b"\xff", *NO_TASKS],
        "token": [1, "a\0", b"\xff"],
        "worker": [1, "a\0", *NO_NAMES],
        **wrong,
    }
    wrong_types(v, op, {"path": path, **good}, wrong)


def task_complete(v: Topic) -> None:
    op = "task.complete"
    wrong: dict[str, list[Any]] = {"outcome": [1, "a\0"], "data": [1, "a", ["a"], True, b"a"]}
    wrong["override"] = [1, "a\0", *NO_REASONS]
    held_tasks(v, op, {"outcome": "ok", "data": {"total": 1}}, wrong)
    some = ask(op, path=at(op), task="r/8", **HELD)
    wrong_parts(v, some, "data", {"data.a": [{"a": b"a"}]})


def task_fail(v: Topic) -> None:
    op = "task.fail"
    wrong: dict[str, list[Any]] = {
        "message": [1, "a\0"],
        "type": [1, 201 * "a", "a\0"],
        "retry": [1, "no"],
        "override": [1, "a\0", *NO_REASONS],
    }
    held_tasks(v, op, {"message": "it broke", "type": "network", "retry": False}, wrong)
    missing(v, op, {"path": at(op), "task": "r/8", **HELD, "message": "it broke"}, "message")


def task_heartbeat(v: Topic) -> None:
    wrong: dict[str, list[Any]] = {"lease_ms": [0, DAY + 1, -1, "1", 1.5]}
    held_tasks(v, "task.heartbeat", {"lease_ms": DAY}, wrong)


def task_release(v: Topic) -> None:
    held_tasks(v, "task.release", {}, {})


STARTS = """\
process_name: starts
process_version: "1.0.0"
triggers:
  - {name: pushed, push: main, description: whatever it is}
  - {semver: true}
steps: [{step_id: a}]
"""
PUSHED = {"process": "starts", "version": "1.0.0", "trigger": "pushed"}
SECOND = PUSHED | {"trigger": "2"}


def with_triggers(v: Topic, path: str) -> None:
    request = ask("process.publish", path=path, content=STARTS, encoding="utf8")
    v.has(
        "a process with triggers is published",
        request,
        "name version digest sha256 created",
    )


def trigger_list(v: Topic) -> None:
    op, path = "trigger.list", at("trigger.list")
    here = partial(ask, op, path=path)
    v.ok("nothing yet", here(), {"triggers": []})
    with_triggers(v, path)
    quiet = {"kind": "commit", "paused": False, "fired": None, "next_ms": None}
    quiet |= {"waiting": 0, "problem": None}
    pushed = PUSHED | {"description": "whatever it is"} | quiet
    second = SECOND | {"description": None} | quiet
    v.ok("its triggers", here(), {"triggers": [pushed, second]})
    pause = ask("trigger.pause", path=path, process="starts", trigger="2")
    v.has("one is paused", pause, "process trigger paused")
    told = {"triggers": [pushed, second | {"paused": True}]}
    v.ok("which is told, with an id", here(id=1), told)
    on_runs(v, op, {})
    wrong_types(v, op, {"path": path}, {"path": [1]})


def trigger_test(v: Topic) -> None:
    op, path = "trigger.test", at("trigger.test")
    here = partial(ask, op, path=path)
    tip = id_of("main", at=path)

    def tested(reference: str, *triggers: dict[str, Any]) -> dict[str, Any]:
        return {"commits": [{"commit": tip, "ref": reference, "triggers": list(triggers)}]}

    def fires(trigger: dict[str, Any]) -> dict[str, Any]:
        run = f"{trigger['process']}.{trigger['trigger']}.{tip[:12]}"
        return trigger | {"fires": True, "run": run, "unmet": None}

    def unmet(trigger: dict[str, Any], condition: str, why: str) -> dict[str, Any]:
        told = {"condition": condition, "why": why}
        return trigger | {"fires": False, "run": None, "unmet": told}

    main, none = "refs/heads/main", unmet(SECOND, "semver", "there is no tag")
    v.ok("nothing is published", here(), tested(main))
    with_triggers(v, path)
    v.ok("a branch", here(rev="main"), tested(main, fires(PUSHED), none))
    v.ok("what HEAD is on, with an id", here(id=1), tested(main, fires(PUSHED), none))
    said = here(rev=b"main", ref=b"main", before=b"main~1", process=b"starts")
    v.ok("all of it, as bin", said, tested(main, fires(PUSHED), none))
    v.ok("a whole name", here(rev=tip, ref=main), tested(main, fires(PUSHED), none))
    first = id_of("main~1", at=path)
    run = {"run": f"starts.pushed.{first[:12]}"}
    before = {"commit": first, "ref": main, "triggers": [fires(PUSHED) | run, none]}
    both = {"commits": [before, *tested(main, fires(PUSHED), none)["commits"]]}
    v.ok("a ref that is made, with all its commits", here(before=40 * "0"), both)
    dev = unmet(PUSHED, "push", "the branch `dev` is none of `main`")
    v.ok("another branch", here(ref="dev"), tested("refs/heads/dev", dev, none))
    tag = unmet(PUSHED, "tag", "a tag starts only what asks for tags")
    version = here(ref="refs/tags/v1.2.3")
    v.ok("a version", version, tested("refs/tags/v1.2.3", tag, fires(SECOND)))
    vague = unmet(SECOND, "semver", "it is not a tag such as v1.2.3")
    v.ok("no version", here(ref="refs/tags/v1"), tested("refs/tags/v1", tag, vague))
    v.ok("definitions without any", here(files=["order.yaml"]), tested(main))
    nil = here(rev=None, ref=None, before=None, process=None, files=None)
    v.ok("arguments that are nil are absent", nil, tested(main, fires(PUSHED), none))
    v.err("a process without triggers", here(id=1, process="other"), "not_found")
    v.err("a revision that is not there", here(id=1, rev="none"), "not_found")
    v.err("a place that is not there", here(id=1, before="none"), "not_found")
    v.err(
        "a commit that no ref is named by",
        here(id=1, rev=tip),
        "bad_request",
        field="ref",
    )
    for wrong in ("refs/notes/a", "refs/heads"):
        v.err(f"`{wrong}` is no branch", here(id=1, ref=wrong), "bad_request", field="ref")
    v.err("a file that is no process", here(id=1, files=["odd.yaml"]), "invalid")
    on_runs(v, op, {})
    wrong_types(
        v,
        op,
        {"path": path},
        {
            "path": [1],
            "rev": [1, "a\0"],
            "ref": [1, "a\0"],
            "before": [1, "a\0"],
            "process": [1, "a\0"],
            "files": [1, "order.yaml", {}],
        },
    )


def paused(v: Topic, op: str, *, is_paused: bool) -> None:
    path = at(op)
    good = {"process": "starts", "trigger": "pushed"}
    here = partial(ask, op, path=path, **good)
    v.err("nothing is published", here(id=1), "not_found")
    with_triggers(v, path)
    value = good | {"paused": is_paused}
    v.ok("one of them", here(), value)
    v.ok("the same again, with an id", here(id=1), value)
    v.ok("by its number", here() | {"trigger": "2"}, value | {"trigger": "2"})
    v.ok("as bin", here() | {"process": b"starts", "trigger": b"pushed"}, value)
    v.err("another trigger", here(id=1) | {"trigger": "1"}, "not_found")
    v.err("another process", here(id=1) | {"process": "other"}, "not_found")
    on_runs(v, op, good, "process", "trigger")
    wrong = {"path": [1], "process": [1, "a\0"], "trigger": [1, "a\0"]}
    wrong_types(v, op, {"path": path, **good}, wrong)


def trigger_pause(v: Topic) -> None:
    paused(v, "trigger.pause", is_paused=True)


def trigger_resume(v: Topic) -> None:
    paused(v, "trigger.resume", is_paused=False)


def task_list(v: Topic) -> None:
    op, path = "task.list", at("task.list")
    here, none = partial(ask, op, path=path), {"tasks": [], "next": None}
    v.ok("nothing yet", here(), none)
    begun(v, path, "a")
    begun(v, path, "b")
    all_of = {run: tasks_of(run) for run in "ab"}
    v.ok("all", here(id=1), {"tasks": [*all_of["a"], *all_of["b"]], "next": None})
    v.ok("of one run", here(run="b"), {"tasks": all_of["b"], "next": None})
    v.ok("of one that is not there", here(run="none"), none)
    third = all_of["a"][2]["task"]
    v.ok("the first three", here(limit=3), {"tasks": all_of["a"][:3], "next": third})
    rest = {"tasks": [all_of["a"][3], *all_of["b"]], "next": None}
    v.ok("those after them", here(after=third), rest)
    last = {"tasks": all_of["a"][3:], "next": None}
    v.ok("after one that is not there", here(after="a/11", run="a", limit=10_000), last)
    v.ok("after the last one", here(after="b/12"), none)
    for about, arguments, step in (
        ("a queue", {"queue": "store"}, "pack"),
        ("types", {"types": ["other", "shelf"]}, "pack"),
        ("a queue and no type", {"queue": "default", "types": [""]}, "check"),
        ("texts as bin", {"queue": b"store", "types": [b"shelf"]}, "pack"),
    ):
        both = {"tasks": [task_of(run, step) for run in "ab"], "next": None}
        v.ok(f"those of {about}", here(**arguments), both)
    for about, arguments in {
        "another queue": {"queue": "none"},
        "no type": {"types": []},
        "another type": {"types": ["other"]},
        "a worker that has none": {"worker": "ann"},
        "a type in another queue": {"queue": "office", "types": ["shelf"]},
    }.items():
        v.ok(f"none of {about}", here(**arguments), none)
    nothing = here(run="b", queue=None, types=None, worker=None, limit=None, after=None)
    v.ok("arguments that are nil are absent", nothing, {"tasks": all_of["b"], "next": None})
    claim = ask("task.claim", path=path, worker="ann", queue="store", max=2, lease_ms=DAY)
    v.has("two are claimed", claim, "tasks")
    held = [task_of(run, "pack", worker="ann") for run in "ab"]
    v.ok("those of a worker", here(worker="ann"), {"tasks": held, "next": None})
    v.ok("among others", here(run="a"), {"tasks": tasks_of("a", pack="ann"), "next": None})
    suspend = ask("run.suspend", path=path, run="b")
    v.has("one is suspended", suspend, MOVED)
    v.ok("what it offers is left out", here(run="b"), {"tasks": held[1:], "next": None})
    v.ok("among all, too", here(), {"tasks": [*tasks_of("a", pack="ann"), held[1]], "next": None})
    v.has("it goes on", suspend | {"op": "run.resume"}, MOVED)
    v.ok("it is there again", here(run="b"), {"tasks": tasks_of("b", pack="ann"), "next": None})
    stopped(v, path, "a")
    v.ok("a run that has ended has none", here(worker="ann"), {"tasks": held[1:], "next": None})
    begun(v, path, "w", "wait.yaml")
    v.ok("what is waited for is no task", here(run="w"), none)
    on_runs(v, op, {})
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "run": [1, ["r"], b"\xff", *NO_RUNS],
        "queue": [1, "a\0"],
        "types": [1, "shelf", {"a": 1}],
        "worker": [1, "a\0"],
        "limit": [0, 10_001, -1, "1", 1.5],
        "after": [1, b"\xff", *NO_TASKS],
    }
    wrong_types(v, op, {"path": path}, wrong)
    wrong_parts(v, here(), "types", {"types[0]": [[1], ["a\0"]]})


def task_subscribe(v: Topic) -> None:
    op, path = "task.subscribe", at("task.subscribe")
    here = partial(ask, op, path=path, worker="ann")
    v.err("without an id", here(), "bad_request", field="id")
    v.err("an id that is nil", here(id=None), "bad_request", field="id")
    waits = here(id=1, queue="none", credits=1000, lease_ms=DAY)
    ends = ask("cancel", id=2, request=1)
    cancelled = [refusal(waits, "cancelled"), answer(ends, True)]
    v.talk("it is answered when it is cancelled", [waits, ends], cancelled)
    named = waits | {"id": "mine", "worker": b"ann", "queue": b"none"}
    cancelled = [refusal(named, "cancelled"), answer(ends, True)]
    v.talk("texts as bin", [named, ends | {"request": "mine"}], cancelled)
    v.err("or takes too long", waits | {"timeout_ms": 10}, "timeout", has="timeout_ms")
    nil = here(id=1, queue=None, types=None, roles=None, credits=None, lease_ms=None, timeout_ms=10)
    v.err("arguments that are nil are absent", nil, "timeout", has="timeout_ms")
    begun(v, path, "r")
    begun(v, path, "s")
    # The events are not seen here, but what they have brought is.
    once = here(id=1, lease_ms=DAY, timeout_ms=1000)
    v.err("a task is sent", once, "timeout", has="timeout_ms")
    holds = partial(ask, "task.list", path=path)
    its = {"tasks": [task_of("r", "check", worker="ann")], "next": None}
    v.ok("for a credit, and is held", holds(worker="ann"), its)
    clerk = once | {"worker": "carl", "queue": "office", "roles": ["clerk"], "credits": 3}
    v.err("several are sent", clerk, "timeout", has="timeout_ms")
    stamps = [task_of(run, "stamp", worker="carl") for run in "rs"]
    v.ok("but none that is for others", holds(worker="carl"), {"tasks": stamps, "next": None})
    typed = once | {"worker": "bob", "queue": "store", "types": [""], "timeout_ms": 10}
    v.err("nor one of another type", typed, "timeout", has="timeout_ms")
    v.ok("to nobody", holds(worker="bob"), {"tasks": [], "next": None})
    on_runs(v, op, {"worker": "ann"}, "worker", id=1)
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "worker": [1, ["ann"], "a\0", b"\xff", *NO_NAMES],
        "queue": [1, "a\0"],
        "types": [1, "shelf", {"a": 1}],
        "roles": [1, "lead", {"a": 1}],
        "credits": [0, 1001, -1, "1", 1.5, True],
        "lease_ms": [0, DAY + 1, -1, "1", 1.5],
        "wait_ms": [1],
        "max": [1],
        "task": ["r/8"],
    }
    wrong_types(v, op, {"path": path, "worker": "ann"}, wrong)
    wrong_parts(v, here(), "types", {"types[0]": [[1], ["a\0"]]})
    wrong_parts(v, here(), "roles", {"roles[1]": [["a", 1], ["a", "a\0"]]})


def task_credit(v: Topic) -> None:
    op, path = "task.credit", at("task.credit")
    here = partial(ask, op, credits=1)
    for request in (12345, "none", -1, 2**64 - 1):
        v.ok(f"for {shows(request)}, which nobody asked", here(id=1, request=request), False)
    v.ok("without an id of its own", here(request=12345), False)
    v.ok("as many as there may be", here(request=12345, credits=1000), False)
    sends = ask("task.subscribe", id=1, path=path, worker="ann")
    claims = ask("task.claim", id=1, path=path, worker="ann", wait_ms=DAY)
    ends = ask("cancel", id=3, request=1)
    for about, waits, is_there in (
        ("who is sent tasks is given more", sends, True),
        ("who claims them is not", claims, False),
    ):
        more = here(id=2, request=1)
        back = [refusal(waits, "cancelled"), answer(more, is_there), answer(ends, True)]
        v.talk(about, [waits, more, ends], back)
    v.ok("nor who was sent some before", here(id=2, request=1), False)
    unknown = here(id=1, request=1, colour="red")
    v.err("an argument that nobody knows", unknown, "bad_request", field="colour")
    near = here(id=1, request=1, credit=1)
    v.err("an argument that is misspelt", near, "bad_request", field="credit", nearest="credits")
    wrong: dict[str, list[Any]] = {"request": [1.5, True, [1], b"a", "", 129 * "a"]}
    wrong_types(v, op, {"credits": 1}, wrong)
    wrong_types(v, op, {"request": 1}, {"credits": [0, 1001, -1, "1", 1.5, True]})
    missing(v, op, {"request": 1, "credits": 1}, "request", "credits")


def maintain(v: Topic) -> None:
    op = "maintain"
    message = {"purge_after_ms": 1}
    v.err(
        "purging one repository",
        ask(op, id=1, path=BARE, **message),
        "bad_request",
        field="purge_after_ms",
    )
    v.err("all workspaces without a data directory", ask(op), "unsupported")
    v.err("no repository", ask(op, id=1, path=FOLDER), "not_found")


def workspace_info(v: Topic) -> None:
    a_workspace(v, "workspace.info")


def workspace_delete(v: Topic) -> None:
    a_workspace(v, "workspace.delete")


def workspace_restore(v: Topic) -> None:
    a_workspace(v, "workspace.restore")


def workspace_export(v: Topic) -> None:
    op = "workspace.export"
    good = {"path": REPOSITORY, "format": "tar.gz"}
    v.has("an archive", ask(op, **good), "content bytes sha format")
    v.has(
        "a bundle of a branch",
        ask(op, id=1, path=BARE, rev="side", format="bundle"),
        "content bytes sha format",
    )
    v.has(
        "a folder as zip",
        ask(op, id=1, **good | {"format": "zip", "paths": ["deploy"]}),
        "content bytes sha format",
    )
    v.err(
        "a zip of a name that is no UTF-8", ask(op, id=1, **good | {"format": "zip"}), "unsupported"
    )
    v.err(
        "a path that is not there",
        ask(op, id=1, paths=["none"], **good),
        "not_found",
        field="paths",
    )
    for field, value in {"prefix": "a", "paths": ["a"]}.items():
        request = ask(op, id=1, **good | {"format": "bundle", field: value})
        v.err(f"a bundle has no `{field}`", request, "bad_request", field=field)
    v.err("a rev that names nothing", ask(op, id=1, rev="none", **good), "not_found")
    v.err(
        "a rev that names no commit",
        ask(op, id=1, rev="main^{tree}", **good),
        "bad_request",
        field="rev",
    )
    v.err("an unborn HEAD", ask(op, id=1, **good | {"path": EMPTY}), "not_found")
    v.err(
        "a folder is no place for a file",
        ask(op, id=1, to=FOLDER, **good),
        "bad_request",
        field="to",
    )
    v.err("a file that is there", ask(op, id=1, to=f"{FOLDER}/one.yaml", **good), "already_exists")
    v.err("a prefix that leads out", ask(op, id=1, prefix="../a", **good), "denied")
    v.err(
        "an object that is damaged", ask(op, id=1, **good | {"path": f"{TOP}/corrupt"}), "corrupt"
    )
    v.err(
        "a path and a workspace",
        ask(op, id=1, workspace="a", **good),
        "bad_request",
        field="workspace",
    )
    no_workspaces(v, op, {"format": "tar.gz"})
    wrong = {
        "format": [1, "rar", ""],
        "to": [1, "a"],
        "overwrite": [1],
        "paths": ["a"],
        "encoding": ["hex"],
    }
    wrong_types(v, op, {k: good[k] for k in good}, wrong)
    missing(v, op, good, "path", "format")


def workspace_import(v: Topic) -> None:
    op, good = "workspace.import", {"from": {"sqlite": "/srv/old.db"}}
    no_workspaces(v, op, good)
    missing(v, op, {"workspace": "a", **good}, "workspace")
    path = ask(op, id=1, workspace="a", path=REPOSITORY, **good)
    v.err("there is no path", path, "bad_request", field="path", nearest="workspace")
    # Without a data directory nothing else is looked at.
    for source in ({}, {"sqlite": 1}, {"bundle": "relative"}):
        v.err(
            f"no data directory, whatever `from` is: {shows(source)}",
            ask(op, id=1, workspace="a", **{"from": source}),
            "unsupported",
        )


def workspace_imported(v: Topic) -> None:
    a_workspace(v, "workspace.imported")


PEOPLE = """\
policy: 1
roles: {clerk: [ann, bob], admin: [root]}
rules:
  - {name: begin, on: [start, cancel], process: order, allow: ["role:clerk"]}
  - {name: no-bots, on: [claim], deny: ["bot-*"]}
  - {name: policies, on: [policy], allow: ["role:admin"]}
four_eyes: [{name: two, process: order, steps: [check, pack]}]
protected: [{name: main, refs: [refs/heads/main], allow: [ann]}]
exec: [{name: tools, programs: [/usr/bin/make]}]
git: [{name: tags, actions: [tag], refs: ["refs/tags/*"]}]
"""
SET = "name commit was"


def people(v: Topic, path: str, about: str = "who may do what") -> None:
    request = ask("policy.set", path=path, name="people", policy=PEOPLE, actor="root")
    v.has(about, request, SET)


def policy_set(v: Topic) -> None:
    op, path = "policy.set", at("policy.set")
    here = partial(ask, op, path=path, name="people")
    v.has("one of nothing", here(policy="policy: 1"), SET)
    v.has("the same again, with an id", here(id=1, policy="policy: 1"), SET)
    v.has("a map", here(policy={"policy": 1, "rules": []}), SET)
    v.has("as bin", here(policy=PEOPLE.encode(), actor=b"root") | {"name": b"people"}, SET)
    nothing = here(policy=PEOPLE, actor="root", expect=None, sign=None, force=None)
    v.has("arguments that are nil are absent", nothing, SET)
    v.err("by somebody else", here(id=1, policy="policy: 1"), "denied", has="rule")
    v.err("another one by nobody", here(id=1, policy="policy: 1") | {"name": "b"}, "denied")
    mine = partial(here, id=1, actor="root")
    elsewhere = mine(policy="policy: 1", expect=40 * "0")
    v.err("it is elsewhere", elsewhere, "conflict", has="expected actual")
    lock = "policy: 1\nrules: [{name: a, on: [policy], allow: []}]"
    v.err("one that locks everybody out", mine(policy=lock), "denied", has="rule")
    for about, text in {
        "no YAML": "{",
        "nothing": "",
        "another version": "policy: 2",
        "no version": "rules: []",
        "a list": "[1]",
        "an unknown key": "policy: 1\nrulez: []",
        "two documents": "policy: 1\n---\npolicy: 1",
        "a rule that says nothing": "policy: 1\nrules: [{name: a, on: [claim]}]",
        "an action that there is not": "policy: 1\nrules: [{name: a, on: [go], allow: []}]",
        "a name twice": "policy: 1\nfour_eyes: [{name: a, steps: []}, {name: a, steps: []}]",
        "a pattern that is none": "policy: 1\nroles: {a: ['[']}",
        "signatures without signers": "policy: 1\nsigned: [{name: a, of: policy}]",
    }.items():
        v.err(f"what says {about}", mine(policy=text), "invalid", field="policy")
    large = mine(policy="policy: 1\ndescription: " + 262_144 * "a")
    v.err("one that is too large", large, "too_large", has="limit")
    meant = mine(policy=lock, force=True) | {"name": "lock"}
    v.has("one that is meant to lock everybody out", meant, SET)
    on_runs(v, op, {"name": "a", "policy": "policy: 1"}, "name", "policy")
    names = ["", ".", "a/b", "x.lock", "-a", "a..b", "a b", "é", "a\0", 101 * "a"]
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "name": [1, b"\xff", *names],
        "policy": [1, ["policy"], True, b"\xff"],
        "actor": [1, "a\0", *NO_NAMES],
        "expect": [1, "main"],
        "sign": [1, "key", []],
        "force": [1, "yes"],
    }
    wrong_types(v, op, {"path": path, "name": "b", "policy": "policy: 1"}, wrong)


def policy_get(v: Topic) -> None:
    op, path = "policy.get", at("policy.get")
    here = partial(ask, op, path=path)
    v.ok("nothing yet", here(), {"policies": []})
    people(v, path)
    v.has("all", here(id=1), "policies")
    v.has("one", here(name="people"), "policies")
    v.has("texts as bin", here(name=b"people"), "policies")
    v.ok("of another repository", here(id=1) | {"path": BARE}, {"policies": []})
    v.err("one that is not there", here(id=1, name="none"), "not_found")
    v.err("a commit of another one", here(id=1, name="people", rev=40 * "0"), "not_found")
    v.err("a commit of any", here(id=1, rev=40 * "0"), "bad_request", field="rev")
    on_runs(v, op, {})
    wrong = {"path": [1], "name": [1, "", "a/b", "a\0"], "rev": [1, "a\0"]}
    wrong_types(v, op, {"path": path, "name": "people"}, wrong)


def policy_remove(v: Topic) -> None:
    op, path = "policy.remove", at("policy.remove")
    here = partial(ask, op, path=path, name="people")
    v.err("one that is not there", here(id=1), "not_found")
    people(v, path)
    v.err("by somebody else", here(id=1, actor="ann"), "denied", has="rule")
    elsewhere = here(id=1, actor="root", expect=40 * "0")
    v.err("it is elsewhere", elsewhere, "conflict", has="expected actual")
    v.has("by who may", here(actor="root", expect=None, force=None), "name was")
    v.ok("it is gone", ask("policy.get", path=path), {"policies": []})
    people(v, path, "it may be there again")
    v.has("as bin, with an id", here(id=1, actor=b"root") | {"name": b"people"}, "name was")
    on_runs(v, op, {"name": "a"}, "name")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "name": [1, "", "a/b", "a\0"],
        "actor": [1, "a\0", *NO_NAMES],
        "expect": [1, "main"],
        "force": [1, "yes"],
    }
    wrong_types(v, op, {"path": path, "name": "people"}, wrong)


def policy_check(v: Topic) -> None:
    op, path = "policy.check", at("policy.check")
    here = partial(ask, op, path=path, actor="ann")
    free = {"allowed": True, "rule": None, "overridden": [], "why": []}
    v.ok("what nobody forbids", here(action="start", process="order"), free)
    begun(v, path, "r")
    people(v, path)

    def decided(about: str, rule: str | None, verdict: str, says: str, **more: Any) -> None:
        why = [{"rule": rule, "verdict": verdict, "says": says}]
        allowed = verdict not in ("denies", "forbids")
        said = None if verdict in ("passes", "elsewhere") else rule
        value = {"allowed": allowed, "rule": said, "overridden": [], "why": why}
        v.ok(about, here(**more), value)

    clerks, begin = "allows `role:clerk`", "people/begin"
    decided("who may begin", begin, "allows", clerks, action="start", process="order")
    other = {"action": "start", "process": "order", "actor": "zoe"}
    decided("who may not", begin, "forbids", clerks, **other)
    run = {"action": "cancel", "run": "r", "actor": b"zoe"}
    decided("of a run", begin, "forbids", clerks, **run)
    elsewhere = "is about something else"
    decided("another process", begin, "elsewhere", elsewhere, action="start", process="go")
    admins = {"action": "policy", "policy": "people", "actor": "root"}
    decided("a policy", "people/policies", "allows", "allows `role:admin`", **admins)
    main = {"action": "move", "ref": "refs/heads/main"}
    decided("a ref", "people/main", "allows", "allows `ann`", **main)
    lacks = "lets nobody move it to what lacks what it had"
    decided("by force", "people/main", "denies", lacks, **main | {"action": "force"})
    gone = "lets nobody delete it"
    decided("away", "people/main", "denies", gone, **main | {"action": "delete"})
    v.ok("a ref that is not protected", here(**main | {"ref": "refs/heads/x"}), free)
    make = {"action": "exec", "process": "p", "step": "s", "program": "/usr/bin/make"}
    decided("a program", "people/tools", "allows", "has it on its list", **make)
    lacking = "does not have it on its list"
    cc = make | {"program": "cc"}
    decided("another program", "people/tools", "forbids", lacking, **cc)
    tag = {"action": "git", "process": "p", "step": "s", "git": "tag", "ref": "refs/tags/a"}
    decided("a tag", "people/tags", "allows", "has it on its list", **tag)
    merge = tag | {"git": "merge"}
    decided("a merge", "people/tags", "forbids", lacking, **merge)
    claim = here(id=1, action="claim", run="r", step="check", roles=["a"], override="none else")
    v.has("a step", claim, "allowed rule overridden why")
    v.err("a run that is not there", here(id=1, action="cancel", run="none"), "not_found")
    for about, field, arguments in (
        ("a process beside a run", "process", {"action": "start", "process": "p", "run": "r"}),
        ("a policy for another action", "policy", {"action": "start", "policy": "p"}),
        ("a ref for an action on runs", "ref", {"action": "start", "ref": "refs/heads/a"}),
        ("a program for a ref", "program", main | {"program": "a"}),
        ("a run for a program", "run", make | {"run": "r"}),
        ("a program for what git does", "program", tag | {"program": "a"}),
        ("no ref", "ref", {"action": "move"}),
        ("no program", "program", {"action": "exec", "process": "p", "step": "s"}),
        ("no step", "step", {"action": "exec", "process": "p", "program": "a"}),
        ("nothing that git does", "git", tag | {"git": None}),
        ("an unknown deed", "git", tag | {"git": "push"}),
    ):
        v.err(about, here(id=1, **arguments), "bad_request", field=field)
    on_runs(v, op, {"actor": "ann", "action": "start"}, "actor", "action")
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "actor": [1, "a\0", *NO_NAMES],
        "action": [1, "", "begin", "a\0"],
        "process": [1, "a\0"],
        "step": [1, "a\0"],
        "run": [1, *NO_RUNS],
        "policy": [1, "a\0"],
        "roles": [1, "a"],
        "ref": [1, "a\0"],
        "program": [1, "a\0"],
        "git": [1, "a\0"],
        "override": [1, "a\0", *NO_REASONS],
    }
    wrong_types(v, op, {"path": path, "actor": "ann", "action": "start"}, wrong)
    wrong_types(v, op, {"path": path, "actor": "ann", "action": "move"}, {"ref": ["HEAD~", "a"]})


def policy_denials(v: Topic) -> None:
    op, path = "policy.denials", at("policy.denials")
    here, none = partial(ask, op, path=path), {"denials": [], "next": None}
    v.ok("nothing yet", here(), none)
    people(v, path)
    for run in ("r", "s"):
        start = ask("run.start", path=path, run=run, files=["order.yaml"], actor="zoe")
        v.err(f"{run} may not begin", start, "denied", has="rule")
    v.has("they are recorded", here(id=1), "denials next")
    v.has("of somebody", here(actor=b"zoe", limit=1, after=None), "denials next")
    v.ok("of somebody else", here(id=1, actor="ann"), none)
    v.err("behind what is not there", here(id=1, after=40 * "a"), "not_found")
    on_runs(v, op, {})
    wrong: dict[str, list[Any]] = {
        "path": [1],
        "actor": [1, "a\0"],
        "limit": [0, -1, 10_001, "1"],
        "after": [1, "", "main", 39 * "0", "a\0"],
    }
    wrong_types(v, op, {"path": path}, wrong)


TOPICS: dict[str, tuple[str, Callable[[Topic], None]]] = {
    "envelope": ("What every request and reply has, whatever its operation.", envelope),
    "frames": ("What is no request, and what is no frame.", frames),
    "codec": ("Values on their own.", codec),
}
OPERATIONS: tuple[Callable[[Topic], None], ...] = (
    *(sync, files, read, head, checkout, lsremote, push, commit, log, diff, status),
    *(branch, branches, tag, tags, refs, ref_update, merge, note, note_remove, notes),
    *(lock, renew, unlock, locks, verify, maintain),
    *(workspace_create, workspace_list, workspace_info, workspace_delete, workspace_restore),
    *(workspace_export, workspace_import, workspace_imported),
    *(process_lint, process_test, process_graph, process_publish, process_get, process_list),
    *(run_start, run_get, run_list, run_history, run_graph, run_verify, run_signal, run_cancel),
    *(run_suspend, run_resume, run_retry, run_fork, run_migrate, run_prune),
    *(task_claim, task_complete, task_fail, task_heartbeat, task_release, task_list),
    *(trigger_list, trigger_test, trigger_pause, trigger_resume),
    *(receipt_list, receipt_get, receipt_verify),
    *(task_subscribe, task_credit),
    *(policy_set, policy_get, policy_remove, policy_check, policy_denials),
    *(hello, ping, stats, subscribe, cancel, batch, shutdown),
)
for operation in OPERATIONS:
    wire = operation.__name__.replace("_", ".")
    TOPICS[wire] = (f"The operation `{wire}`.", operation)


def main() -> int:
    subprocess.run([VECTORS / "fixture.sh"], check=True)
    changed, count = [], 0
    for name, (title, write) in TOPICS.items():
        topic = Topic(title)
        write(topic)
        count += len(topic.blocks) - 1
        file = VECTORS / f"{name}.txt"
        if not file.exists() or file.read_text() != topic.text():
            changed.append(file.name)
            if "--check" not in sys.argv:
                file.write_text(topic.text())
    print(f"{count} vectors in {len(TOPICS)} files; changed: {' '.join(changed) or 'none'}")
    return 1 if changed and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
