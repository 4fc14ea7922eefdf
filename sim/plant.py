"""The plant: robots and a scene in one PyBullet world.

Stands behind the simulated devices (`sim.devices`) and behind the emulated servos of the
twin (`sim.twin`); both drive it through the same motors (`sim.drives`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.errors import BadInput, RigError
from sim.depth import DEPTH_EVERY_S, refuse_depth
from sim.drives import BoolArray, Motors
from sim.layout import Layout, robot_in, table_in
from sim.probes import Probe, Probes
from sim.robots.model import Robot
from sim.scenery.element import Acting, Element, Stage, Watching
from sim.scenery.kinds import furnish
from sim.scenery.tracking import Tracking
from sim.selfcheck.suite import checks_for, run_checks
from sim.world import Placed, World

SLOWEST_STEP_HZ = 500
"""Below it the springs of light parts, which are stepped explicitly, become unstable."""

_OVERLAP_BOUND = 0.001  # m
_FAR = 1 << 62


class Plant:
    """Robots and a scene; SI units, arrays (n,) over the motors of all robots in order.

    Motors that follow their set-points by themselves are set when these change, and steps are
    then taken in bursts; hobby servos, elements that act or watch, and controllers of devices
    ask for every step.
    """

    def __init__(self, layout: Layout, step_hz: int) -> None:
        if step_hz < SLOWEST_STEP_HZ:
            raise BadInput(
                f"the plant {layout.name} cannot be stepped at {step_hz} Hz",
                f"set step_hz to {SLOWEST_STEP_HZ} or more; 1000 is what it was checked at",
            )
        self.layout = layout
        self.robots: tuple[Robot, ...] = tuple(mount.robot for mount in layout.mounts)
        ends = np.cumsum([0, *(len(robot.motors) for robot in self.robots)]).tolist()
        self._own = [slice(*pair) for pair in pairwise(ends)]
        """Where each robot's motors are in a vector of all."""
        self.step_s = 1.0 / step_hz
        self._step_hz = step_hz
        motors = [motor for mount in layout.mounts for motor in mount.robot.motors]
        self.joint_names: tuple[str, ...] = tuple(motor.name for motor in motors)
        self.home: FloatArray = np.concatenate([mount.robot.home for mount in layout.mounts])
        self.most_torque: FloatArray = np.array([motor.torque for motor in motors])
        self._world = World(step_hz, layout.iterations)
        self._elements: Sequence[Element] = ()
        self._tracking = Tracking((), {}, step_hz)
        self._controller: Callable[[], None] | None = None
        self._probes = Probes(step_hz)
        self._seed = 0
        self._origin_ns = 0
        self._steps_done, self._depth_step = 0, 1
        self.arrangement = 0
        """How often the world has been built; a controller whose number is old starts anew."""
        self._states = np.stack([self.home, np.zeros(len(motors)), np.zeros(len(motors))])
        self._fresh = True
        self._set = False
        self._stop_motors()
        self._arrange_world({}, self.home)

    def joints(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Position in rad, velocity in rad/s and motor torque in N·m, each (n,).

        Errors: HarnessError where the physics has blown up.
        """
        position, velocity, torque = self._sensed().copy()
        return position, velocity, torque

    def drive(self, target: FloatArray, torque_limit: FloatArray, enabled: BoolArray) -> None:
        """Set-points for the steps to come, each (n,): rad, N·m, energised or not.

        A motor that is not enabled is only the friction of its gearbox.
        """
        self._target = np.array(target, dtype=np.float64)
        self._torque_limit = np.array(torque_limit, dtype=np.float64)
        self._enabled = np.array(enabled, dtype=np.bool_)
        self._set = False

    def driven(self) -> BoolArray:
        """Shape (n,): which motors are energised."""
        return self._enabled.copy()

    def step(self) -> None:
        """Advance by `step_s`. Errors: HarnessError where the physics blows up."""
        self._pull()
        for element in self._acting:
            element.before_step()
        self._world.step()
        self._count(1)
        if self._every_step:
            self._sensed()
        for watching in self._watching:
            watching.after_step()
        self._look()

    def arrange(self, scene: Mapping[str, object], joint_position: FloatArray | None) -> None:
        """Build the world again with the elements of `scene` (a task's draw).

        The robots stand still at `joint_position` (n,), which is also their set-point; or where
        they are if None, with the set-point of `drive` as it is. Errors: BadInput for a scene
        it does not know; RigError where a robot stands in something.
        """
        if joint_position is None:
            self._arrange_world(scene, self._sensed()[0].copy())
            return
        start = np.array(joint_position, dtype=np.float64)
        self._target = start.copy()
        self._arrange_world(scene, start)

    def track(self) -> dict[str, FloatArray]:
        """Poses of the scene's things as the tracker has them now."""
        return self._tracking.newest(self._steps_done)

    def witness(self) -> dict[str, float]:
        """What is true now, and what happened since the last call. Errors: HarnessError where
        the physics has blown up."""
        if self._steps_done >= self._depth_step:
            refuse_depth(self._world)
            self._depth_step = self._steps_done + round(DEPTH_EVERY_S * self._step_hz)
        seen: dict[str, float] = {}
        for element in self._elements:
            seen.update(element.witness())
        return seen

    def picture(self) -> NDArray[np.uint8]:
        """RGB picture (h, w, 3) of the robots and the scene."""
        for element in self._elements:
            element.show()
        return self._world.picture(self.layout.view)

    def attach(self, controller: Callable[[], None] | None) -> None:
        """Let `controller` run before each step of `advance_to`, as a servo's own loop does."""
        self._controller = controller

    def probe(self, probe: Probe) -> None:
        """Let `probe` sample from the next scene on."""
        self._probes.add(probe)

    def self_check(self) -> list[dict[str, Any]]:
        """What physics of this step rate and solver gives against closed formulas, as plain data
        (`sim.selfcheck.model.Result`). It is done in a world of its own; this one stands still
        meanwhile. Errors: HarnessError where the physics blows up."""
        checks = checks_for(self.robots)
        found = run_checks(checks, self._step_hz, self.layout.iterations)
        return [result.as_data() for result in found]

    def truth(self, robot: int) -> tuple[World, Robot, Placed]:
        """Where a probe finds what it samples; anew in every scene."""
        return self._world, self.robots[robot], self._bodies[robot]

    @property
    def acting(self) -> Sequence[Acting]:
        """What moves by itself in the present scene."""
        return tuple(self._acting)

    def start_at(self, stamp_ns: int) -> None:
        """Plant time counts from `stamp_ns` of the bench's clock."""
        self._origin_ns, self._steps_done, self._depth_step = stamp_ns, 0, 1
        self._probes.restart(self._seed, stamp_ns)

    def advance_to(self, stamp_ns: int) -> None:
        """Do the whole steps that are due at `stamp_ns` of the bench's clock."""
        due = (stamp_ns - self._origin_ns) * self._step_hz // NS_PER_S
        single = self._every_step or self._acting or self._watching or self._controller
        while self._steps_done < due:
            if single:
                if self._controller is not None:
                    self._controller()
                self.step()
            else:
                self._burst(min(due, self._next_look()))

    def close(self) -> None:
        """Free the world; may be called twice."""
        self._world.close()

    def _burst(self, until: int) -> None:
        self._pull()
        steps = until - self._steps_done
        self._world.step(steps)
        self._count(steps)
        self._look()

    def _next_look(self) -> int:
        """The next step that must not be run over."""
        done = self._steps_done
        return min(self._tracking.next_step(done), *self._probes.next_steps(done), _FAR)

    def _look(self) -> None:
        """Let tracker and probes sample that are due after this step."""
        self._tracking.follow(self._steps_done)
        self._probes.look(self._steps_done)

    def _count(self, steps: int) -> None:
        self._steps_done += steps
        self._fresh = False

    def _arrange_world(self, scene: Mapping[str, object], position: FloatArray) -> None:
        self._furnished(())  # nothing of the old scene acts on, should the new one be refused
        self._tracking = Tracking((), {}, self._step_hz)
        self._world.rebuild()
        table_in(self._world, self.layout)
        self._bodies = [robot_in(self._world, mount) for mount in self.layout.mounts]
        self._motors = [
            Motors(self._world, mount.robot, placed)
            for mount, placed in zip(self.layout.mounts, self._bodies, strict=True)
        ]
        self._every_step = any(motors.every_step for motors in self._motors)
        for motors, own in zip(self._motors, self._own, strict=True):
            motors.stand(position[own])
        self._states = np.stack([position, np.zeros(len(position)), np.zeros(len(position))])
        self._fresh, self._set = True, False
        self._steps_done, self._depth_step = 0, 1
        self.arrangement += 1
        self._furnish(scene)

    def _furnish(self, scene: Mapping[str, object]) -> None:
        stage = Stage(self._world, self._bodies, lambda: self._steps_done * self.step_s)
        stage.things["table"] = Placed(0, {})
        elements = furnish(stage, scene)
        for element in elements:
            self._refuse_overlap(element)
        self._furnished(elements)
        self._tracking = Tracking(elements, scene.get("tracker", {}), self._step_hz)
        self._seed = self._tracking.seed

    def _furnished(self, elements: Sequence[Element]) -> None:
        self._elements = elements
        self._acting = [one for one in elements if isinstance(one, Acting)]
        self._watching = [one for one in elements if isinstance(one, Watching)]

    def _refuse_overlap(self, element: Element) -> None:
        depth = max(
            (
                self._world.overlap(robot, solid)
                for robot in self._bodies
                for solid in element.solids
            ),
            default=0.0,
        )
        if depth > _OVERLAP_BOUND:
            raise RigError(
                f"the robot stands {depth * 1e3:.1f} mm deep in the scene to be set up",
                "move the arm to the start pose of the episode before arranging its scene",
            )

    def _stop_motors(self) -> None:
        count = len(self.joint_names)
        self.drive(self.home, np.zeros(count), np.zeros(count, dtype=np.bool_))

    def _pull(self) -> None:
        if self._set and not self._every_step:
            return
        for motors, own in zip(self._motors, self._own, strict=True):
            motors.pull(
                self._target[own],
                self._torque_limit[own],
                self._enabled[own],
                self._states[0, own],
                self._states[1, own],
            )
        self._set = True

    def _sensed(self) -> FloatArray:
        if not self._fresh:
            sensed = [motors.sense() for motors in self._motors]
            self._states = sensed[0] if len(sensed) == 1 else np.concatenate(sensed, axis=1)
            self._fresh = True
        return self._states
