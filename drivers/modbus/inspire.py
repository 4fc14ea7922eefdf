"""Driver `inspire-hand`: six fingers' degrees of freedom as `Joints`, in SI units."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass

import numpy as np

from drivers.enabling import refuse_unenabled
from drivers.modbus.bus import ModbusBus
from drivers.modbus.eb90_bus import Eb90Bus
from drivers.modbus.hand_link import Eb90Hand, HandLink, ModbusHand
from drivers.modbus.hand_table import HandTable, load_hand
from drivers.modbus.inspire_health import HandState, blocked, findings
from drivers.modbus.inspire_parameters import HandParameters
from drivers.modbus.inspire_safe import prove_held
from drivers.modbus.line import Timing
from drivers.modelfiles import refuse_unknown
from drivers.transport.latency import adapter_latency
from drivers.transport.link import open_link
from drivers.transport.options import need_port
from hil.clock import NS_PER_MS, NS_PER_S, Clock, Deadline
from hil.config import device_parameters
from hil.contracts import (
    NEVER,
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    FloatArray,
    ForceSample,
    Identity,
    IntArray,
    JointLimits,
    JointSample,
    SafeProof,
    WireUse,
)
from hil.errors import DeadlineMissed, DeviceFault, HarnessError, HilError
from hil.failure import on_failure

_YOUNG_NS = NS_PER_S // 2
"""Positions older than this are none to be held at."""

_HISTORY = 64
_REFRESHES = 2.0
"""Span over which a velocity is taken, in periods after which the hand publishes new values."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """Positions in counts, (n,), and when the host had them."""

    stamp_ns: int
    counts: IntArray


class InspireHand:
    """A hand of Inspire's RH56 series (`hil.contracts.Joints`).

    Angles are approximate (`hands/*.toml`). The hand reports no velocity: it is the difference
    of positions over two of the hand's refresh periods, NaN until there are such. Effort is the
    force that a finger reports as a fraction of the largest threshold that can be set.
    """

    capabilities = frozenset({Capability.JOINTS})

    def __init__(
        self, spec: DeviceSpec, table: HandTable, parameters: HandParameters, clock: Clock
    ) -> None:
        self.role = spec.role
        self._spec = spec
        self._table = table
        self._parameters = parameters
        self._clock = clock
        self._unit = parameters.unit or table.unit
        self._baud = parameters.baud or table.baud
        self._force_sets = _force_sets(table, parameters)
        self._link: HandLink | None = None
        self._enabled = False
        self._seen: deque[_Seen] = deque(maxlen=_HISTORY)

    @property
    def names(self) -> tuple[str, ...]:
        return self._table.names

    @property
    def limits(self) -> JointLimits:
        """Range of every finger, and its speed as the rig file bounds it, without load."""
        limits = self._table.limits
        return JointLimits(limits.lower, limits.upper, limits.velocity * self._parameters.speed)

    def open(self, deadline: Deadline) -> None:
        """Take the line, reach the hand, and set speed and force thresholds; nothing moves.

        Errors: those of `open_link`; DeadlineMissed (no hand answers), DeviceFault.
        """
        if self._link is not None:
            raise HarnessError(f"{self.role} is open already")
        link = self._connect()
        with on_failure(link.close):
            self._seen.clear()
            self._positions(link, deadline)
            speed = round(self._parameters.speed * self._table.full)
            registers, fingers = self._table.registers, len(self._table.fingers)
            link.write_shorts(registers.speed_set, [speed] * fingers, deadline)
            link.write_shorts(registers.force_set, self._force_sets, deadline)
        self._link = link
        self._enabled = False

    def identity(self, deadline: Deadline) -> Identity:
        """The model of the rig file: a hand does not say which one it is."""
        link = self._opened()
        self._positions(link, deadline)
        return Identity(
            self._table.title,
            detail={
                "port": link.description,
                "unit": self._unit,
                "protocol": self._parameters.protocol,
            },
        )

    def health(self, deadline: Deadline) -> list[Finding]:
        try:
            state = self._state(self._opened(), deadline)
        except HilError as error:
            return [Finding("answers", False, error.message, error.remedy)]
        adapter = adapter_latency(self._spec.address)
        return [Finding("answers", True, "registers read"), *adapter, *findings(self._table, state)]

    def ping(self, deadline: Deadline) -> None:
        """Read the first position. Errors: DeadlineMissed, LinkLost, DeviceFault."""
        self._opened().read_shorts(self._table.registers.angle_act, 1, deadline)

    def counters(self) -> Mapping[str, int]:
        return self._link.counters() if self._link else {}

    def enable(self, deadline: Deadline) -> None:
        """Take the present positions for the targets, so that nothing jumps: the drives of a
        hand are always energised. What it adds is that commands are taken from then on.

        Errors: DeviceFault naming fingers that an error keeps from moving; DeadlineMissed,
        LinkLost. No command is taken then.
        """
        link, registers = self._opened(), self._table.registers
        self._enabled = False
        if self._parameters.clear_errors:
            link.write_shorts(registers.clear_error, [1], deadline)
            self._await_refresh(deadline)
        stuck = blocked(self._table, self._octets(link, registers.error, deadline))
        if stuck:
            raise DeviceFault(
                f"{self.role}: {'; '.join(stuck)}",
                "free the finger; parameters.clear_errors clears what can be cleared",
            )
        counts = self._positions(link, deadline).counts
        link.write_shorts(registers.angle_set, self._within(counts), deadline)
        self._enabled = True

    def read(self, deadline: Deadline) -> JointSample:
        """Positions in one trip, forces in a second one (`read_effort`).

        A hand that does not answer is absent as a whole; where only the forces were lost,
        effort is NaN. Errors: LinkLost; DeviceFault where it refuses.
        """
        link = self._opened()
        try:
            seen = self._positions(link, deadline)
        except DeadlineMissed:
            return self._absent()  # counted by the bus
        effort = self._effort(link, deadline)
        stamp_ns = self._clock.now_ns()
        return JointSample(
            stamp_ns=stamp_ns,
            position=self._table.to_radians(seen.counts),
            velocity=self._velocity(seen),
            effort=effort,
            age_ns=np.full(len(self.names), stamp_ns - seen.stamp_ns),
        )

    def forces(self, deadline: Deadline) -> ForceSample:
        """What every finger reports, in N. Errors: DeadlineMissed, LinkLost, DeviceFault."""
        newtons = self._forces(self._opened(), deadline) * self._table.newtons_per_count
        return ForceSample(self._clock.now_ns(), newtons, np.zeros(len(self.names), np.int64))

    def command(self, position: FloatArray, deadline: Deadline) -> FloatArray:
        """Write all targets, clipped to `limits` and rounded to counts; the hand acknowledges.

        Errors: HarnessError where it is not enabled (`make_safe` holds the fingers, which a
        target would set moving), for a wrong shape or a target that is not finite;
        DeadlineMissed, LinkLost, DeviceFault.
        """
        link = self._opened()
        refuse_unenabled(self.role, self._enabled)
        if position.shape != (len(self.names),) or not np.isfinite(position).all():
            raise HarnessError(f"{self.role}: {position!r} is no set of joint targets")
        counts = self._table.to_counts(position)
        link.write_shorts(self._table.registers.angle_set, counts.tolist(), deadline)
        return self._table.to_radians(counts)

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """Hold every finger where it is; read back that it stands (`inspire_safe`)."""
        self._enabled = False
        known = self._seen[-1] if self._seen else None
        young = known is not None and self._clock.now_ns() - known.stamp_ns <= _YOUNG_NS
        counts = known.counts.tolist() if known is not None and young else None
        return prove_held(self.role, self._link, self._table, counts, self._clock, deadline)

    def rescue(self, deadline: Deadline) -> SafeProof:
        """As `make_safe`, on a line that nobody has open."""
        with closing(self._connect()) as link:
            return prove_held(self.role, link, self._table, None, self._clock, deadline)

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def wire_uses(self) -> Mapping[str, WireUse]:
        """Bytes of `read` and `command`; silent gaps between frames are not in them."""
        kind = Eb90Hand if self._parameters.protocol == "eb90" else ModbusHand
        trips = 2 if self._parameters.read_effort else 1
        fingers = len(self.names)
        return {
            "read": WireUse(trips * kind.read_cost(fingers), self._baud),
            "command": WireUse(kind.write_cost(fingers), self._baud),
        }

    def _connect(self) -> HandLink:
        answer_ns = round(self._parameters.answer_timeout_ms * NS_PER_MS)
        timing = Timing(self._baud, answer_ns=answer_ns)
        port = open_link(self._spec, self._baud, self._clock)
        with on_failure(port.close):
            if self._parameters.protocol == "eb90":
                return Eb90Hand(Eb90Bus(port, self._clock, timing), self._unit)
            return ModbusHand(ModbusBus(port, self._clock, timing), self._unit)

    def _opened(self) -> HandLink:
        if self._link is None:
            raise HarnessError(f"{self.role} is not open")
        return self._link

    def _positions(self, link: HandLink, deadline: Deadline) -> _Seen:
        counts = link.read_shorts(self._table.registers.angle_act, len(self.names), deadline)
        seen = _Seen(self._clock.now_ns(), np.array(counts, dtype=np.int64))
        self._seen.append(seen)
        return seen

    def _forces(self, link: HandLink, deadline: Deadline) -> FloatArray:
        counts = link.read_shorts(self._table.registers.force_act, len(self.names), deadline)
        return np.array(counts, dtype=np.float64)

    def _await_refresh(self, deadline: Deadline) -> None:
        """Until the hand has published what has changed, or the deadline."""
        span_ns = round(_REFRESHES * self._table.refresh_ms * NS_PER_MS)
        self._clock.sleep_until(min(deadline.at_ns, self._clock.now_ns() + span_ns))

    def _effort(self, link: HandLink, deadline: Deadline) -> FloatArray:
        """Forces as fractions, (n,); NaN where they were not asked for or did not come."""
        if self._parameters.read_effort:
            with suppress(DeadlineMissed):  # counted by the bus
                return np.clip(self._forces(link, deadline) / self._table.force_full, -1.0, 1.0)
        return np.full(len(self.names), np.nan)

    def _octets(self, link: HandLink, address: int, deadline: Deadline) -> bytes:
        return link.read_octets(address, len(self.names), deadline)

    def _state(self, link: HandLink, deadline: Deadline) -> HandState:
        registers, fingers = self._table.registers, len(self.names)
        return HandState(
            angle=link.read_shorts(registers.angle_act, fingers, deadline),
            force=link.read_shorts(registers.force_act, fingers, deadline),
            current=link.read_shorts(registers.current, fingers, deadline),
            error=self._octets(link, registers.error, deadline),
            status=self._octets(link, registers.status, deadline),
            temperature=self._octets(link, registers.temperature, deadline),
        )

    def _velocity(self, seen: _Seen) -> FloatArray:
        span_ns = round(_REFRESHES * self._table.refresh_ms * NS_PER_MS)
        for before in reversed(self._seen):
            passed_ns = seen.stamp_ns - before.stamp_ns
            if span_ns <= passed_ns <= _YOUNG_NS:
                moved = self._table.to_radians(seen.counts) - self._table.to_radians(before.counts)
                return np.asarray(moved * NS_PER_S / passed_ns, dtype=np.float64)
        return np.full(len(self.names), np.nan)

    def _absent(self) -> JointSample:
        nothing = np.full(len(self.names), np.nan)
        stamp_ns = self._clock.now_ns()
        age_ns = stamp_ns - self._seen[-1].stamp_ns if self._seen else NEVER
        ages = np.full(len(self.names), age_ns)
        return JointSample(stamp_ns, nothing, nothing.copy(), nothing.copy(), ages)

    def _within(self, counts: IntArray) -> list[int]:
        return [min(max(int(count), 0), self._table.full) for count in counts]


def _force_sets(table: HandTable, parameters: HandParameters) -> list[int]:
    """Thresholds in counts, one a finger. Errors: BadInput for fingers that it has not."""
    asked = parameters.force_n
    if not isinstance(asked, dict):
        counts = table.force_full if asked is None else table.force_counts(asked)
        return [counts] * len(table.fingers)
    refuse_unknown("force_n", asked, f"the {table.model}", "fingers", table.names)
    return [
        table.force_counts(asked[name]) if name in asked else table.force_full
        for name in table.names
    ]


def build(spec: DeviceSpec, context: BenchContext) -> InspireHand:
    """Factory of driver `inspire-hand`; touches no port. Errors: BadInput."""
    parameters = device_parameters(spec, HandParameters)
    need_port(spec)
    table = load_hand(parameters.model).calibrated(parameters.calibration)
    return InspireHand(spec, table, parameters, context.clock)
