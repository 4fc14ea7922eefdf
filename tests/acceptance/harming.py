"""One run on a twin that outlives it, hurt in the middle of its motion."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil.catalogue import load_rig
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec
from hil.loop.loop import Timing
from hil.plan.freeze import Plan, freeze, single
from hil.record.reader import Run, open_run
from hil.rig import start_twin
from hil.run.apart import run_apart
from hil.run.conduct import Ending
from hil.run.crew import Crew
from hil.run.episode import longest_tick_ns
from hil.run.ledger import Silent
from hil.safety import StopRequest
from sim.twin.launch import ProcessTwin
from sim.twin.scene import PlantScene, build

SCENARIO = "care-light-switch-press"
ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0


@dataclass
class Bench:
    """A twin that outlives the runs on it, and a second link to its host process."""

    twin: ProcessTwin
    scene: PlantScene

    def status(self) -> Any:
        return self.scene.status(self.soon())

    def soon(self) -> Deadline:
        return Deadline.after_s(WallClock(), 2)

    def stop(self) -> None:
        """Called at the end of each run; the next one wants it."""

    @property
    def ports(self) -> Any:
        return self.twin.ports


@contextmanager
def twin_bench(rig_name: str) -> Iterator[Bench]:
    """The twin of a rig, and a link to it."""
    twin = start_twin(*load_rig(rig_name))
    assert isinstance(twin, ProcessTwin)
    with twin:
        spec = DeviceSpec("scene", "plant-scene", twin.ports["scene"], {}, ROOT)
        with closing(build(spec, BenchContext(WallClock()))) as scene:
            scene.open(Deadline.after_s(WallClock(), 5))
            yield Bench(twin, scene)


def plan_for(rig_name: str = "twin-so101", episodes: int = 1) -> Plan:
    rig, path = load_rig(rig_name)
    return freeze(single(SCENARIO, episodes), "0" * 64, rig, path, 3, "expert")


def run_and(
    harm: Callable[[Crew], None], plan: Plan, bench: Bench, folder: Path
) -> tuple[Ending, Run]:
    """One run; `harm` is called once, in the middle of the first episode's motion."""
    timing = Timing.of(plan.scenarios[SCENARIO].scenario.loop)
    ticking_ns = longest_tick_ns(timing) + round(plan.rig.watchdog.tick_timeout_ms * NS_PER_MS)
    done: list[bool] = []

    def wait_and_harm(crew: Crew) -> None:
        end = time.monotonic() + PATIENCE_S
        while crew.heart.pulse().allowance_ns != ticking_ns and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(0.2)
        harm(crew)
        done.append(True)

    def begun(crew: Crew) -> None:
        threads.append(threading.Thread(target=wait_and_harm, args=(crew,)))
        threads[0].start()

    threads: list[threading.Thread] = []
    found = run_on(plan, bench, folder, begun)
    threads[0].join(PATIENCE_S)
    assert done
    return found


def run_on(
    plan: Plan, bench: Bench, folder: Path, begun: Callable[[Crew], None] = lambda _: None
) -> tuple[Ending, Run]:
    """One run on the twin of `bench`; `begun` is called before the devices are opened."""
    lent: Any = lambda _rig, _path: bench  # noqa: E731
    ending = run_apart(plan, folder, Silent(), StopRequest(), lent, begun)
    return ending, open_run(folder)


def assert_safe(run: Run, bench: Bench, *others: str) -> None:
    """Every device was proved safe, `others` beside the three usual ones, and the servos agree."""
    proofs = {row["role"]: row for row in run.rows("safe")}
    assert set(proofs) == {"arm", "terminal", "scene", *others}
    assert all(row["safe"] for row in proofs.values())
    assert all(row["from_cause_us"] >= row["took_us"] for row in proofs.values())
    assert bench.status()["torque_on"] == 0
