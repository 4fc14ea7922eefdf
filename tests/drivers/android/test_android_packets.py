"""The daemon that the real adb server is shown speaks its protocol, by vectors of adb-shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from adb_packets import Packet, head

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/adb_packets.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_vectors_both_ways(vector: dict[str, Any]) -> None:
    header, data = (bytes.fromhex(vector[key]) for key in ("header", "data"))
    command, arg0, arg1, size = head(header)
    assert vector["name"].startswith(command)
    assert size == len(data)
    assert [int(word, 16) for word in vector["unpacked"][1:4]] == [arg0, arg1, size]
    assert Packet(command, arg0, arg1, data).encoded() == header + data


def test_what_is_no_packet() -> None:
    with pytest.raises(ValueError, match="no packet"):
        head(bytes(23) + b"\x01")
