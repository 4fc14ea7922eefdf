"""An arm of Feetech servos as a `Joints` device, in SI units."""

from __future__ import annotations

from drivers.feetech.arm_table import ArmTable, load_arm
from drivers.feetech.family import FeetechFamily
from drivers.feetech.parameters import ArmParameters
from drivers.servo.chain import ServoChain
from drivers.transport.options import need_port
from hil.clock import Clock
from hil.config import device_parameters
from hil.contracts import BenchContext, DeviceSpec

__all__ = ["FeetechArm", "build", "load_arm"]


class FeetechArm(ServoChain):
    """Joints on one Feetech bus (`hil.contracts.Joints`); six servos of the STS series take
    0.9 ms of wire for a read at 1 Mbaud."""

    def __init__(
        self, spec: DeviceSpec, arm: ArmTable, parameters: ArmParameters, clock: Clock
    ) -> None:
        super().__init__(spec, arm, FeetechFamily(parameters), parameters, clock)


def build(spec: DeviceSpec, context: BenchContext) -> FeetechArm:
    """Factory of driver `feetech-arm`; touches no port. Errors: BadInput."""
    parameters = device_parameters(spec, ArmParameters)
    need_port(spec)
    arm = load_arm(parameters.model).calibrated(parameters.calibration)
    return FeetechArm(spec, arm, parameters, context.clock)
