"""Joint state as a declared channel: late, with noise, and not always there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from hil.clock import Deadline, VirtualClock
from hil.contracts import BenchContext, DeviceSpec, Joints, JointSample
from sim.arm import SimArm
from sim.devices import build_arm, build_scene
from sim.encoders import SensedArmParameters
from sim.plants import panda

MS = 1_000_000


class Bench:
    """A seven-axis arm that holds still, with a joint state as its rig declares it."""

    def __init__(self, **sensing: object) -> None:
        self.clock = VirtualClock()
        self.plant = panda(500)
        context = BenchContext(self.clock, self.plant)
        parameters = {"resolution_rad": 1e-6, **({"sensing": sensing} if sensing else {})}
        self.far = Deadline.after_s(self.clock, 1e6)
        self.arm = build_arm(DeviceSpec("arm", "sim-arm", "", parameters, Path()), context)
        scene = build_scene(DeviceSpec("scene", "sim-scene", "", {}, Path()), context)
        self.arm.open(self.far)
        self.before = self.arm.read(self.far)
        scene.arrange({"tracker": {"seed": 3}}, self.far)
        self.arm.enable(self.far)

    def reads(self, count: int, every_ms: int = 10) -> list[JointSample]:
        found = []
        for _ in range(count):
            self.clock.advance(every_ms * MS)
            found.append(self.arm.read(self.far))
        return found


@pytest.fixture
def benches() -> Iterator[list[Bench]]:
    made: list[Bench] = []
    yield made
    for bench in made:
        bench.plant.close()


def test_without_a_table_it_is_the_plain_arm(benches: list[Bench]) -> None:
    benches.append(Bench())
    assert type(benches[0].arm) is SimArm


def test_noise_has_its_size_and_readings_their_age(benches: list[Bench]) -> None:
    bench = Bench(rate_hz=100.0, delay_s=0.02, noise_rad=0.01)
    benches.append(bench)
    assert isinstance(bench.arm, Joints)
    assert bench.before.present.all()  # where it stands can be asked before any scene
    seen = bench.reads(200)[10:]
    errors = np.array([one.position for one in seen]) - bench.plant.home
    # 1520 samples: the standard deviation is known to 1.8 per cent
    assert errors.std() == pytest.approx(0.01, rel=0.08)
    ages = np.array([one.age_ns for one in seen])
    assert ages.min() >= 20 * MS
    assert ages.max() <= 40 * MS


def test_a_lost_reading_leaves_the_older_one_or_none(benches: list[Bench]) -> None:
    lossy = Bench(rate_hz=100.0, dropout=0.5)
    strict = Bench(rate_hz=100.0, dropout=0.5, keep_s=0.012)
    benches += [lossy, strict]
    assert max(int(one.age_ns.max()) for one in lossy.reads(100)) > 20 * MS
    assert any(np.isnan(one.position).all() for one in strict.reads(100))


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(ValidationError, match="noise_deg"):
        SensedArmParameters.model_validate({"sensing": {"rate_hz": 100.0, "noise_deg": 1.0}})
