"""The driver under test: fresh devices of one role of a rig, and calls that are timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.conformance.model import NotChecked, NotConforming
from hil.contracts import BenchContext, Device, DeviceSpec, Joints, OpenLink
from hil.errors import HilError
from hil.plugins import DRIVERS, load
from rigs.schema import Device as DeviceTable

OPEN_WITHIN_S = 10.0
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Opened:
    """An open device, and its line where that takes faults."""

    device: Device
    spec: DeviceSpec

    @property
    def link(self) -> OpenLink:
        """Errors: NotChecked where the driver's line takes no faults."""
        link = self.spec.control.link
        if link is None:
            raise NotChecked("the driver's line takes no faults (it is not opened by open_link)")
        return link

    @property
    def joints(self) -> Joints:
        """The device as joints. Errors: NotChecked where it has none."""
        if not isinstance(self.device, Joints):
            raise NotChecked("it has no joints")
        return self.device


@dataclass(frozen=True, slots=True)
class Subject:
    """One device of a rig file, built anew for every check.

    `grace_ms` is how much later than its deadline a call may return: the host is no real-time
    system, and a deadline is kept or not by a margin that a loop could live with.
    """

    table: DeviceTable
    address: str
    base: Path
    clock: WallClock
    grace_ms: float

    @property
    def role(self) -> str:
        return self.table.role

    def build(self) -> Opened:
        """A device that has not been opened. Errors: those of the driver's factory."""
        table = self.table
        link = table.link.model_dump(exclude_none=True) if table.link is not None else {}
        spec = DeviceSpec(table.role, table.driver, self.address, table.parameters, self.base, link)
        return Opened(load(DRIVERS, table.driver)(spec, BenchContext(self.clock)), spec)

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """An open device, closed on the way out."""
        one = self.build()
        try:
            one.device.open(self.within(OPEN_WITHIN_S))
            yield one
        finally:
            one.device.close()

    def within(self, seconds: float) -> Deadline:
        """A deadline from now."""
        return Deadline.after_s(self.clock, seconds)

    def faults(self, opened: Opened, *faults: Mapping[str, object]) -> None:
        """Put faults into the line from now on."""
        opened.link.plant_faults(list(faults), 1, self.clock.now_ns())

    def timely(
        self,
        what: str,
        call: Callable[[Deadline], Value],
        seconds: float,
        allowed: Sequence[type[HilError]],
    ) -> Value | HilError:
        """Call with a deadline of `seconds`; its value, or an error of an `allowed` kind.

        Errors: NotConforming where it returns later than the deadline and the grace, or raises
        anything else.
        """
        deadline = self.within(seconds)
        outcome: Value | HilError
        try:
            outcome = call(deadline)
        except tuple(allowed) as error:
            outcome = error
        except HilError as error:
            names = ", ".join(kind.__name__ for kind in allowed) or "no error"
            raise NotConforming(
                f"{what} raised {type(error).__name__} ({error.message}), allowed are {names}"
            ) from error
        except Exception as error:
            raise NotConforming(
                f"{what} raised {type(error).__name__} ({error}), which is not of the error tree"
            ) from error
        late_ms = (self.clock.now_ns() - deadline.at_ns) / NS_PER_MS
        if late_ms > self.grace_ms:
            raise NotConforming(
                f"{what} came back {late_ms:.1f} ms after its deadline; {self.grace_ms:g} allowed"
            )
        return outcome
