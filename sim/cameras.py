"""Simulated RGB-D camera of a bench: frames of the plant, drawn when somebody needs one.

It measures on a grid of its own, from the beginning of the scene on. As a camera
(`hil.contracts.Camera`) it is waited for: the next frame is exposed at the next instant of its
grid, is known `delay_s` later, and costs its drawing only then. As a sensor
(`hil.contracts.Sensor`, for a loop that must not wait) it is sampled: from the first question in a
scene on, a frame is drawn at every instant, and the newest known one is told with its age, as
numbers; so a scenario that does not need the role pays for no picture.
"""

# A simulated device keeps the contracts' signatures but often needs no deadline.

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from hil.clock import NS_PER_S, NS_PER_US, Deadline, VirtualClock
from hil.config import validate
from hil.contracts import (
    Capability,
    Finding,
    FloatArray,
    Frame,
    Identity,
    SafeProof,
    SensorFacts,
    SensorSample,
)
from hil.errors import DeadlineMissed
from sim.moving import Mounting
from sim.plant import Plant
from sim.sensing.camera import CameraModel, labels, numbers, spoilt
from sim.sensing.channel import Channel, ChannelModel, Noise
from sim.sensing.conversion import Conversion
from sim.sensing.defaults import load_defaults
from sim.sensing.streams import stream
from sim.world import World

_FAR_NS = 1 << 62
_NEAREST_M, _FARTHEST_M = 0.02, 4.0


class CameraParameters(BaseModel):
    """`parameters` of a `sim-camera`: it stands at `eye` and looks at `target`, m in the base
    frame; or, with `link`, is mounted on that link of the robot, both in the link's frame.
    `read_us` is the declared time in which a sampled frame is handed over."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    robot: int = Field(default=0, ge=0)
    link: str = ""
    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    read_us: int = Field(default=500, ge=0, le=100_000)
    model: dict[str, object] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DepthFrame(Frame):
    """A frame with the distance of every pixel along the camera's axis, (h, w), m; NaN where it
    has none."""

    depth_m: FloatArray


class SimCamera:
    """Keeps `hil.contracts.Camera` and `hil.contracts.Sensor`, on a virtual clock.

    As a sensor its labels are `r`, `g`, `b` (0..1) and `d` (m) of each pixel, row by row, as
    `r.ROW.COLUMN`.
    """

    capabilities = frozenset({Capability.CAMERA})

    def __init__(
        self,
        role: str,
        plant: Plant,
        clock: VirtualClock,
        asked: CameraParameters,
        model: CameraModel,
    ) -> None:
        self.role = role
        self._plant, self._clock, self._asked, self._model = plant, clock, asked, model
        self._labels = labels(model)
        self._wanted = self._asked_for = False
        self._pixels: Callable[[], tuple[NDArray[np.uint8], FloatArray]]
        self._index, self._missed, self._drawn = 0, 0, 0
        self._last: NDArray[np.uint8] | None = None
        self._exposed: tuple[int, NDArray[np.uint8], FloatArray] | None = None
        self.restart(0, clock.now_ns())

    @property
    def facts(self) -> SensorFacts:
        return SensorFacts(
            Capability.CAMERA,
            self._labels,
            " ".join("m" if label.startswith("d.") else "1" for label in self._labels),
            self._model.rate_hz,
        )

    @property
    def size(self) -> tuple[int, int]:
        return self._model.width, self._model.height

    @property
    def rate_hz(self) -> float:
        return self._model.rate_hz

    @property
    def next_ns(self) -> int:
        """As `sim.probes.Probe` asks: nothing is drawn that nobody needs."""
        return self._due_ns if self._wanted or self._asked_for else _FAR_NS

    def restart(self, seed: int, origin_ns: int) -> None:
        """A new scene, whose noise is its own; nobody has asked for a frame of it."""
        self._origin_ns, self._due_ns = origin_ns, origin_ns
        self._wanted = self._asked_for = False
        self._exposed = None
        channel = ChannelModel.of(self._model, Noise(), Conversion())
        self._channel = Channel(self.role, self._labels, channel, seed, origin_ns)
        self._noise = stream(seed, self.role, "pixels")
        world, _, placed = self._plant.truth(self._asked.robot)
        mounting = Mounting(world, placed, self._asked.link) if self._asked.link else None
        self._pixels = lambda: _drawn(world, self._asked, self._model, mounting)

    def take(self, stamp_ns: int) -> None:
        """Expose a frame."""
        image, depth = self._pixels()
        self._drawn += 1
        image, depth = spoilt(self._model, image, depth, self._noise)
        if self._wanted:
            self._channel.offer(stamp_ns, numbers(image, depth))
        self._exposed = (stamp_ns, image, depth)
        self._asked_for = False
        self._due_ns = self._instant_after(stamp_ns)

    def open(self, deadline: Deadline) -> None:
        """Look from the next scene on."""
        self._plant.probe(self)

    def identity(self, deadline: Deadline) -> Identity:
        width, height = self.size
        detail = {"width": width, "height": height, "rate_hz": self.rate_hz}
        return Identity("RGB-D camera, simulated", detail=detail)

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        return [Finding("lockstep", True, "it looks at the plant")]

    def ping(self, deadline: Deadline) -> None:
        """Nothing to reach: the plant is in this process."""

    def counters(self) -> Mapping[str, int]:
        return {"drawn": self._drawn}

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """A camera moves nothing."""
        now_ns = self._clock.now_ns()
        return SafeProof(self.role, True, "passive", {}, now_ns, now_ns)

    def close(self) -> None:
        """Nothing to release."""

    def newest(self, deadline: Deadline) -> DepthFrame:
        """The next frame, waited for. Errors: DeadlineMissed where it would come later."""
        now_ns = self._clock.now_ns()
        exposed_ns = self._due_ns if self._wanted else self._instant_after(now_ns - 1)
        step_ns = round(self._plant.step_s * NS_PER_S)
        known_ns = exposed_ns + step_ns + round(self._model.delay_s * NS_PER_S)
        if known_ns > deadline.at_ns:
            self._pass_until(deadline.at_ns)
            raise DeadlineMissed(
                f"{self.role}: the next frame comes {(known_ns - now_ns) / 1e6:.1f} ms from now,"
                " later than its deadline"
            )
        self._due_ns, self._asked_for, self._exposed = exposed_ns, True, None
        self._pass_until(exposed_ns + step_ns)
        self._pass_until(known_ns)
        return self._frame()

    def sample(self, deadline: Deadline) -> SensorSample:
        """The newest frame as numbers, (4 w h,); from the first question in a scene on, frames are
        drawn. Errors: DeadlineMissed where the declared time of a read does not fit."""
        read_ns = self._asked.read_us * NS_PER_US
        if deadline.remaining_ns() < read_ns:
            raise DeadlineMissed(f"{self.role}: a read takes {read_ns} ns, more than is left")
        if not self._wanted:
            self._wanted = True
            self._due_ns = self._instant_after(self._clock.now_ns() - 1)
        self._pass_until(self._clock.now_ns() + read_ns)
        return self._channel.newest(self._clock.now_ns())

    def _frame(self) -> DepthFrame:
        if self._exposed is None:
            raise DeadlineMissed(
                f"{self.role}: no frame was exposed", "arrange a scene before looking at it"
            )
        _, image, depth = self._exposed
        same = self._last is not None and bool(np.array_equal(image, self._last))
        self._last, self._index = image, self._index + 1
        now_ns = self._clock.now_ns()
        return DepthFrame(image, now_ns, self._index - 1, 0, same, self._exposed[0], depth)

    def _instant_after(self, stamp_ns: int) -> int:
        """The first instant of the grid after a stamp."""
        rate = self._model.rate_hz
        index = max(0, int((stamp_ns - self._origin_ns) * rate / NS_PER_S) - 1)
        while self._origin_ns + round(index * NS_PER_S / rate) <= stamp_ns:
            index += 1
        return self._origin_ns + round(index * NS_PER_S / rate)

    def _pass_until(self, stamp_ns: int) -> None:
        self._clock.sleep_until(stamp_ns)
        self._plant.advance_to(self._clock.now_ns())


def _drawn(
    world: World, asked: CameraParameters, model: CameraModel, mounting: Mounting | None
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Colours (h, w, 3) and true distances along the axis (h, w), m."""
    bullet = world.bullet
    eye, target, up = asked.eye, asked.target, asked.up
    if mounting is not None:
        now = mounting.motion()
        frame = (now.at.tolist(), now.turn.tolist())
        still = (0.0, 0.0, 0.0, 1.0)
        eye, target = (bullet.multiplyTransforms(*frame, one, still)[0] for one in (eye, target))
        up = bullet.multiplyTransforms((0.0, 0.0, 0.0), frame[1], up, still)[0]
    seen = bullet.computeViewMatrix(eye, target, up)
    lens = bullet.computeProjectionMatrixFOV(
        model.fov_deg, model.width / model.height, _NEAREST_M, _FARTHEST_M
    )
    found = bullet.getCameraImage(
        model.width,
        model.height,
        seen,
        lens,
        lightDirection=(-0.6, -1.0, 1.6),
        shadow=1,
        renderer=bullet.ER_TINY_RENDERER,
        physicsClientId=world.client,
    )
    shape = (model.height, model.width)
    image = np.asarray(found[2], dtype=np.uint8).reshape(*shape, 4)[:, :, :3]
    buffer = np.asarray(found[3], dtype=np.float64).reshape(shape)
    span = _FARTHEST_M - _NEAREST_M
    depth = _FARTHEST_M * _NEAREST_M / (_FARTHEST_M - span * buffer)
    return np.ascontiguousarray(image), depth


def camera(role: str, plant: Plant, clock: VirtualClock, asked: CameraParameters) -> SimCamera:
    """A camera that looks at the plant. Errors: BadInput for figures or a link it cannot have."""
    plain = {**load_defaults().camera.model_dump(), **asked.model}
    model = validate(plain, CameraModel, f"device {role!r}", "parameters.model")
    return SimCamera(role, plant, clock, asked, model)
