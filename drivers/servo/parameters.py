"""What a rig file may say of any chain of servos."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from drivers.servo.joints import JointCalibration


class ServoParameters(BaseModel):
    """Schema of the table, which a family's own extends.

    `model` names the robot's file; `calibration` gives the zero counts and signs of this
    specimen. `goal_speed` (rad/s) and `acceleration` (rad/s^2) bound the servos' own motion;
    left out, a joint may use its whole speed and the highest acceleration that the servo can be
    told. `answer_timeout_ms` is how long servos may take beyond the time on the wire, all of them
    together: where they are read one by one, they share it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str
    baud: int = Field(1_000_000, gt=0)
    calibration: dict[str, JointCalibration] = Field(default_factory=dict)
    goal_speed: float | None = Field(None, gt=0)
    acceleration: float | None = Field(None, gt=0)
    answer_timeout_ms: float = Field(10.0, gt=0, le=1000)
