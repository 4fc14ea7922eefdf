"""What a rig file may say of a chain of Dynamixel motors (driver `dynamixel-chain`)."""

from __future__ import annotations

from pydantic import Field

from drivers.servo.parameters import ServoParameters


class ChainParameters(ServoParameters):
    """Schema of the table, beside what any chain of servos has.

    `current_limit` (A) is the most that any motor may draw, where its own joint says no less;
    it needs operating mode 5. `fast_read`: whether reads are answered in one packet; left out,
    when all motors have the firmware for it. `bus_watchdog`: whether the motors stop when they
    hear nothing; false for firmware that cannot. `set_mode`: whether opening may change the
    operating mode of a motor without torque, which writes its EEPROM.
    """

    current_limit: float | None = Field(None, gt=0)
    fast_read: bool | None = None
    bus_watchdog: bool = True
    set_mode: bool = False
