"""`hil bench safety` end to end, one trial of each fault; no time is judged here."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from hil.bench import safety
from hil.bench.safety import Fault, Twin, Victim, with_button
from hil.catalogue import load_rig
from hil.cli.bench import command as cli
from hil.clock import Deadline
from hil.errors import HarnessError
from hil.run.conduct import Ending

OUTCOMES = {
    "kill -9 of the worker": "error",
    "SIGSTOP of the worker": "void",
    "a servo falls silent": "error",
    "arm unplugged": "error",
    "emergency stop pressed": "interrupted",
    "emergency stop falls silent": "error",
}


def test_every_fault_is_tried_and_ends_as_it_has_to() -> None:
    said = CliRunner().invoke(cli, ["safety", "--trials", "1", "--json"])
    assert said.exit_code == 0, said.output
    printed = json.loads(said.output)
    conditions = printed["conditions"]
    assert conditions["outcomes"] == {fault: {end: 1} for fault, end in OUTCOMES.items()}
    assert (conditions["rig"], conditions["trials"]) == ("twin-so101", 1)
    names = [figure["name"] for figure in printed["figures"]]
    shown = {
        fault: "to the named outcome" if fault == "arm unplugged" else "to torque off"
        for fault in OUTCOMES
    }
    shares = ("p50", "p99", "max")
    assert names == [f"{fault}, {what}, {one}" for fault, what in shown.items() for one in shares]
    for figure in printed["figures"]:
        assert figure["unit"] == "ms"
        assert math.isfinite(figure["value"])
        assert figure["value"] > 0
    judged = [figure["name"] for figure in printed["figures"] if figure["target"] is not None]
    assert judged == ["kill -9 of the worker, to torque off, p99"]


def test_the_button_is_added_to_the_rig_and_nothing_else() -> None:
    plain, _ = load_rig(safety.RIG)
    rig = with_button(plain)
    assert rig.twin is not None
    assert plain.twin is not None
    assert set(rig.twin.ports) - set(plain.twin.ports) == {"button"}
    (added,) = rig.devices[len(plain.devices) :]
    assert (added.role, added.driver) == ("button", "estop-box")
    assert rig.devices[: len(plain.devices)] == plain.devices
    assert rig.limits == plain.limits


@dataclass
class Scene:
    """Says what the servos are said to do."""

    status_is: Mapping[str, int]
    mended: int = 0

    def status(self, deadline: Deadline) -> Mapping[str, int]:
        return self.status_is

    def fault(self, deadline: Deadline) -> None:
        self.mended += 1


@dataclass
class Pulse:
    allowance_ns: int


class Crew:
    """A crew whose loop ticks at once."""

    def __init__(self, ticking_ns: int) -> None:
        self.heart, self.worker = self, self
        self.pid = 0
        self._ticking_ns = ticking_ns

    def pulse(self) -> Pulse:
        return Pulse(self._ticking_ns)


class Processes:
    ports: Mapping[str, str] = {}


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[float, str]]:
    """One trial in which a run ticks, is hurt, and ends at once; nothing is started."""
    plan = safety._plan(button=False)
    monkeypatch.setattr(safety, "_FEWEST_MS", 1)
    monkeypatch.setattr(safety, "_MOST_MS", 2)

    def run(status: Mapping[str, int], inject: Callable[[Victim], None], ticks: bool = True) -> Any:
        def ended(*arguments: Any) -> Ending:
            begun = arguments[-1]
            if ticks:
                begun(Crew(safety._ticking_ns(plan)))
            return Ending("complete", "every planned episode was run")

        monkeypatch.setattr(safety, "run_apart", ended)
        twin = Twin(Processes(), Scene(status), 0)  # type: ignore[arg-type]
        fault = Fault("nothing happens", inject, "complete")
        return safety._trial(plan, twin, fault, random.Random(1))

    return run


def nothing(_: Victim) -> None:
    """A fault that does nothing."""


def test_a_fault_that_leaves_the_torque_on_is_no_figure(
    trial: Callable[..., tuple[float, str]],
) -> None:
    with pytest.raises(HarnessError, match=r"nothing happens: the torque is still on \(every"):
        trial({"torque_on": 6, "torque_off_ns": 0}, nothing)


def test_torque_that_was_off_before_the_fault_is_no_figure(
    trial: Callable[..., tuple[float, str]],
) -> None:
    with pytest.raises(HarnessError, match="the torque is still on"):
        trial({"torque_on": 0, "torque_off_ns": 1}, nothing)


def test_the_time_is_from_the_fault_to_the_torque_of_the_last_servo(
    trial: Callable[..., tuple[float, str]],
) -> None:
    hurt: list[Victim] = []
    late_ns = 2**62
    took_ms, outcome = trial({"torque_on": 0, "torque_off_ns": late_ns}, hurt.append)
    assert outcome == "complete"
    assert 0 < took_ms < late_ns / 1e6
    assert len(hurt) == 1
    assert hurt[0].twin.scene.mended == 1


def test_a_run_that_never_moved_is_no_figure(trial: Callable[..., tuple[float, str]]) -> None:
    with pytest.raises(HarnessError, match="nothing could be measured"):
        trial({"torque_on": 0, "torque_off_ns": 1}, nothing, ticks=False)


def test_an_outcome_that_is_not_the_stated_one_is_no_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(safety, "_trial", lambda *_: (1.0, "complete"))
    monkeypatch.setattr(safety, "_twin", lambda _: _Nobody())
    with pytest.raises(HarnessError, match=r"kicked: runs ended as \{'complete': 2\}, not all as"):
        safety._measure(Fault("kicked", nothing, "error"), 2, random.Random(1))


class _Nobody:
    def __enter__(self) -> None:
        """No twin."""

    def __exit__(self, *_: object) -> None:
        """No twin."""
