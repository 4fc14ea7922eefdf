"""The one door: addresses, options, layers, and what the harness may do with a link."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from descriptors import none_left
from serial import serial_for_url
from wire_ends import CLOCK, Peer, Rfc2217Server, TcpPeer, read_exactly, soon

from drivers.transport.link import open_link
from drivers.transport.urls import is_url, parse_url
from drivers.transport.wire import Kind, parse_capture, read_capture
from hil.clock import VirtualClock
from hil.contracts import DeviceSpec
from hil.errors import BadInput, HostError, LinkLost, RigError
from rigs.link import LinkTable, untimed


@pytest.fixture
def peer() -> Iterator[Peer]:
    end = Peer()
    yield end
    end.unplug()


def spec(address: str, base: Path = Path(), **link: Any) -> DeviceSpec:
    return DeviceSpec("arm", "feetech-arm", address, {}, base, link)


def test_a_device_path_is_a_serial_port(peer: Peer) -> None:
    one = spec(peer.path)
    link = open_link(one, 1_000_000, CLOCK, parity="even", stop_bits=2)
    assert one.control.link is link
    assert link.description == f"{peer.path} at 1000000 baud, 8E2"
    assert (link.low_latency, link.untimed) == (False, "")
    link.write(b"ask", soon())
    assert os.read(peer.fd, 10) == b"ask"
    os.write(peer.fd, b"answer")
    assert link.read(soon()) == b"answer"
    assert link.take_wire() == b""
    assert link.fault_counts() == {}
    link.close()
    link.close()
    with pytest.raises(LinkLost, match="closed"):
        link.read(soon())


def test_network_ports_and_the_echo_open_by_url() -> None:
    tcp, server = TcpPeer(), Rfc2217Server(serial_for_url("loop://", timeout=0))
    try:
        for url in (tcp.url, server.url, "loop://"):
            link = open_link(spec(url), 115_200, CLOCK)
            link.write(b"ping", soon())
            if url == tcp.url:
                tcp.link.sendall(tcp.link.recv(10))
            assert read_exactly(link.read, 4) == b"ping"
            assert link.untimed == untimed(url) != ""
            with pytest.raises(BadInput, match="needs a wall clock"):
                open_link(spec(url), 115_200, VirtualClock())
            link.close()
    finally:
        tcp.close()
        server.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("rfc2217://rig", "not of the form rfc2217://HOST:PORT"),
        ("rfc2217://rig:99999", "out of range"),
        ("socket://:4000", "not of the form socket://HOST:PORT"),
        ("socket://rig:4000/x", "not of the form"),
        ("socket://rig:4000?logging=debug", "unknown option logging"),
        ("spy:///dev/ttyUSB0", "'spy' is not known"),
        ("replay:", "names no capture"),
        ("replay:/x?timing=slow", "timing is none or captured"),
        ("socket://[::1:4000", "Invalid IPv6"),
    ],
)
def test_addresses_that_cannot_be_used(url: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse_url(url) if "timing" not in url else open_link(spec(url), 9600, CLOCK)


def test_addresses_of_servers() -> None:
    url = parse_url("rfc2217://[fe80::1]:4000?ign_set_control")
    assert (url.host, url.port, url.options) == ("fe80::1", 4000, {"ign_set_control": ""})
    assert is_url("loop://")
    assert not is_url("/dev/ttyUSB0")
    assert not is_url("")


def test_capture_for_the_run_is_handed_over_in_pieces(peer: Peer) -> None:
    one = spec(peer.path, capture=True)
    link = open_link(one, 1_000_000, CLOCK)
    link.write(b"first", soon())
    pieces = [link.take_wire(), link.take_wire()]
    link.write(b"second", soon())
    link.close()
    pieces.append(link.take_wire())
    assert pieces[1] == b""
    capture = parse_capture(b"".join(pieces))
    assert [record.data for record in capture.records] == [b"first", b"second", b""]
    assert capture.complete
    assert capture.header["role"] == "arm"
    assert capture.header["clock"] == "CLOCK_MONOTONIC"


def test_capture_file_is_never_overwritten(peer: Peer, tmp_path: Path) -> None:
    for _ in range(3):
        link = open_link(spec(peer.path, tmp_path, capture="arm.wire"), 1_000_000, CLOCK)
        link.write(b"x", soon())
        assert link.take_wire() == b"", "it is in the file"
        link.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["arm.2.wire", "arm.3.wire", "arm.wire"]
    for name in names:
        assert [r.kind for r in read_capture(tmp_path / name).records] == [Kind.WRITTEN, Kind.END]


def test_capture_on_a_full_disk(peer: Peer, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be made"):
        open_link(spec(peer.path, tmp_path, capture="no/such/folder.wire"), 9600, CLOCK)
    link = open_link(spec(peer.path, tmp_path, capture="arm.wire"), 1_000_000, CLOCK)
    assert link._sink is not None

    class Full:
        name = "arm.wire"

        def write(self, _data: memoryview) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    whole, link._sink._file = link._sink._file, Full()  # type: ignore[assignment]
    link.write(b"x", soon())
    with pytest.raises(HostError, match="No space left"):
        link.take_wire()
    link.close()  # and does not raise
    assert whole is not None
    whole.close()
    assert (tmp_path / "arm.wire").read_bytes() == b""


def test_faults_of_the_rig_file_act_from_the_opening_on(peer: Peer) -> None:
    link = open_link(
        spec(peer.path, faults=[{"kind": "drop", "direction": "to-device"}]), 1_000_000, CLOCK
    )
    link.write(b"lost", soon())
    assert link.fault_counts() == {"drop": 1, "lost_bytes": 4}
    assert "with injected faults: drop" in link.description
    link.calm()
    link.write(b"found", soon())
    assert os.read(peer.fd, 20) == b"found"
    link.close()


def test_faults_are_planted_over_those_of_the_rig_file_and_lifted_again(peer: Peer) -> None:
    rig = [{"kind": "duplicate", "direction": "to-device"}]
    link = open_link(spec(peer.path, faults=rig), 1_000_000, CLOCK)
    link.plant_faults([{"kind": "truncate", "keep_bytes": 1, "direction": "to-device"}], 7, 0)
    link.write(b"abc", soon())
    assert os.read(peer.fd, 20) == b"aa"
    assert link.lift_faults() == {"truncate": 1, "lost_bytes": 2}
    assert link.lift_faults() == {}
    link.write(b"b", soon())
    assert os.read(peer.fd, 20) == b"bb"
    link.plant_faults([{"kind": "stall", "direction": "to-device"}], 7, 0)
    link.write(b"held", soon())
    assert link.lift_faults() == {"stall": 1, "held_bytes_dropped": 4}
    link.close()


def test_a_planted_unplug_ends_when_it_is_lifted(peer: Peer) -> None:
    link = open_link(spec(peer.path), 1_000_000, CLOCK)
    link.plant_faults([{"kind": "unplug"}], 0, CLOCK.now_ns())
    with pytest.raises(LinkLost, match="injected fault"):
        link.write(b"x", soon())
    assert link.lift_faults() == {"unplug": 1}
    link.write(b"safe", soon())
    assert os.read(peer.fd, 20) == b"safe"
    link.close()


def test_capture_sees_what_the_driver_sees(peer: Peer) -> None:
    faults = [{"kind": "corrupt"}]
    link = open_link(spec(peer.path, capture=True, faults=faults), 1_000_000, CLOCK)
    os.write(peer.fd, b"\x00")
    heard = link.read(soon())
    assert heard != b"\x00"
    link.close()
    assert parse_capture(link.take_wire()).records[0].data == heard


def test_a_plain_link_has_neither_capture_nor_faults(peer: Peer, tmp_path: Path) -> None:
    one = spec(peer.path, tmp_path, capture="arm.wire", faults=[{"kind": "unplug"}])
    one.control.plain = True
    link = open_link(one, 1_000_000, CLOCK)
    link.write(b"torque off", soon())
    assert os.read(peer.fd, 20) == b"torque off"
    link.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ({"captur": True}, "link.captur: unknown key; did you mean 'capture'"),
        ({"faults": [{"kind": "smoke"}]}, "link.faults.0"),
        ({"faults": [{"kind": "delay"}]}, "link.faults.0.delay_ms: missing"),
        ({"faults": [{"kind": "drop", "bits": 3}]}, "link.faults.0.bits: unknown key"),
        ({"faults": [{"kind": "drop", "role": "arm"}]}, "names no role"),
        ({"capture_mb": 0}, "link.capture_mb"),
    ],
)
def test_options_that_cannot_be_used_are_named(peer: Peer, link: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        open_link(spec(peer.path, **link), 9600, CLOCK)
    assert says in caught.value.message
    assert "device 'arm' (driver feetech-arm)" in caught.value.message


def test_a_port_is_free_again_after_bad_options(peer: Peer, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        open_link(spec(peer.path, tmp_path, capture="a/b.wire"), 9600, CLOCK)
    link = open_link(spec(peer.path), 9600, CLOCK)
    with pytest.raises(RigError, match="in use"):
        open_link(spec(peer.path), 9600, CLOCK)
    link.close()


def test_options_survive_as_plain_data() -> None:
    table = LinkTable.model_validate(
        {"capture": "arm.wire", "faults": [{"kind": "stall", "at_s": 1, "for_s": 2}], "seed": 5}
    )
    plain = table.model_dump(mode="json", exclude_none=True)
    assert LinkTable.model_validate(plain) == table


def test_moving_bytes_allocates_no_layers(peer: Peer) -> None:
    link = open_link(spec(peer.path), 1_000_000, CLOCK)
    assert link._top is link.port
    link.plant_faults([{"kind": "drop"}], 0, 0)
    assert link._top is not link.port
    link.lift_faults()
    assert link._top is link.port
    link.close()


def test_faults_that_cannot_be_put_in_close_port_and_capture(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("drivers.transport.link.FaultyTransport", fail)
    faults = [{"kind": "delay", "delay_ms": 1}]
    with none_left(), pytest.raises(MemoryError):
        open_link(spec(peer.path, tmp_path, capture="a.wire", faults=faults), 1_000_000, CLOCK)
    assert read_capture(tmp_path / "a.wire").complete
    monkeypatch.undo()
    open_link(spec(peer.path, tmp_path, faults=faults), 1_000_000, CLOCK).close()
