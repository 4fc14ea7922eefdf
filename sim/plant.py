"""The plant: an SO-101-like arm and a fixture in one PyBullet world.

Stands behind the simulated devices (`sim.devices`) and behind the emulated servos of the
twin (`sim.twin`); both drive it through the same position servo.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.errors import BadInput, RigError
from sim.robots import so101
from sim.robots.urdf import Body, Box, Inertial, Link, Part
from sim.tasks.press_scene import WallSwitch
from sim.world import Placed, View, World, blown_up

BoolArray = NDArray[np.bool_]

HOME: FloatArray = np.array([0.0, -1.3, 1.3, 0.6, 0.0, so101.JAW_CLOSED])
"""rad; folded over the base, clear of every fixture."""

SLOWEST_STEP_HZ = 500
"""Below it the springs of light parts, which are stepped explicitly, become unstable."""

GEARBOX_FRICTION = 0.15
"""N·m; what holds a joint without torque. An estimate."""

_BACK_EMF = so101.STALL_TORQUE / so101.NO_LOAD_SPEED
"""N·m·s/rad: slope of the torque-speed line of a DC motor."""

_JOINT_DAMPING = 0.02  # N·m·s/rad
_SPEED_BOUND = 60.0  # rad/s: no servo turns at a tenth of it
_OVERLAP_BOUND = 0.001  # m

_VIEW = View(eye=(-0.02, -0.50, 0.42), target=(0.20, 0.0, 0.12), fov_deg=36.0)


class Fixture(Protocol):
    """What stands around the arm for one kind of task."""

    @property
    def placed(self) -> Placed: ...

    def before_step(self) -> None: ...

    def after_step(self) -> None: ...

    def track(self) -> dict[str, FloatArray]: ...

    def witness(self) -> dict[str, float]: ...

    def show(self) -> None: ...


def build(step_hz: int) -> Plant:
    """A plant with no fixture, arm at `HOME`; entry point `so101` of group `hil.plants`.

    Errors: BadInput for a rate it cannot be stepped at.
    """
    return Plant(step_hz)


class Plant:
    """Arm and fixture; SI units, joints in the order of `joint_names`.

    The servo of a joint is proportional: the voltage on its motor follows the error, and the
    torque is clip(stiffness * error) less the back-EMF's share, so it sags under load and
    yields in contact. It is given to PyBullet as the speed at which that torque would be
    nought and the torque available towards it, which is solved together with the contacts and
    keeps light links stable at any step. Friction of a driven gearbox is left out.
    """

    joint_names: tuple[str, ...] = so101.JOINT_NAMES

    def __init__(self, step_hz: int, stiffness: float = so101.SERVO_STIFFNESS) -> None:
        if step_hz < SLOWEST_STEP_HZ:
            raise BadInput(
                f"the plant so101 cannot be stepped at {step_hz} Hz",
                f"set step_hz to {SLOWEST_STEP_HZ} or more; 1000 is what it was checked at",
            )
        self.step_s = 1.0 / step_hz
        self._step_hz = step_hz
        self._stiffness = stiffness
        self._world = World(step_hz)
        self._fixture: Fixture | None = None
        self._controller: Callable[[], None] | None = None
        self._origin_ns = 0
        self._steps_done = 0
        self.arrangement = 0
        """How often the world has been built; a controller whose number is old starts anew."""
        self._position = HOME
        self._stop_motors()
        self._arrange_world({}, HOME)

    def joints(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Position in rad, velocity in rad/s and motor torque in N·m, each (6,)."""
        return self._position.copy(), self._velocity.copy(), self._torque.copy()

    def drive(self, target: FloatArray, torque_limit: FloatArray, enabled: BoolArray) -> None:
        """Set-points for the steps to come, each (6,): rad, N·m, energised or not.

        A joint that is not enabled has no motor, only the friction of its gearbox.
        """
        self._target = np.array(target, dtype=np.float64)
        self._torque_limit = np.array(torque_limit, dtype=np.float64)
        self._enabled = np.array(enabled, dtype=np.bool_)

    def driven(self) -> BoolArray:
        """Shape (6,): which joints are energised."""
        return self._enabled.copy()

    def step(self) -> None:
        """Advance by `step_s`. Errors: HarnessError where the physics blows up."""
        self._pull()
        if self._fixture is not None:
            self._fixture.before_step()
        self._world.step()
        self._steps_done += 1
        self._sense()
        if self._fixture is not None:
            self._fixture.after_step()

    def arrange(self, scene: Mapping[str, object], joint_position: FloatArray | None) -> None:
        """Build the world again with the fixture of `scene` (a task's draw).

        The arm stands still at `joint_position` (6,), or where it is if None; a set-point of
        `drive` stays. Errors: BadInput for a scene it does not know; RigError where the arm
        stands in the fixture.
        """
        start = self._position if joint_position is None else joint_position
        self._arrange_world(scene, np.array(start, dtype=np.float64))

    def track(self) -> dict[str, FloatArray]:
        """Poses of the fixture's objects as the tracker measured them once per `arrange`."""
        return {} if self._fixture is None else self._fixture.track()

    def witness(self) -> dict[str, float]:
        """What really happened since the last call, evaluated at every step."""
        return {} if self._fixture is None else self._fixture.witness()

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture (240, 320, 3) of arm and fixture."""
        if self._fixture is not None:
            self._fixture.show()
        return self._world.picture(_VIEW)

    def attach(self, controller: Callable[[], None] | None) -> None:
        """Let `controller` run before each step of `advance_to`, as a servo's own loop does."""
        self._controller = controller

    def start_at(self, stamp_ns: int) -> None:
        """Plant time counts from `stamp_ns` of the bench's clock."""
        self._origin_ns, self._steps_done = stamp_ns, 0

    def advance_to(self, stamp_ns: int) -> None:
        """Do the whole steps that are due at `stamp_ns` of the bench's clock."""
        due = (stamp_ns - self._origin_ns) * self._step_hz // NS_PER_S
        while self._steps_done < due:
            if self._controller is not None:
                self._controller()
            self.step()

    def close(self) -> None:
        """Free the world; may be called twice."""
        self._world.close()

    def _arrange_world(self, scene: Mapping[str, object], position: FloatArray) -> None:
        self._fixture = None
        self._world.rebuild()
        self._world.place(_floor(), (0.0, 0.0, 0.0))
        self._arm = self._world.place(so101.body(), (0.0, 0.0, 0.0))
        self._indices = [self._arm.joints[name] for name in self.joint_names]
        self._stand_at(position)
        self._steps_done = 0
        self.arrangement += 1
        if scene:
            self._fixture = self._furnish(scene)

    def _stop_motors(self) -> None:
        count = len(self.joint_names)
        self.drive(self._position, np.zeros(count), np.zeros(count, dtype=np.bool_))

    def _furnish(self, scene: Mapping[str, object]) -> Fixture:
        kinds: dict[object, type[WallSwitch]] = {"wall-switch": WallSwitch}
        kind = kinds.get(scene.get("fixture"))
        if kind is None:
            raise BadInput(
                f"the plant has no fixture called {scene.get('fixture')!r}",
                f"known: {', '.join(map(str, kinds))}; the task's draw names it",
            )
        fixture = kind(self._world, self._arm, scene)
        depth = self._world.overlap(self._arm, fixture.placed)
        if depth > _OVERLAP_BOUND:
            raise RigError(
                f"the arm stands {depth * 1e3:.1f} mm deep in the fixture to be set up",
                "move the arm to the start pose of the episode before arranging its scene",
            )
        return fixture

    def _stand_at(self, position: FloatArray) -> None:
        bullet, client = self._world.bullet, self._world.client
        for index, angle in zip(self._indices, position, strict=True):
            bullet.resetJointState(self._arm.uid, index, float(angle), physicsClientId=client)
            bullet.changeDynamics(
                self._arm.uid, index, jointDamping=_JOINT_DAMPING, physicsClientId=client
            )
        self._position = position.copy()
        self._velocity = np.zeros(len(position))
        self._torque = np.zeros(len(position))

    def _pull(self) -> None:
        limit = np.where(self._enabled, self._torque_limit, 0.0)
        drive = np.clip(self._stiffness * (self._target - self._position), -limit, limit)
        torque = np.abs(drive - _BACK_EMF * self._velocity)
        bullet = self._world.bullet
        bullet.setJointMotorControlArray(
            self._arm.uid,
            self._indices,
            bullet.VELOCITY_CONTROL,
            targetVelocities=(drive / _BACK_EMF).tolist(),
            forces=np.where(self._enabled, torque, GEARBOX_FRICTION).tolist(),
            physicsClientId=self._world.client,
        )

    def _sense(self) -> None:
        states = self._world.bullet.getJointStates(
            self._arm.uid, self._indices, physicsClientId=self._world.client
        )
        table = np.array([(state[0], state[1], state[3]) for state in states])
        if not (np.isfinite(table).all() and np.abs(table[:, 1]).max() <= _SPEED_BOUND):
            raise blown_up(f"joint positions {table[:, 0]} rad, velocities {table[:, 1]} rad/s")
        self._position, self._velocity, self._torque = table.T.copy()


def _floor() -> Body:
    top = Part(Box((0.9, 0.9, 0.02)), (0.2, 0.0, -0.011), colour=(0.62, 0.56, 0.48, 1.0))
    return Body("bench", [Link("bench", Inertial.of(top.shape, 5.0, top.at), (top,))])
