"""Stateful fakes of devices and a tiny task, on a virtual clock: no physics, no wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from hil.clock import Clock, Deadline, VirtualClock
from hil.contracts import (
    NEVER,
    Capability,
    DeviceStamps,
    Finding,
    Identity,
    InferenceResult,
    JointLimits,
    JointSample,
    ModelImage,
    SafeProof,
)
from hil.errors import DeadlineMissed, LinkLost, ModelRefused
from hil.record.format import Episode
from hil.task import Condition, Score, View

NAMES = ("base", "elbow")


class FakeDevice:
    """What all fakes share: must be opened before use, counts what is done to it."""

    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, role: str, clock: Clock) -> None:
        self.role = role
        self.clock = clock
        self.is_open = False
        self.unplugged = False
        self.refuses_safety = False
        self.findings: list[Finding] = []
        self.calls: list[str] = []

    def reach(self, name: str) -> None:
        self.calls.append(name)
        if self.unplugged or not self.is_open:
            raise LinkLost(f"{self.role} is gone")

    def open(self, deadline: Deadline) -> None:
        self.is_open = True
        self.reach("open")

    def identity(self, deadline: Deadline) -> Identity:
        self.reach("identity")
        return Identity("fake", serial="0")

    def health(self, deadline: Deadline) -> Sequence[Finding]:
        return self.findings

    def ping(self, deadline: Deadline) -> None:
        self.reach("ping")

    def counters(self) -> Mapping[str, int]:
        return {}

    def make_safe(self, deadline: Deadline) -> SafeProof:
        self.calls.append("make_safe")
        now = self.clock.now_ns()
        if self.unplugged:
            return SafeProof(self.role, False, "unknown", {"error": "gone"}, now, now)
        return SafeProof(self.role, not self.refuses_safety, "idle", {}, now, now)

    def close(self) -> None:
        self.is_open = False


class FakeArm(FakeDevice):
    """Joints that are where they were last told to be, one read later."""

    capabilities = frozenset({Capability.JOINTS})
    names = NAMES

    def __init__(self, role: str, clock: VirtualClock) -> None:
        super().__init__(role, clock)
        self.limits = JointLimits(np.full(2, -2.0), np.full(2, 2.0), np.full(2, 5.0))
        self.position = np.zeros(2)
        self.energised = False
        self.silent: set[int] = set()
        self.last_heard_ns = np.full(2, NEVER, dtype=np.int64)
        self.read_ns = 1_000_000

    def enable(self, deadline: Deadline) -> None:
        self.reach("enable")
        self.energised = True

    def read(self, deadline: Deadline) -> JointSample:
        self.reach("read")
        self.clock.sleep_until(min(self.clock.now_ns() + self.read_ns, deadline.at_ns))
        now = self.clock.now_ns()
        here = np.array([joint not in self.silent for joint in range(2)])
        self.last_heard_ns[here] = now
        heard = self.last_heard_ns != NEVER
        age = np.where(heard, now - self.last_heard_ns, NEVER)
        absent = np.where(here, 0.0, np.nan)
        return JointSample(now, self.position + absent, absent.copy(), absent.copy(), age)

    def command(self, position: np.ndarray, deadline: Deadline) -> np.ndarray:
        self.reach("command")
        assert self.energised, "a joint was commanded without torque"
        self.position = np.array(position)
        return self.position

    def make_safe(self, deadline: Deadline) -> SafeProof:
        proof = super().make_safe(deadline)
        self.energised = self.energised and not proof.safe
        return proof


class FakeTerminal(FakeDevice):
    """Answers a constant change of target, after `infer_ns`."""

    capabilities = frozenset({Capability.INFERENCE})

    def __init__(self, role: str, clock: VirtualClock) -> None:
        super().__init__(role, clock)
        self.infer_ns = 2_000_000
        self.answer = np.array([[0.05, 0.0]], dtype=np.float32)
        self.loaded: str | None = None

    def load(self, model: ModelImage, deadline: Deadline) -> None:
        self.reach("load")
        if not model.content:
            raise ModelRefused("empty")
        self.loaded = model.sha256

    def infer(self, inputs: Mapping[str, object], deadline: Deadline) -> InferenceResult:
        self.reach("infer")
        assert self.loaded, "inference before a model was loaded"
        start = self.clock.now_ns()
        if start + self.infer_ns > deadline.at_ns:
            self.clock.sleep_until(deadline.at_ns)
            raise DeadlineMissed("no answer in time")
        self.clock.sleep_until(start + self.infer_ns)
        end = self.clock.now_ns()
        return InferenceResult({"action": self.answer}, DeviceStamps(start, start, end, end))


class FakeScene(FakeDevice):
    """A scene that is done once the base joint has passed the draw's goal."""

    capabilities = frozenset({Capability.SCENE})

    def __init__(self, role: str, clock: VirtualClock, arm: FakeArm) -> None:
        super().__init__(role, clock)
        self.arm = arm
        self.goal = np.inf

    def arrange(self, scene: Mapping[str, object], deadline: Deadline) -> None:
        self.reach("arrange")
        self.goal = float(scene["goal"])  # type: ignore[arg-type]

    def track(self, deadline: Deadline) -> Mapping[str, np.ndarray]:
        return {"goal": np.array([self.goal])}

    def witness(self, deadline: Deadline) -> Mapping[str, float]:
        self.reach("witness")
        return {"passed": float(self.arm.position[0] >= self.goal)}

    def picture(self, deadline: Deadline) -> None:
        return None


class ReachParameters(BaseModel):
    model_config = ConfigDict(extra="forbid")
    goal_rad: float = 0.5


class ReachTask:
    """Bring the base joint past a goal."""

    Parameters = ReachParameters
    kind = "embodied"
    tracks = False

    def joint_names(self, parameters: BaseModel) -> tuple[str, ...]:
        return FakeArm.names

    def draw(self, parameters: ReachParameters, rng: np.random.Generator) -> dict[str, object]:
        return {"goal": parameters.goal_rad + float(rng.uniform(0, 0.1))}

    def start_pose(self, draw: Mapping[str, object]) -> np.ndarray:
        return np.zeros(2)

    def observe(self, view: View) -> dict[str, np.ndarray]:
        return {"observation": view.joints.position[None].astype(np.float32)}

    def act(self, outputs: Mapping[str, np.ndarray], view: View) -> np.ndarray:
        return view.target + outputs["action"][0].astype(float)

    def expert(self, draw: Mapping[str, object]) -> Callable[[View], np.ndarray]:
        return lambda view: view.target + np.array([0.05, 0.0])

    def finished(self, witness: Mapping[str, float]) -> bool:
        return witness.get("passed") == 1.0

    def score(self, episode: Episode, parameters: BaseModel) -> Score:
        witness = episode.channels.get("witness")
        passed = witness.column("passed") if witness else None
        ok = None if passed is None else bool((passed == 1).any())
        return Score((Condition("passed", None, "", "once", ok),))
