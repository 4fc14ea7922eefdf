"""What a rig file may say of a Feetech arm (`parameters` of driver `feetech-arm`)."""

from __future__ import annotations

from drivers.servo.parameters import ServoParameters


class ArmParameters(ServoParameters):
    """Schema of the table; all of it is what any chain of servos has."""
