"""Protocol 1.0 against the vectors of the vendor's SDK; the frame's own tests are Feetech's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.dynamixel import codec1
from drivers.dynamixel.codec1 import Decoder, ErrorBit, Packet, encode

PATH = Path(__file__).parents[2] / "vectors" / "dynamixel_protocol1.json"
VECTORS = {v["name"]: v for v in json.loads(PATH.read_text(encoding="utf-8"))["vectors"]}

EXPECTED = {
    "ping": (
        [Packet(1, codec1.PING), Packet(1, codec1.READ, b"\x00\x02")],
        [Packet(1, 0), Packet(1, 0, b"\x0c\x00")],
    ),
    "read_present_position": (
        [Packet(1, codec1.READ, bytes((36, 2)))],
        [Packet(1, 0, (512).to_bytes(2, "little"))],
    ),
    "write_goal_512": (
        [Packet(1, codec1.WRITE, bytes((30, 0, 2)))],
        [Packet(1, 0)],
    ),
    "overload_error": (
        [Packet(1, codec1.WRITE, bytes((30, 0, 2)))],
        [Packet(1, ErrorBit.OVERLOAD)],
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vector_both_ways(name: str) -> None:
    requests, answers = EXPECTED[name]
    sent = bytes.fromhex("".join(VECTORS[name]["tx"]))
    came = bytes.fromhex(VECTORS[name]["rx"])
    assert b"".join(map(encode, requests)) == sent
    assert Decoder().feed(sent) == requests
    assert b"".join(map(encode, answers)) == came
    assert Decoder().feed(came) == answers


def test_bulk_read_asks_each_motor_for_its_own() -> None:
    # the example of the e-manual: 2 bytes of 0x1E from id 1, 2 bytes of 0x24 from id 2
    packet = codec1.bulk_read([(1, 0x1E, 2), (2, 0x24, 2)])
    assert encode(packet).hex() == "fffffe0992000201 1e020224 1d".replace(" ", "")
