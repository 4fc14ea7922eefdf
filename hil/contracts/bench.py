"""What devices are built from, and what stands behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hil.clock import Clock
from hil.contracts.base import Device
from hil.contracts.link import LinkControl


class Plant(Protocol):
    """What stands behind simulated devices; shared by the devices of one `sim` rig."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """What a driver factory is given: role, resolved address and parameters of the rig file.

    `address` is a device path or URL; empty for devices with no port (simulated ones).
    `base` is the folder of the rig file, for relative paths in parameters. `link` holds what
    the rig file asks of the device's line (`rigs.link.LinkTable`) as plain data; the driver
    hands its spec to `drivers.transport.link.open_link`, which registers the line in `control`.
    """

    role: str
    driver: str
    address: str
    parameters: Mapping[str, object]
    base: Path
    link: Mapping[str, object] = field(default_factory=dict)
    control: LinkControl = field(default_factory=LinkControl, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BenchContext:
    """What the devices of one rig share: the clock, and the plant of a `sim` rig.

    `stopping` is true once somebody asked the run to end; a device that waits for a person
    looks at it.
    """

    clock: Clock
    plant: Plant | None = None
    stopping: Callable[[], bool] = lambda: False


class DriverFactory(Protocol):
    """Entry point of group `hil.drivers`; must not touch the device (that is `open`).

    Errors: BadInput for parameters it cannot use.
    """

    def __call__(self, spec: DeviceSpec, context: BenchContext) -> Device: ...


class TwinProcesses(Protocol):
    """Running emulated devices: `ports` maps the twin's port names to addresses."""

    @property
    def ports(self) -> Mapping[str, str]: ...

    def describe(self) -> Mapping[str, object]:
        """Plain data for `hil twin` and the host record."""
        ...

    def check(self) -> None:
        """Errors: RigError when a process has ended by itself."""
        ...

    def stop(self) -> None:
        """End every process; idempotent, bounded in time."""
        ...
