"""Round trips: the call that a loop would make in every tick, made many times in a row."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from hil.clock import NS_PER_MS, NS_PER_US, Clock, Deadline
from hil.contracts import Capability, Device, EmergencyStop, Force, Gripper, Joints, JointSample
from hil.errors import DeadlineMissed

WITHIN_MS = 250
"""An answer later than this counts as none."""

_READ = frozenset({Capability.JOINTS, Capability.GRIPPER, Capability.FORCE})
_TOGETHER_NS = 50 * NS_PER_US
_BARS = "▁▂▃▄▅▆▇█"
_BUCKETS = 16

Call = Callable[[Deadline], object]


@dataclass(frozen=True, slots=True)
class Trips:
    """Times of the answered ones, in the order asked."""

    asked: int
    times_us: tuple[float, ...]

    @property
    def lost(self) -> int:
        return self.asked - len(self.times_us)

    def quantile_us(self, q: float) -> float | None:
        """Order statistic; None when nothing answered."""
        if not self.times_us:
            return None
        return float(np.quantile(self.times_us, q, method="inverted_cdf"))

    def histogram(self) -> list[tuple[float, float, int]]:
        """Buckets of equal ratio from the shortest to the longest: from, to (us), how many."""
        if not self.times_us:
            return []
        times = np.maximum(np.array(self.times_us), 1.0)  # a declared time may be 0
        low, high = float(times.min()), float(times.max())
        if low == high:
            return [(low, high, len(times))]
        edges = np.geomspace(low, high, _BUCKETS + 1)
        edges[0], edges[-1] = low, high
        counts, _ = np.histogram(times, edges)
        return [
            (float(edges[k]), float(edges[k + 1]), int(count)) for k, count in enumerate(counts)
        ]


def sparkline(histogram: list[tuple[float, float, int]]) -> str:
    """One character a bucket, the lowest for an empty one and for no other."""
    most = max((count for _, _, count in histogram), default=0)
    levels = len(_BARS) - 1
    return "".join(
        _BARS[0] if not count else _BARS[max(1, round(levels * count / most))]
        for _, _, count in histogram
    )


def call_of_a_tick(device: Device) -> tuple[str, Call] | None:
    """What a loop asks an open device in a tick, and what that is called; the protocol's smallest
    round trip for a device of which a tick asks nothing. None for one that streams."""
    # by capability: a device with joints has all that a gripper's protocol asks for as well
    if Capability.CAMERA in device.capabilities:
        return None
    if device.capabilities & _READ and isinstance(device, Joints | Gripper | Force):
        return "read", device.read
    if Capability.EMERGENCY_STOP in device.capabilities and isinstance(device, EmergencyStop):
        return "pressed", device.pressed
    return "ping", device.ping


def measure(call: Call, clock: Clock, count: int, stop: Callable[[], bool]) -> Trips:
    """Call `count` times, back to back. Errors: LinkLost when the device goes away meanwhile."""
    times_us: list[float] = []
    asked = 0
    while asked < count and not stop():
        asked += 1
        began_ns = clock.now_ns()
        try:
            call(Deadline.after(clock, WITHIN_MS * NS_PER_MS))
        except DeadlineMissed:
            continue
        times_us.append((clock.now_ns() - began_ns) / NS_PER_US)
    return Trips(asked, tuple(times_us))


@dataclass(slots=True)
class WatchedReads:
    """Reads of joints, and who of them was silent or late; `read` is the call to measure."""

    arm: Joints
    reads: int = 0
    absent: Counter[str] = field(default_factory=Counter)
    _waits_ns: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def read(self, deadline: Deadline) -> JointSample:
        """As the arm's own. Errors: LinkLost."""
        sample = self.arm.read(deadline)
        self.reads += 1
        self.absent.update(
            name for name, here in zip(self.arm.names, sample.present, strict=True) if not here
        )
        self._note_waits(sample)
        return sample

    def slowest(self) -> tuple[str, float] | None:
        """The joint whose answer is the last and comes alone, and how long after the one before
        it in the mean, us; None where answers come together."""
        if not self._waits_ns:
            return None
        name = max(self._waits_ns, key=self._waits_ns.__getitem__)
        return name, self._waits_ns[name] / self.reads / NS_PER_US

    def _note_waits(self, sample: JointSample) -> None:
        """Time between an answer and the one before it, where one joint alone came after it."""
        arrivals = sorted(
            (sample.stamp_ns - int(age_ns), name)
            for name, age_ns, here in zip(
                self.arm.names, sample.age_ns, sample.present, strict=True
            )
            if here
        )
        if len(arrivals) < 2:
            return
        (before_ns, _), (last_ns, name) = arrivals[-2:]
        if last_ns - before_ns > _TOGETHER_NS:
            self._waits_ns[name] += last_ns - before_ns


def figures(trips: Trips, absent: Mapping[str, int] | None = None) -> dict[str, object]:
    """Plain data of a measurement, times in us."""
    quantiles = {
        name: trips.quantile_us(q)
        for name, q in (
            ("min_us", 0.0),
            ("p50_us", 0.5),
            ("p95_us", 0.95),
            ("p99_us", 0.99),
            ("max_us", 1.0),
        )
    }
    return {
        "asked": trips.asked,
        "answered": len(trips.times_us),
        "lost": trips.lost,
        **quantiles,
        "histogram": [list(bucket) for bucket in trips.histogram()],
        **({} if absent is None else {"absent": dict(absent)}),
    }
