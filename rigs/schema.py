"""Schema of `rigs/NAME.toml`: the bench, its devices and their limits."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from rigs.link import LinkTable

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Port(_Table):
    """Identity of a port, never its `/dev/ttyUSB0`. Exactly one way of naming it."""

    usb_serial: str | None = Field(None, min_length=1)
    interface: int | None = Field(None, ge=0, description="with usb_serial: USB interface number")
    by_path: str | None = Field(None, min_length=1)
    url: str | None = Field(None, min_length=1)
    twin: Name | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Port:
        ways = [key for key in ("usb_serial", "by_path", "url", "twin") if getattr(self, key)]
        if len(ways) != 1:
            raise ValueError(
                "name the port by exactly one of usb_serial, by_path, url or twin"
                f" (given: {', '.join(ways) or 'none'})"
            )
        if self.interface is not None and self.usb_serial is None:
            raise ValueError("interface goes with usb_serial")
        return self


class Device(_Table):
    """One device on the bench. `parameters` are checked by its driver, `link` says what its
    line is to do besides moving bytes. `needs_calibration` are the quantities that have to have a
    `[[calibrations]]` entry."""

    role: Name
    driver: Name
    port: Port | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    link: LinkTable | None = None
    needs_calibration: tuple[Name, ...] = ()


class Simulation(_Table):
    """The plant of a `sim` rig."""

    plant: Name
    step_hz: int = Field(1000, ge=240, le=10_000)


class TwinPort(BaseModel):
    """One emulated device, or one bus of them: which emulator, and its options.

    The emulator is found by entry point (group `hil.emulators`) and checks its own options;
    "scene" is the link by which the twin itself is arranged, watched and spoilt.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    emulator: Name

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Twin(_Table):
    """The emulated devices of a `twin` rig and the plant behind them.

    A plant is needed where an emulator moves joints, and for a scene to be arranged.
    """

    launcher: Name = "process"
    plant: Name | None = None
    step_hz: int = Field(1000, ge=240, le=10_000)
    ports: dict[Name, TwinPort] = Field(min_length=1)


Span = Annotated[
    tuple[FiniteFloat, FiniteFloat], Field(description="[lowest, highest], m, base frame")
]


class Workspace(_Table):
    """Box in the arm's base frame that its tool point may not leave."""

    x: Span
    y: Span
    z: Span

    @model_validator(mode="after")
    def _has_room(self) -> Workspace:
        for axis in ("x", "y", "z"):
            low, high = getattr(self, axis)
            if not low < high:
                raise ValueError(
                    f"{axis} = [{low:g}, {high:g}] has no room; [{high:g}, {low:g}] would do"
                    if high < low
                    else f"{axis} = [{low:g}, {high:g}] has no room"
                )
        return self


class Limits(_Table):
    """Envelope applied to every joint target before it is sent.

    The optional ones bound the target's acceleration and jerk, the effort at which a joint
    gives way (fraction of its stall torque, as measured), and where the tool point may be.
    """

    step_rad: float = Field(gt=0, le=3.2)
    velocity_rad_s: float = Field(gt=0, le=30)
    acceleration_rad_s2: float | None = Field(None, gt=0, le=10_000)
    jerk_rad_s3: float | None = Field(None, gt=0, le=1_000_000)
    effort: float | None = Field(None, gt=0, le=1)
    workspace_m: Workspace | None = None

    @model_validator(mode="after")
    def _jerk_of_what(self) -> Limits:
        if self.jerk_rad_s3 is not None and self.acceleration_rad_s2 is None:
            raise ValueError("jerk_rad_s3 goes with acceleration_rad_s2")
        return self


class Realtime(_Table):
    """What the loop's process asks of the system for an episode; what is not stated is left.

    `spin_us` is the longest a wait may spin before its instant, a quarter of the period where
    it is not stated. `timer_slack_us` is for scheduler "other": the kernel adds it to every
    sleep there (50 us where nobody changes it), and to none under the two others.
    """

    scheduler: Literal["other", "fifo", "rr"] | None = None
    priority: int = Field(default=0, ge=0, le=99)
    cpus: list[Annotated[int, Field(ge=0, le=4095)]] | None = Field(default=None, min_length=1)
    lock_memory: bool = False
    cpu_dma_latency_us: int | None = Field(default=None, ge=0, le=10_000)
    switch_interval_us: int | None = Field(default=None, ge=1, le=1_000_000)
    timer_slack_us: int | None = Field(default=None, ge=1, le=1_000_000)
    spin_us: float | None = Field(default=None, ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _priority_of_the_scheduler(self) -> Realtime:
        timely = self.scheduler in ("fifo", "rr")
        if self.priority and not timely:
            raise ValueError(
                f'priority = {self.priority} goes with scheduler = "fifo" or "rr", and with'
                " no other"
            )
        if timely and not self.priority:
            raise ValueError(
                f'scheduler = "{self.scheduler}" needs a priority of 1 to 99; 80 is usual'
            )
        return self


class Fitness(_Table):
    """What the host must be for a certified run; a limit that is not wanted is set high.

    Wake-up errors are those of the loop's own way of waiting at the loop's rate. `stolen` is
    the share of time that the hypervisor took away, `load_per_core` the number of runnable
    tasks in the last minute. With `settings_required`, a setting of [realtime] that is not
    granted makes the host unfit; otherwise it is a note on the record.
    """

    seconds: float = Field(default=10.0, gt=0, le=3600)
    wake_p99_us: float = Field(default=2000.0, gt=0)
    wake_p999_us: float = Field(default=10_000.0, gt=0)
    wake_max_us: float | None = Field(default=None, gt=0)
    stolen: float = Field(default=0.05, ge=0, le=1)
    load_per_core: float = Field(default=2.0, gt=0)
    latency_timer_ms: int = Field(default=1, ge=1, le=255)
    settings_required: bool = False


class Watchdog(_Table):
    """The process that makes the rig safe when the loop's own process dies or hangs.

    `tick_timeout_ms` is the silence allowed beyond the longest tick that the scenario allows
    (its period, its stages and the inference's time-out).
    """

    tick_timeout_ms: float = Field(100.0, ge=10, le=10_000)


class Calibration(_Table):
    """That a quantity of a device was compared with something better, when, and until when that
    is good: the day `due` is the last one. Dates are UTC dates.

    `certificate` names the paper that says so; without one, `note` says how it was done. `value`
    is what was found (an offset, a factor, a deviation), `uncertainty` its expanded one, both in
    `unit`; nothing here is applied to what a device says.
    """

    role: Name
    quantity: Name
    on: date = Field(alias="date")
    due: date
    certificate: str | None = Field(None, min_length=1)
    note: str | None = Field(None, min_length=1)
    value: FiniteFloat | None = None
    uncertainty: float | None = Field(None, gt=0, allow_inf_nan=False)
    unit: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Calibration:
        if self.due < self.on:
            raise ValueError(f"due = {self.due} is before date = {self.on}")
        if self.certificate is None and self.note is None:
            raise ValueError("name the certificate, or say in note how it was done")
        figures = self.value is not None or self.uncertainty is not None
        if figures != (self.unit is not None):
            raise ValueError("unit goes with value or uncertainty, and only with them")
        return self


class Rig(_Table):
    """Whole rig file."""

    version: Literal[1] = Field(alias="schema")
    name: Name
    title: str
    kind: Literal["sim", "twin", "real"]
    sim: Simulation | None = None
    twin: Twin | None = None
    devices: list[Device] = Field(min_length=1)
    limits: Limits | None = None
    realtime: Realtime = Field(default_factory=Realtime)
    fitness: Fitness = Field(default_factory=Fitness)
    watchdog: Watchdog = Field(default_factory=lambda: Watchdog.model_validate({}))
    calibrations: list[Calibration] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Rig:
        roles = [device.role for device in self.devices]
        doubled = sorted({role for role in roles if roles.count(role) > 1})
        if doubled:
            raise ValueError(f"roles must be unique; used twice: {', '.join(doubled)}")
        for kind, table in (("sim", self.sim), ("twin", self.twin)):
            if (self.kind == kind) != (table is not None):
                raise ValueError(f"table [{kind}] goes with kind = {kind!r}, and only with it")
        self._check_twin_ports()
        self._check_calibrations(roles)
        return self

    def _check_calibrations(self, roles: list[str]) -> None:
        of = [(one.role, one.quantity) for one in self.calibrations]
        for role, quantity in of:
            if role not in roles:
                raise ValueError(
                    f"a calibration names role {role!r}; devices has: {', '.join(roles)}"
                )
            if of.count((role, quantity)) > 1:
                raise ValueError(
                    f"{role!r} has two calibrations of {quantity!r}; keep the newer one"
                )

    def _check_twin_ports(self) -> None:
        served = set(self.twin.ports) if self.twin else set()
        for device in self.devices:
            name = device.port.twin if device.port else None
            if name is not None and name not in served:
                raise ValueError(
                    f"device {device.role!r} wants twin port {name!r};"
                    f" [twin.ports] has: {', '.join(sorted(served)) or 'none'}"
                )
