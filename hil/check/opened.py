"""Holding devices open: whatever was opened is made safe, with proof, before it is closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

from hil.check.model import About, Part, Result
from hil.clock import NS_PER_MS, Deadline
from hil.contracts import Capability, Device, Rescue, SafeProof
from hil.errors import DeadlineMissed, DeviceFault, ProtocolError
from hil.rig import OPEN_WITHIN_S, Bench
from hil.safety import SAFE_WITHIN_S, make_safe

_CUT_POWER = "cut the power of the rig before touching it"
_SHOWN = 3

_MOVING = frozenset({Capability.JOINTS, Capability.GRIPPER})
_FEEDING = frozenset({Capability.POWER, Capability.SWITCHES})

_REACHED = (DeviceFault, DeadlineMissed, ProtocolError)
"""Errors of an open that had the port to itself: something can be sent to the device."""


def moves(device: Device) -> bool:
    """Whether a device, open or not, is one that moves."""
    return bool(_MOVING & device.capabilities)


def feeds(device: Device) -> bool:
    """Whether others may hang on it: a supply, relays."""
    return bool(_FEEDING & device.capabilities)


def _rank(device: Device) -> int:
    return 0 if moves(device) else 2 if feeds(device) else 1


class Opened:
    """The devices of a bench that are open now, by role; a context manager.

    `proofs` are those of devices that were made safe, in that order; `untouched` are the roles
    of devices of which nothing can be said, since they could not be reached.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.devices: dict[str, Device] = {}
        self.proofs: list[SafeProof] = []
        self.untouched: list[str] = []

    def __enter__(self) -> Opened:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release(*self.devices)

    def open(self, role: str) -> Device:
        """Open one device. Errors: whatever its driver raises; it is closed again then, and made
        safe where that can be done without opening it."""
        device = self.bench.devices[role]
        try:
            device.open(self.bench.deadline(OPEN_WITHIN_S))
        except BaseException as error:
            device.close()
            self._rescue(device, error)
            raise
        self.devices[role] = device
        return device

    def release(self, *roles: str) -> None:
        """Make devices safe, all of them before the first is closed: first what moves, last what
        feeds the others, without which nothing could be read back from them."""
        ordered = sorted(roles, key=lambda role: _rank(self.devices[role]))
        for role in ordered:
            self.proofs.append(self._prove(self.devices[role]))
        for role in reversed(ordered):
            self.devices.pop(role).close()

    def _prove(self, device: Device) -> SafeProof:
        control = self.bench.links.get(device.role)
        if control is not None and control.link is not None:
            control.link.calm()  # nothing artificial stands between a device and its safe state
        started_ns = self.bench.clock.now_ns()
        try:
            return make_safe([device], self.bench.clock)[0]
        except Exception as error:  # noqa: BLE001  the other devices have to be made safe too
            return self._unproved(device, error, started_ns)

    def _rescue(self, device: Device, error: BaseException) -> None:
        """One servo that is missing keeps an arm from being opened, and not from being energised
        by a program before: what can be made safe from outside, is."""
        if not (isinstance(device, Rescue) and isinstance(error, _REACHED)):
            self.untouched.append(device.role)
            return
        started_ns = self.bench.clock.now_ns()
        try:
            proof = device.rescue(Deadline.after_s(self.bench.clock, SAFE_WITHIN_S))
        except Exception as failure:  # noqa: BLE001  what kept it from being opened is told first
            proof = self._unproved(device, failure, started_ns)
        self.proofs.append(proof)

    def _unproved(self, device: Device, error: Exception, started_ns: int) -> SafeProof:
        readings = {"error": f"{type(error).__name__}: {error}"}
        now_ns = self.bench.clock.now_ns()
        return SafeProof(device.role, False, "unknown", readings, started_ns, now_ns)


def check_safe(opened: Opened, never: Sequence[str]) -> Iterator[Result]:
    """What was proved of every device on the way out; nothing of those that were `never` there
    to be opened, and of those that could not be reached."""
    for proof in opened.proofs:
        yield _proved(proof)
    for role in [*never, *opened.untouched]:
        yield About(Part.SAFE, role).skipped(
            "made safe", "it could not be opened: nothing was sent to it, its state is not known"
        )


def _proved(proof: SafeProof) -> Result:
    about = About(Part.SAFE, proof.role)
    took_ms = (proof.proved_ns - proof.started_ns) / NS_PER_MS
    if proof.safe:
        count = len(proof.readings)
        read = f", {count} value{'s' if count > 1 else ''} read back" if count else ""
        return about.ok("made safe", f"{proof.state}{read}, {took_ms:.1f} ms", proof.readings)
    shown = [f"{name} {value}" for name, value in proof.readings.items()]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    detail = f"{proof.state}: {', '.join(shown[:_SHOWN])}{more}"
    return about.bad("made safe", detail, _CUT_POWER, proof.readings)
