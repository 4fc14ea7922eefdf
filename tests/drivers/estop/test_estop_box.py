"""The driver against the emulated box over a pseudo-terminal, and against ports that fail."""

from __future__ import annotations

import contextlib
import os
import tomllib
import tty
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from drivers.estop.box import EstopBox, build
from drivers.estop.codec import Frame, encode
from drivers.transport.link import open_link
from hil.clock import NS_PER_S, Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, EmergencyStop, TellsCause
from hil.errors import BadInput, DeadlineMissed, DeviceFault, HarnessError, LinkLost, RigError
from rigs.schema import Rig, Twin
from sim.twin.launch import ProcessTwin, start
from sim.twin.scene import PlantScene
from sim.twin.scene import build as build_scene

Within = Callable[[float], Deadline]
TWIN = {"ports": {"button": {"emulator": "estop-box"}, "scene": {"emulator": "scene"}}}
PATIENCE_S = 10.0
STALE = {"stale_ms": 500.0}
"""The host process is one of many on a busy machine."""


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
def within(clock: WallClock) -> Within:
    return lambda seconds: Deadline.after_s(clock, seconds)


@pytest.fixture(scope="module")
def twin() -> Iterator[ProcessTwin]:
    """A twin of nothing but a button; it needs no plant."""
    with start(Twin.model_validate(TWIN), Path(), Deadline.after_s(WallClock(), 30)) as running:
        yield running


@pytest.fixture
def scene(twin: ProcessTwin, clock: WallClock, within: Within) -> Iterator[PlantScene]:
    """The link by which the button is pressed; leaves it released and reset."""
    spec = DeviceSpec("scene", "plant-scene", twin.ports["scene"], {}, Path())
    device = build_scene(spec, BenchContext(clock))
    device.open(within(5))
    yield device
    for channel in "ab":
        device.control("button", within(5), do="unstick", channel=channel)
    for act in ("restart", "release", "reset"):
        device.control("button", within(5), do=act)
    assert device.port_status("button", within(5))["latched"] is False
    device.close()


def spec(address: str, **parameters: object) -> DeviceSpec:
    return DeviceSpec("button", "estop-box", address, parameters, Path())


@pytest.fixture
def box(twin: ProcessTwin, clock: WallClock, within: Within) -> Iterator[EstopBox]:
    device = build(spec(twin.ports["button"], **STALE), BenchContext(clock))
    device.open(within(5))
    yield device
    device.close()


def until(box: EstopBox, cause: str, within: Within) -> None:
    """Look until `cause` is given. Errors: AssertionError with the causes seen."""
    seen = []
    patience = within(PATIENCE_S)
    while not patience.expired:
        pressed = box.pressed(within(0.002))
        assert pressed == bool(box.cause)
        if box.cause.startswith(cause) and pressed == bool(cause):
            return
        seen.append(box.cause)
    raise AssertionError(f"never {cause!r}, but {set(seen)}")


def test_a_released_button_is_released_at_every_look(box: EstopBox, within: Within) -> None:
    assert isinstance(box, EmergencyStop)
    assert isinstance(box, TellsCause)
    for _ in range(50):
        assert not box.pressed(within(0.002)), box.cause
        box.ping(within(1))
    assert box.cause == ""
    counters = box.counters()
    assert counters["frames"] > 50
    assert counters["crc_errors"] == counters["lost_frames"] == 0


def test_a_press_latches_until_it_is_reset_by_hand(
    box: EstopBox, scene: PlantScene, within: Within
) -> None:
    scene.control("button", within(5), do="press")
    until(box, "pressed", within)
    scene.control("button", within(5), do="reset")  # without effect while it is pressed
    scene.control("button", within(5), do="release")
    until(box, "latched, to be reset by hand", within)
    scene.control("button", within(5), do="reset")
    until(box, "", within)


@pytest.mark.parametrize(
    ("stuck", "contacts"), [("a", "A closed, B open"), ("b", "A open, B closed")]
)
def test_a_welded_contact_is_pressed_at_once_and_a_fault_later(
    box: EstopBox, scene: PlantScene, within: Within, stuck: str, contacts: str
) -> None:
    scene.control("button", within(5), do="stick", channel=stuck, closed=True)
    scene.control("button", within(5), do="press")
    until(box, f"pressed ({contacts} so far)", within)
    until(box, f"channels disagree ({contacts})", within)
    scene.control("button", within(5), do="release")
    scene.control("button", within(5), do="reset")  # not before both were seen to open
    until(box, "fault in the box (A closed, B closed)", within)
    finding = {one.name: one for one in box.health(within(1))}["button"]
    assert not finding.ok
    assert "fault in the box" in finding.detail


def test_a_cut_wire_is_pressed(box: EstopBox, scene: PlantScene, within: Within) -> None:
    scene.control("button", within(5), do="stick", channel="b", closed=False)
    until(box, "pressed (A closed, B open so far)", within)


def test_a_silent_box_is_pressed(box: EstopBox, scene: PlantScene, within: Within) -> None:
    scene.control("button", within(5), do="silence")
    until(box, "silent for ", within)
    with pytest.raises(DeadlineMissed, match=r"button: emergency stop box on .* is silent"):
        box.ping(within(0.05))
    scene.control("button", within(5), do="speak")
    until(box, "", within)


def test_a_box_that_repeats_itself_is_pressed(
    box: EstopBox, scene: PlantScene, within: Within
) -> None:
    scene.control("button", within(5), do="freeze")
    until(box, "its stream stands still for ", within)
    assert box.counters()["repeated_frames"] > 0


def test_spoiled_frames_are_counted_and_a_few_do_no_harm(
    box: EstopBox, scene: PlantScene, within: Within
) -> None:
    scene.control("button", within(5), do="corrupt", count=3)
    patience = within(PATIENCE_S)
    while box.counters()["crc_errors"] < 3:
        assert not box.pressed(within(0.002)), box.cause
        assert not patience.expired
    box.ping(within(1))
    assert box.counters()["lost_frames"] == 3


def test_nothing_but_spoiled_frames_is_silence(
    box: EstopBox, scene: PlantScene, within: Within
) -> None:
    scene.control("button", within(5), do="corrupt", count=1_000_000)
    until(box, "silent for ", within)


def test_a_box_that_was_restarted_waits_for_a_hand(
    box: EstopBox, scene: PlantScene, within: Within
) -> None:
    scene.control("button", within(5), do="restart")
    until(box, "latched, to be reset by hand", within)


def test_safe_is_a_box_that_can_be_read_pressed_or_not(
    box: EstopBox, scene: PlantScene, within: Within
) -> None:
    proof = box.make_safe(within(2))
    assert (proof.safe, proof.state, proof.role) == (True, "released", "button")
    assert proof.readings["a_closed"] is True
    scene.control("button", within(5), do="press")
    until(box, "pressed", within)
    proof = box.make_safe(within(2))
    assert (proof.safe, proof.state) == (True, "pressed")
    assert proof.readings["a_closed"] is False
    scene.control("button", within(5), do="silence")
    until(box, "silent", within)
    proof = box.make_safe(within(2))
    assert (proof.safe, proof.state) == (False, "unknown")
    assert "silent for" in str(proof.readings["state"])
    assert proof.proved_ns >= proof.started_ns


def test_what_it_says_of_itself(box: EstopBox, within: Within) -> None:
    identity = box.identity(within(1))
    assert (identity.model, identity.firmware) == ("emergency stop box", "protocol 1")
    assert identity.detail["stale_ms"] == 500.0
    assert all(finding.ok for finding in box.health(within(1)))


def test_it_has_one_owner_and_may_be_closed_twice(
    box: EstopBox, twin: ProcessTwin, clock: WallClock, within: Within
) -> None:
    with pytest.raises(RigError, match="in use"):
        build(spec(twin.ports["button"]), BenchContext(clock)).open(within(1))
    with pytest.raises(HarnessError, match="open already"):
        box.open(within(1))
    box.close()
    box.close()
    with pytest.raises(LinkLost, match="not open"):
        box.pressed(within(0.002))
    proof = box.make_safe(within(1))
    assert (proof.safe, proof.readings) == (False, {"error": "button is not open"})
    assert box.counters() == {}


@pytest.mark.parametrize("stale_ms", [0, 29, 1001, "soon"])
def test_bad_parameters_are_refused(clock: WallClock, stale_ms: object) -> None:
    with pytest.raises(BadInput, match=r"parameters\.stale_ms"):
        build(spec("/x", stale_ms=stale_ms), BenchContext(clock))


class Wire:
    """A pseudo-terminal whose far end is the test's own hand."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self.sent = 0

    def send(self, data: bytes) -> None:
        assert os.write(self._master, data) == len(data)

    def frames(self, count: int, *, step: int = 1) -> None:
        for _ in range(count):
            self.sent += step
            frame = Frame(True, True, False, False, self.sent % 256, self.sent * 10 % 65536)
            self.send(encode(frame))

    def unplug(self) -> None:
        for fd in (self._slave, self._master):
            if fd >= 0:
                os.close(fd)
        self._master = self._slave = -1


@pytest.fixture
def wire() -> Iterator[Wire]:
    found = Wire()
    yield found
    found.unplug()


@pytest.mark.parametrize("cut", range(1, 9))
def test_unplugged_in_the_middle_of_a_frame(
    wire: Wire, clock: WallClock, within: Within, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = opened(wire, clock, within, monkeypatch)
    wire.send(encode(Frame(True, True, False, False, 1, 10))[:cut])
    wire.unplug()
    for _ in range(2):
        with contextlib.suppress(LinkLost):
            device.pressed(within(0.002))  # the bytes that were there may come first
    with pytest.raises(LinkLost):
        device.pressed(within(0.002))
    assert [finding.name for finding in device.health(within(1)) if not finding.ok] == ["link"]
    proof = device.make_safe(within(1))
    assert (proof.safe, proof.state) == (False, "unknown")
    assert proof.readings["error"]
    device.close()


def opened(
    wire: Wire,
    clock: WallClock,
    within: Within,
    monkeypatch: pytest.MonkeyPatch,
    **parameters: float,
) -> EstopBox:
    """The driver on `wire`, whose first frame comes once the port is open."""

    def open_and_send(*arguments: object) -> object:
        line = open_link(*arguments)  # type: ignore[arg-type]
        wire.frames(1)
        return line

    monkeypatch.setattr("drivers.estop.box.open_link", open_and_send)
    device = build(spec(wire.path, **parameters), BenchContext(clock))
    device.open(within(5))
    return device


def test_an_open_line_on_which_nobody_speaks(wire: Wire, clock: WallClock, within: Within) -> None:
    device = build(spec(wire.path), BenchContext(clock))
    with pytest.raises(DeadlineMissed, match="is silent"):
        device.open(within(0.1))
    with closing(open_link(spec(wire.path), 115_200, clock)):
        """The port was released."""


@pytest.mark.parametrize(
    ("data", "error", "said"),
    [
        (bytes.fromhex("A5 5A 02 03 00 00 00 C8"), DeviceFault, "version 1"),
        (b"hello, world", DeadlineMissed, "no frame of it"),
    ],
)
def test_somebody_else_on_the_line(
    wire: Wire,
    clock: WallClock,
    within: Within,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    error: type[Exception],
    said: str,
) -> None:
    monkeypatch.setattr(wire, "frames", lambda _: wire.send(data))
    with pytest.raises(error, match=said):
        opened(wire, clock, lambda _: within(0.1), monkeypatch)


class Skipped(WallClock):
    """The wall clock, and time that nobody waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.skipped_ns


def test_after_a_long_time_without_a_look_it_waits_for_news(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More had waited than a terminal keeps: what is left is old, and no sign of death."""
    clock = Skipped()
    within: Within = lambda seconds: Deadline.after_s(clock, seconds)  # noqa: E731
    device = opened(wire, clock, within, monkeypatch, stale_ms=1000)
    wire.frames(400)
    clock.skipped_ns = 60 * NS_PER_S
    assert not device.pressed(within(0.002)), device.cause
    wire.frames(1, step=100)
    device.ping(within(5))
    assert not device.pressed(within(0.002)), device.cause
    assert (device.counters()["pauses"], device.counters()["lost_frames"]) == (1, 0)
    until(device, "silent for ", within)
    device.close()


def test_a_flood_of_noise_is_silence_and_holds_nobody_up(
    wire: Wire, clock: WallClock, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = opened(wire, clock, within, monkeypatch)
    patience = within(PATIENCE_S)
    while not device.pressed(within(0.002)):
        wire.send(b"\xa5\x5a\x01" * 1000)
        assert not patience.expired
    assert device.cause.startswith("silent for ")
    assert device.counters()["noise_bytes"] > 1000
    device.close()


def test_the_example_in_the_rig_file_is_a_device() -> None:
    """The commented lines of rigs/so101.toml, with their comment signs taken away."""
    text = (Path(__file__).parents[3] / "rigs" / "so101.toml").read_text()
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if line.endswith('"estop-box"')) - 2
    end = next(n for n in range(at, len(lines)) if not lines[n].startswith("#"))
    example = "\n".join(line.removeprefix("# ") for line in lines[at:end])
    rig = Rig.model_validate(tomllib.loads("\n".join([*lines[:at], example, *lines[end:]])))
    device = next(device for device in rig.devices if device.driver == "estop-box")
    assert device.role == "button"
    build(spec("/x", **device.parameters), BenchContext(WallClock()))
