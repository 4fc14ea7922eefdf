"""A simulated arm whose joint state is a channel of its own: sampled on a grid, late, with noise,
in steps, and not always there.

What it does is what `sim.arm.SimArm` does; only what it says of itself goes through
`sim.sensing.channel`, as any other sensor's readings do.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hil.clock import Deadline, VirtualClock
from hil.contracts import JointSample
from sim.arm import ArmParameters, SimArm
from sim.plant import Plant
from sim.sensing.channel import Channel, ChannelModel, Noise, Sampling
from sim.sensing.conversion import Conversion
from sim.sensing.tables import NotNegative


class JointSensing(Sampling):
    """Joint state as a channel. Standard deviations of a sample: `noise_rad`, `noise_rad_s`,
    `noise_effort` (of the stall torque); positions and speeds come in the arm's own steps."""

    noise_rad: NotNegative = 0.0
    noise_rad_s: NotNegative = 0.0
    noise_effort: NotNegative = 0.0


class SensedArmParameters(ArmParameters):
    """`parameters` of a `sim-arm`: with `sensing`, its joint state is such a channel; without, it
    is read half-way through the declared time of a read, without error but its steps."""

    sensing: JointSensing | None = Field(default=None)


class SensedArm(SimArm):
    """The arm, with a channel between its encoders and who reads them. Before the first reading
    has arrived it answers as `SimArm` does, so that a rig can be brought to its start."""

    def __init__(
        self,
        role: str,
        plant: Plant,
        clock: VirtualClock,
        parameters: SensedArmParameters,
        sensing: JointSensing,
    ) -> None:
        plain = {key: getattr(parameters, key) for key in ArmParameters.model_fields}
        super().__init__(role, plant, clock, ArmParameters(**plain))
        count, step = len(self.names), parameters.resolution_rad
        self._labels = [f"{name}.{what}" for what in _PARTS for name in self.names]
        noise = (sensing.noise_rad, sensing.noise_rad_s, sensing.noise_effort)
        self._model = ChannelModel.of(
            sensing,
            Noise(white=tuple(np.repeat(noise, count).tolist())),
            Conversion(resolution=tuple(np.repeat((step, step, 0.0), count).tolist())),
        )
        self.restart(0, clock.now_ns())

    @property
    def next_ns(self) -> int:
        """As `sim.probes.Probe` asks."""
        return self._channel.next_ns

    def restart(self, seed: int, origin_ns: int) -> None:
        """A new scene, with noise of its own."""
        self._arrived = False
        self._channel = Channel(f"{self.role}.joints", self._labels, self._model, seed, origin_ns)

    def take(self, stamp_ns: int) -> None:
        """Sample what the encoders say now."""
        position, velocity, torque = self._plant.joints()
        if self._train is not None:
            position = self._train.encoder(position, stamp_ns)
        effort = np.clip(torque / self._torque, -1.0, 1.0)
        self._channel.offer(stamp_ns, np.concatenate([position, velocity, effort]))

    def open(self, deadline: Deadline) -> None:
        super().open(deadline)
        self._plant.probe(self)

    def read(self, deadline: Deadline) -> JointSample:
        """The newest state that has arrived at the end of the declared bus time; absent as
        `SimArm.read` has it, and where the channel says so."""
        plain = super().read(deadline)
        if np.isnan(plain.position).all():
            return plain
        known = self._channel.newest(plain.stamp_ns)
        if not (self._arrived or known.present.any()):
            return plain
        self._arrived = True
        position, velocity, effort = known.value.reshape(len(_PARTS), -1)
        age_ns = known.age_ns.reshape(len(_PARTS), -1)[0]
        return JointSample(known.stamp_ns, position, velocity, np.clip(effort, -1, 1), age_ns)


_PARTS = ("rad", "rad/s", "effort")
