"""The slcan bus over a real pseudo-terminal, against an emulated adapter with motors behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pump import Pump, pumped

from drivers.can.bus import BusSettings
from drivers.can.codec import encode_frame
from drivers.can.frames import CanFrame, Received
from drivers.can.slcan import SlcanBus, open_slcan
from drivers.transport.posix import open_serial
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.errors import BadInput, DeadlineMissed, LinkLost, RigError
from sim.emulated.damiao import EMULATOR

CLOCK = WallClock()
CLASSIC = BusSettings(1_000_000)
REFRESH = [CanFrame(0x7FF, bytes((motor, 0, 0xCC, 0, 0, 0, 0, 0))) for motor in range(1, 9)]


def soon(ms: int = 3000) -> Deadline:
    return Deadline.after(CLOCK, ms * NS_PER_MS)


def adapter(**options: object) -> Pump:
    return pumped(
        EMULATOR.build(EMULATOR.options.model_validate({"robot": "openarm-right"} | options))
    )


@contextmanager
def opened(path: str, settings: BusSettings = CLASSIC) -> Iterator[SlcanBus]:
    bus = open_slcan(open_serial(path, 115_200, CLOCK), settings, CLOCK, soon())
    try:
        yield bus
    finally:
        bus.close()


def collect(bus: SlcanBus, count: int, deadline: Deadline) -> list[Received]:
    found: list[Received] = []
    while len(found) < count:
        frames = bus.receive(deadline)
        if not frames:
            break
        found += frames
    return found


@pytest.mark.parametrize("acks", ["z", "cr", "none"])
def test_frames_both_ways_with_every_kind_of_adapter(acks: str) -> None:
    pump = adapter(acks=acks)
    with pump as path, opened(path) as bus:
        bus.send(REFRESH, soon())
        found = collect(bus, 8, soon())
        assert sorted(each.frame.id for each in found) == [0x10 + n for n in range(1, 9)]
        assert all(len(each.frame.data) == 8 and each.adapter_ms is None for each in found)
        counted = bus.counters()
        assert (counted["frames_sent"], counted["frames_received"]) == (8, 8)
        faults = ("naks", "lost_acks", "stray_acks", "malformed_lines", "broken_bytes")
        assert [counted[name] for name in faults] == [0] * 5
        assert pump.status()["channel"] == "open"
        assert pump.status()["bit_rate"] == 1_000_000


def test_closing_the_bus_closes_the_channel() -> None:
    pump = adapter()
    with pump as path:
        with opened(path) as bus:
            bus.send(REFRESH[:1], soon())
            assert collect(bus, 1, soon())
        limit = soon()
        while pump.status()["channel"] != "closed":
            assert not limit.expired
            threading.Event().wait(0.005)


def test_adapter_says_who_it_is() -> None:
    with adapter() as path, opened(path) as bus:
        assert bus.adapter == "slcan 1013"
        assert path in bus.description


def test_receive_returns_with_the_first_frame_and_keeps_its_deadline() -> None:
    with adapter() as path, opened(path) as bus:
        late = soon(60_000)
        bus.send(REFRESH[:1], soon())
        assert len(bus.receive(late)) == 1
        assert not late.expired
        brief = soon(20)
        assert bus.receive(brief) == []
        assert brief.expired


def test_stop_command_goes_out_after_its_deadline() -> None:
    with adapter() as path, opened(path) as bus:
        bus.send(REFRESH[:1], soon(0))
        assert len(collect(bus, 1, soon())) == 1


def test_refused_frame_is_counted_and_the_others_are_answered() -> None:
    pump = adapter()
    with pump as path, opened(path) as bus:
        pump.control({"faults": {"naks": 2}})
        bus.send(REFRESH, soon())
        assert len(collect(bus, 6, soon())) == 6
        assert bus.counters()["naks"] == 2
        assert bus.counters()["lost_acks"] == 0


def test_missing_acknowledgement_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.can.slcan._LOST_NS", 0)
    pump = adapter()
    with pump as path, opened(path) as bus:
        pump.control({"faults": {"lost_acks": 3}})
        bus.send(REFRESH, soon())
        assert len(collect(bus, 8, soon())) == 8
        assert bus.counters()["lost_acks"] == 3


def test_adapter_without_acknowledgements_is_not_held_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("drivers.can.slcan._LOST_NS", 0)
    with adapter(acks="none") as path, opened(path) as bus:
        bus.send(REFRESH, soon())
        assert len(collect(bus, 8, soon())) == 8
        assert bus.counters()["lost_acks"] == 0


def test_broken_character_costs_one_frame_and_is_counted() -> None:
    pump = adapter()
    with pump as path, opened(path) as bus:
        pump.control({"faults": {"corrupt": 1}})
        bus.send(REFRESH, soon())
        assert len(collect(bus, 7, soon())) == 7
        assert bus.receive(soon(20)) == []
        assert bus.counters()["malformed_lines"] == 1


def test_stamps_of_the_adapter_are_read() -> None:
    pump = adapter()
    with pump as path, opened(path) as bus:
        pump._emulator.adapter.stamps = True  # type: ignore[attr-defined]
        bus.send(REFRESH[:2], soon())
        found = collect(bus, 2, soon())
        assert all(each.adapter_ms is not None and each.adapter_ms < 60_000 for each in found)
        assert found[0].stamp_ns <= found[1].stamp_ns


def test_silent_port_is_no_adapter() -> None:
    pump = adapter()
    with pump as path:
        pump.control({"faults": {"mute": True}})
        with pytest.raises(RigError, match="no adapter answers") as caught, opened(path):
            pass
        assert "gs_usb" in caught.value.remedy
        pump.control({"faults": {}})
        with opened(path) as bus:  # the port was released
            bus.send(REFRESH[:1], soon())
            assert collect(bus, 1, soon())


def test_adapter_that_refuses_to_open_is_named() -> None:
    pump = adapter()
    with pump as path:
        pump.control({"faults": {"refuse_open": True}})
        with pytest.raises(RigError, match="refuses 'O'"), opened(path):
            pass


def test_adapter_that_falls_silent_while_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.can.slcan._ANSWER_NS", 50 * NS_PER_MS)
    pump = adapter()
    with pump as path, opened(path) as bus:
        bus._acknowledges = True
        pump.control({"faults": {"mute": True}})
        with pytest.raises(RigError, match="no adapter answers"):
            bus.restart(soon())


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (BusSettings(123_456), "bit_rate = 123456"),
        (BusSettings(1_000_000, 3_000_000), "data_bit_rate = 3000000"),
    ],
)
def test_rate_without_a_command_is_named(settings: BusSettings, part: str) -> None:
    with adapter() as path, pytest.raises(BadInput, match=part), opened(path, settings):
        pass


def test_channel_that_closed_by_itself_is_brought_up_again() -> None:
    pump = adapter()
    with pump as path, opened(path) as bus:
        pump.control({"close_channel": True})
        bus.send(REFRESH, soon())
        assert bus.receive(soon(20)) == []
        assert bus.counters()["naks"] == 8
        bus.restart(soon())
        bus.send(REFRESH, soon())
        assert len(collect(bus, 8, soon())) == 8
        assert bus.counters()["naks"] == 8


def test_status_of_the_channel_is_told() -> None:
    pump = adapter()
    with pump as path, opened(path) as bus:
        assert [(f.ok, f.detail) for f in bus.findings(soon())] == [(True, "in order")]
        pump.control({"faults": {"bus_off": True}})
        found = bus.findings(soon())[0]
        assert not found.ok
        assert "bus error" in found.detail
        assert "termination" in found.remedy


def test_status_does_not_swallow_frames() -> None:
    with adapter() as path, opened(path) as bus:
        bus.send(REFRESH, soon())
        bus.findings(soon())
        assert len(collect(bus, 8, soon())) == 8


def test_bus_at_another_rate_shows_in_the_status() -> None:
    with adapter() as path, opened(path, BusSettings(500_000)) as bus:
        bus.send(REFRESH, soon())
        assert bus.receive(soon(20)) == []
        assert "bus error" in bus.findings(soon())[0].detail


def test_flooded_bus_keeps_its_deadlines() -> None:
    pump = adapter()
    with pump as path, opened(path) as bus:
        pump.control({"faults": {"flood_hz": 10_000}})
        brief = soon(50)
        seen = 0
        while not brief.expired:
            seen += len(bus.receive(brief))
        assert seen
        assert isinstance(bus.receive(soon(0)), list)
        assert bus.findings(soon(500))


def test_fd_frames_with_bit_rate_switch() -> None:
    settings = BusSettings(1_000_000, 5_000_000)
    with adapter(data_bit_rate=5_000_000) as path, opened(path, settings) as bus:
        bus.send([CanFrame(f.id, f.data, fd=True, bit_rate_switch=True) for f in REFRESH], soon())
        found = collect(bus, 8, soon())
        assert all(each.frame.fd and each.frame.bit_rate_switch for each in found)
        assert len(found) == 8


def test_line_left_unfinished_by_somebody_else_swallows_nothing() -> None:
    pump = adapter()
    with pump as path:
        with opened(path) as bus:
            bus.send(REFRESH[:1], soon())
            assert collect(bus, 1, soon())
            # as a process that dies in the middle of a write leaves it
            bus._transport.write(encode_frame(REFRESH[1])[:9], soon())
            bus._transport.close()
        adopted = SlcanBus(open_serial(path, 115_200, CLOCK), CLASSIC, CLOCK)
        adopted.send(REFRESH[2:3], soon())
        found = collect(adopted, 1, soon())
        adopted.close()
        assert [each.frame.id for each in found] == [0x13]


@pytest.mark.parametrize("after", range(len(b"z\r" + encode_frame(CanFrame(0x11, bytes(8))))))
def test_unplugged_in_the_middle_of_a_frame(after: int) -> None:
    """Acknowledgement and frame are cut at every byte."""
    pump = adapter()
    with pump as path, opened(path) as bus:
        pump.unplug(after=after)
        try:
            bus.send(REFRESH[:1], soon())
            found = collect(bus, 2, soon())
        except LinkLost:
            found = []
        else:
            pytest.fail("the hang-up was not noticed")
        assert found == []
        for use in (
            lambda: bus.send(REFRESH[:1], soon()),
            lambda: bus.receive(soon()),
            lambda: bus.findings(soon()),
            lambda: bus.restart(soon()),
        ):
            with pytest.raises(LinkLost):
                use()


def test_unplugged_while_it_is_opened() -> None:
    pump = adapter()
    with pump as path:
        port = open_serial(path, 115_200, CLOCK)
        pump.unplug()
        with pytest.raises(LinkLost):
            open_slcan(port, CLASSIC, CLOCK, soon())


class JammedLine:
    """A line that is there and takes only a few bytes."""

    description = "jammed"

    def __init__(self) -> None:
        self.taken = b""

    def write(self, data: bytes, deadline: Deadline) -> None:
        if not self.taken:
            self.taken = data[:5]
            raise DeadlineMissed("took 5 bytes")
        self.taken += data

    def read(self, deadline: Deadline) -> bytes:
        return b""

    def discard(self) -> int:
        return 0

    def close(self) -> None:
        return None


def test_line_that_was_cut_short_is_ended_before_the_next_one() -> None:
    line = JammedLine()
    bus = SlcanBus(line, CLASSIC, CLOCK)
    with pytest.raises(DeadlineMissed):
        bus.send(REFRESH[:1], soon())
    bus.send(REFRESH[1:2], soon())
    assert line.taken == b"\rt7FF" + b"\r" + encode_frame(REFRESH[1])
