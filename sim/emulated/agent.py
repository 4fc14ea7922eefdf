"""A terminal agent as an emulator: a program of its own, by the door through which it runs on
a terminal."""

from __future__ import annotations

import sys

from pydantic import BaseModel, ConfigDict, Field

from sim.twin.emulator import Program


class AgentOptions(BaseModel):
    """Options of emulator `agent`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    delay_ms: float = Field(default=0.0, ge=0, le=10_000, description="sleep inside each inference")


def command(options: AgentOptions) -> list[str]:
    """`hil agent` on a pseudo-terminal, which ends with its standard input."""
    return [
        *(sys.executable, "-P", "-m", "hil.cli.main", "agent", "--pty"),
        *("--delay-ms", repr(options.delay_ms), "--lifeline"),
    ]


EMULATOR = Program(AgentOptions, command)
