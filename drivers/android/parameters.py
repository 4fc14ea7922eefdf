"""`parameters` of an Android terminal in a rig file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PushedFile(BaseModel):
    """A file that must be on the phone before the agent starts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    local: str = Field(min_length=1, description="relative to the rig file")
    remote: str = Field(pattern=r"^/[^,]*[^,/]$", description="absolute path on the phone")
    mode: int = Field(0o644, ge=0, le=0o777)


class AgentTable(BaseModel):
    """The agent of `docs/terminal-agent.md` on the phone, on a socket of the phone's.

    The three commands are for the phone's shell. `running` ends with 0 while the agent runs,
    and with 1 and no output while it does not, as `pidof` does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    socket: str = Field(
        "localabstract:hil-agent",
        pattern=r"^(localabstract|localfilesystem|tcp):[^;\s]+$",
        description="where the agent serves, as adb names it",
    )
    start: str = Field(min_length=1)
    stop: str = Field(min_length=1)
    running: str = Field(min_length=1)
    files: tuple[PushedFile, ...] = ()


class Parameters(BaseModel):
    """Which phone, its agent, and what its health must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    serial: str = Field(min_length=1, pattern=r"^\S+$", description="as `adb devices` lists it")
    agent: AgentTable
    battery_min_percent: float = Field(30.0, ge=0, le=100)
    battery_max_c: float = Field(40.0, gt=0, le=80)
    thermal_status_max: int = Field(1, ge=0, le=6, description="0 none, 1 light, 2 moderate, ...")
    screen: Literal["on", "off", "any"] = "any"
