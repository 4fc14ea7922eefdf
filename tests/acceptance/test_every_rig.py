"""Every rig file of the package: right as written, and every twin starts, answers and ends.

A person begins with one of these files, so each has to work as it lies there: a rig to be
edited is complete but for its ports, and beside it is a twin of the same device.
"""

from __future__ import annotations

import re
import signal
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from types import FrameType

import pytest

from hil.catalogue import load_rig
from hil.clock import VirtualClock, WallClock
from hil.contracts import BenchContext, Device, DeviceSpec
from hil.errors import BadInput
from hil.plugins import DRIVERS, PLANTS, load
from hil.rig import build_bench, contract_of
from rigs.schema import Device as DeviceTable
from rigs.schema import Rig
from sim.twin.config import parse_twin

FOLDER = Path(__file__).parents[2] / "rigs"
RIGS = sorted(path.stem for path in FOLDER.glob("*.toml"))

TWIN_OF = {
    "amazing-hand": "twin-amazing-hand",
    "android-phone": "twin-android-phone",
    "camera": "twin-camera",
    "damiao-arm": "twin-damiao-arm",
    "hand4": "twin-hand4",
    "inspire-hand": "twin-inspire-hand",
    "koch": "twin-koch",
    "leap-hand": "twin-leap-hand",
    "mlperf-tiny-board": "twin-mlperf-tiny",
    "raspberry-pi-terminal": "twin-terminal",
    "robotiq-2f85": "twin-robotiq-2f85",
    "so101": "twin-so101",
}
"""The rig of each device, and its twin."""

ARMS = {
    "sim-panda": ("twin-panda", "twin-panda-brisk"),
    "sim-panda-belt": ("twin-panda-belt",),
    "sim-panda-cable": ("twin-panda-cable",),
    "sim-panda-force": ("twin-panda-force",),
    "sim-panda-wipe": ("twin-panda-wipe",),
    "sim-six-axis": ("twin-six-axis",),
    "sim-six-axis-driver": ("twin-six-axis-driver",),
    "sim-six-axis-knife": ("twin-six-axis-knife",),
}
"""Simulated arms, and their twins: drives that nobody makes, so that there is no real rig."""

OTHER_PLANT = {"twin-panda-brisk": "panda-brisk"}

STANDS_FOR = {"plant-scene": "operator-scene"}
"""Drivers of a twin that take the place of another one's on the bench."""

MODEL_KEYS = ("model", "robot")
"""Parameters that say which device it is."""

OFFER = re.compile(r"# (\[{1,2}[a-z_.0-9]+\]{1,2}|[a-z_0-9]+ = \S)")
"""A line that becomes an option, or begins a table, once its `# ` is taken away."""

PATIENCE_S = 60.0
"""Bound of a twin's whole life; it is no figure, and far above what a busy host needs."""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Whatever hangs inside ends with TimeoutError."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def of_kind(kind: str) -> list[str]:
    return [name for name in RIGS if load_rig(name)[0].kind == kind]


def made_up(device: DeviceTable) -> str:
    """An address as `ports` would give it, where the port's own does not name one."""
    url = "" if device.port is None or device.port.url is None else device.port.url
    return "/dev/made-up" if not url or url.startswith("file:") else url


def built(device: DeviceTable, address: str, base: Path) -> Device:
    clock = WallClock()
    spec = DeviceSpec(device.role, device.driver, address, device.parameters, base)
    made: Device = load(DRIVERS, device.driver)(spec, BenchContext(clock))
    return made


def test_every_rig_of_a_device_has_a_twin_and_no_twin_stands_alone() -> None:
    assert sorted(TWIN_OF) == of_kind("real")
    of_arms = [name for names in ARMS.values() for name in names]
    assert sorted([*TWIN_OF.values(), *of_arms]) == of_kind("twin")


@pytest.mark.parametrize("name", RIGS)
def test_rig_is_called_as_its_file_and_says_what_it_is(name: str) -> None:
    rig, path = load_rig(name)
    assert (rig.name, path) == (name, FOLDER / f"{name}.toml")
    assert rig.title
    assert len({device.role for device in rig.devices}) == len(rig.devices)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# "), "what to edit is said at the top"


@pytest.mark.parametrize("name", of_kind("real"))
def test_real_rig_is_taken_by_its_drivers_and_wants_ports(name: str) -> None:
    rig, path = load_rig(name)
    for device in rig.devices:
        one = built(device, made_up(device), path.parent)
        assert one.role == device.role
        assert one.capabilities
        for capability in one.capabilities:
            assert isinstance(one, contract_of(capability))
        if device.port is not None:
            with pytest.raises(BadInput, match=rf"{device.role}.* needs a port"):
                built(device, "", path.parent)


@pytest.mark.parametrize("name", [*of_kind("twin"), *of_kind("sim")])
def test_options_of_twins_and_simulations_are_those_there_are(name: str) -> None:
    rig, path = load_rig(name)
    if rig.twin is not None:
        parse_twin(rig.twin, path.parent)
        assert {device.port.twin for device in rig.devices if device.port} == set(rig.twin.ports)
    plant = rig.sim.plant if rig.sim is not None else rig.twin and rig.twin.plant
    if plant:
        assert callable(load(PLANTS, plant))


def offers() -> list[tuple[str, tuple[str, ...]]]:
    """Rig and lines of every run of options that a rig file has commented out."""
    return [
        (name, tuple(run))
        for name in RIGS
        for offered, run in groupby(
            text_of(name).splitlines(), lambda line: bool(OFFER.match(line))
        )
        if offered
    ]


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "run"), offers(), ids=lambda one: one if isinstance(one, str) else one[0]
)
def test_options_that_are_commented_out_are_right_too(name: str, run: tuple[str, ...]) -> None:
    taken = [line.removeprefix("# ") for line in run]
    keys = tuple(line.partition("=")[0] + "=" for line in taken if "=" in line)
    own = "[" not in taken[0]  # not a table of its own: takes the place of lines that are there
    kept = "\n".join(
        line for line in text_of(name).splitlines() if not (own and line.startswith(keys))
    )
    edited = kept.replace("\n".join(run), "\n".join(taken))
    assert edited != kept
    rig = Rig.model_validate(tomllib.loads(edited))
    for device in rig.devices:
        built(device, made_up(device), FOLDER)
    if rig.twin is not None:
        parse_twin(rig.twin, FOLDER)


@pytest.mark.parametrize(("name", "twin_name"), TWIN_OF.items())
def test_twin_has_the_roles_drivers_and_models_of_its_device(name: str, twin_name: str) -> None:
    (real, _), (twin, _) = load_rig(name), load_rig(twin_name)
    assert offered(twin) == offered(real)
    assert (real.limits is None) == (twin.limits is None)


@pytest.mark.parametrize(("name", "twin_name"), [(n, t) for n, ts in ARMS.items() for t in ts])
def test_twin_of_a_simulated_arm_has_its_plant_roles_and_limits(name: str, twin_name: str) -> None:
    (simulated, _), (twin, _) = load_rig(name), load_rig(twin_name)
    assert simulated.sim is not None
    assert twin.twin is not None
    assert twin.twin.plant == OTHER_PLANT.get(twin_name, simulated.sim.plant)
    assert {one.role for one in twin.devices} == {one.role for one in simulated.devices}
    assert twin.limits == simulated.limits


def offered(rig: Rig) -> Sequence[tuple[str, str, list[object]]]:
    """Role, driver and model of every device."""
    return [
        (
            device.role,
            STANDS_FOR.get(device.driver, device.driver),
            [device.parameters.get(key) for key in MODEL_KEYS],
        )
        for device in rig.devices
    ]


@pytest.mark.parametrize("name", of_kind("twin"))
def test_twin_starts_is_well_is_made_safe_and_ends(name: str) -> None:
    rig, path = load_rig(name)
    with bounded(PATIENCE_S):
        with build_bench(rig, path) as bench:
            bench.open()
            assert bench.twin is not None
            processes = bench.twin.describe()["processes"]
            assert processes
            named = bench.identities()
            bad = [
                f"{role}: {finding}"
                for role, findings in bench.health().items()
                for finding in findings
                if not finding.ok
            ]
            counted = {role: device.counters() for role, device in bench.devices.items()}
        assert bench.twin.describe()["processes"] == [], "every process of it has ended"
    assert bad == []
    assert set(named) == set(counted) == {device.role for device in rig.devices}
    assert all(identity.model for identity in named.values())
    proofs = {proof.role: proof for proof in bench.safe}
    assert set(proofs) == set(named)
    for proof in proofs.values():
        assert proof.safe, f"{proof.role}: {proof.state} {dict(proof.readings)}"
        assert proof.state
        assert proof.readings, "the state is shown by what was read back"


def test_simulation_is_built_opened_and_made_safe() -> None:
    for name in of_kind("sim"):
        with bounded(PATIENCE_S), build_bench(*load_rig(name)) as bench:
            assert isinstance(bench.clock, VirtualClock)
            bench.open()
            assert all(identity.model for identity in bench.identities().values())
        assert bench.safe
        assert all(proof.safe for proof in bench.safe)
