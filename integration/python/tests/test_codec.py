from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

import gitport
import vectors
from gitport import _protocol as protocol

CODEC = list(vectors.blocks("codec"))


@pytest.mark.parametrize("block", CODEC, ids=str)
def test_a_good_value_is_decoded_and_a_bad_one_refused(block: vectors.Block) -> None:
    data = vectors.bytes_of(block.one("bytes") or "")
    if block.one("codec") == "bad":
        with pytest.raises(protocol.Unsound):
            protocol.decode(data)
        return
    shortest = vectors.bytes_of(block.one("encodes") or "")
    value = protocol.decode(data)
    assert protocol.encode(value) == shortest
    assert protocol.decode(shortest) == value


def test_every_expected_reply_is_one_sound_frame() -> None:
    for block in vectors.every_block():
        assert block.one("about")
        assert block.all("send") or block.all("bytes") or block.one("exit"), block
        for expected in vectors.expectations(block):
            assert expected.code or expected.reply.keys() & {"ok", "err"}, block


def test_a_request_is_the_frame_that_the_vectors_have() -> None:
    block = next(it for it in vectors.blocks("envelope") if it.one("about") == "an id of one byte")
    sent = protocol.request("ping", "a", {"nothing": None}, None, 1000)
    assert sent == vectors.bytes_of(block.one("send") or "")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("text", "text"),
        (b"\xff", b"\xff"),
        (os.fsdecode(b"caf\xe9"), b"caf\xe9"),
        (Path("/tmp"), "/tmp"),
        ([Path("/tmp"), os.fsdecode(b"\xe9")], ["/tmp", b"\xe9"]),
        (("a", {"b": Path("c")}), ["a", {"b": "c"}]),
    ],
)
def test_paths_travel_as_text_and_odd_names_as_bytes(value: object, sent: object) -> None:
    assert protocol.argument(value) == sent


def test_a_timeout_is_whole_milliseconds_within_the_contract() -> None:
    asked = [None, math.inf, 0.0001, 1.5, 10**9]
    assert [protocol.timeout_ms(it) for it in asked] == [None, None, 1, 1500, 86_400_000]
    for wrong in (0, -1, math.nan):
        with pytest.raises(gitport.BadRequest):
            protocol.timeout_ms(wrong)


def test_what_cannot_be_encoded_is_a_bad_request() -> None:
    for value in (object(), 2**64, [object()]):
        with pytest.raises(gitport.BadRequest):
            protocol.request("ping", 1, {"x": value}, None, 1000)


def test_a_request_beyond_the_limit_is_too_large_before_it_is_sent() -> None:
    exact = len(protocol.request("ping", 1, {}, None, 1000)) - protocol.LENGTH_BYTES
    protocol.request("ping", 1, {}, None, exact)
    with pytest.raises(gitport.TooLarge) as caught:
        protocol.request("ping", 1, {}, None, exact - 1)
    assert caught.value.details == {"bytes": exact, "limit": exact - 1}
