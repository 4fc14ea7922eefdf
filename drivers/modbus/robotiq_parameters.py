"""What a rig file may say of a Robotiq gripper (`parameters` of driver `robotiq-gripper`)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from drivers.modbus.robotiq_table import Counts


class RobotiqParameters(BaseModel):
    """`parameters` of the rig file.

    `counts` are those of the gripper itself (see `grippers/*.toml`). `answer_timeout_ms` is how
    long it may think. With `read_with_command`, a command brings the status back in the same
    trip (function 23); without it, where a robot's tool port does not pass that function on,
    a command is acknowledged alone. A status that came with a command no longer than
    `status_max_age_ms` ago is what `read` returns, with its age, in place of a trip of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = "2f-85"
    unit: int = Field(9, ge=1, le=247)
    baud: int = Field(115_200, gt=0)
    counts: Counts | None = None
    answer_timeout_ms: float = Field(20.0, gt=0, le=1000)
    read_with_command: bool = True
    status_max_age_ms: float = Field(0.0, ge=0, le=100)
