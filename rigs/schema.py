"""Schema of `rigs/NAME.toml`: the bench, its devices and their limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

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
    """One device on the bench. `parameters` are checked by its driver."""

    role: Name
    driver: Name
    port: Port | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class Simulation(_Table):
    """The plant of a `sim` rig."""

    plant: Name
    step_hz: int = Field(1000, ge=240, le=10_000)


class TwinPort(BaseModel):
    """One emulated device: which emulator, and its options (checked by the emulator)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    emulator: Literal["sts3215-bus", "agent", "scene"]

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Twin(_Table):
    """The emulated devices of a `twin` rig and the plant behind them."""

    launcher: Name = "process"
    plant: Name
    step_hz: int = Field(1000, ge=240, le=10_000)
    ports: dict[Name, TwinPort] = Field(min_length=1)


class Limits(_Table):
    """Envelope applied to every joint target before it is sent."""

    step_rad: float = Field(gt=0, le=3.2)
    velocity_rad_s: float = Field(gt=0, le=30)


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
        return self

    def _check_twin_ports(self) -> None:
        served = set(self.twin.ports) if self.twin else set()
        for device in self.devices:
            name = device.port.twin if device.port else None
            if name is not None and name not in served:
                raise ValueError(
                    f"device {device.role!r} wants twin port {name!r};"
                    f" [twin.ports] has: {', '.join(sorted(served)) or 'none'}"
                )
