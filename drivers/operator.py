"""The operator of a real rig as the scene: arranges it by hand and bears witness."""

# The contract gives every call a deadline; here only questions to the person wait.

from __future__ import annotations

import os
import select
import sys
import termios
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hil.clock import Clock, Deadline
from hil.contracts import (
    BenchContext,
    Capability,
    DeviceSpec,
    Finding,
    FloatArray,
    Identity,
    SafeProof,
)
from hil.errors import BadInput, DeadlineMissed, Interrupted, LinkLost

_YES, _NO = frozenset({"y", "yes"}), frozenset({"n", "no"})
_LINE_BYTES = 1024
_LOOK_S = 0.2
_PATIENCE_S = 900.0


class Prompt(Protocol):
    """A way to ask a person."""

    def available(self) -> bool:
        """Whether there is a person to ask."""
        ...

    def ask(self, text: str, deadline: Deadline) -> str:
        """Show `text` and return the line answered.

        Errors: DeadlineMissed, LinkLost, Interrupted.
        """
        ...


class TerminalPrompt:
    """Asks on the terminal that the program was started from.

    `stopping` is looked at while the person thinks, so that Ctrl-C does not wait for Enter.
    """

    def __init__(self, stopping: Callable[[], bool] = lambda: False) -> None:
        self._stopping = stopping

    def available(self) -> bool:
        return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()

    def ask(self, text: str, deadline: Deadline) -> str:
        source = sys.stdin.fileno()
        termios.tcflush(source, termios.TCIFLUSH)  # what was typed before is no answer
        sys.stderr.write(text)
        sys.stderr.flush()
        while not select.select([source], [], [], min(_LOOK_S, deadline.remaining_s()))[0]:
            if self._stopping():
                raise Interrupted("the run was asked to end while the operator was asked")
            if deadline.expired:
                raise DeadlineMissed("the operator did not answer in time", "run again and answer")
        line = os.read(source, _LINE_BYTES)
        if not line:
            raise LinkLost("the operator's terminal was closed")
        return line.decode(errors="replace").strip()


class OperatorScene:
    """`hil.contracts.Scene` by a person.

    What the person cannot know is left out: there are no contact forces, and object poses are
    those of the draw as confirmed, not measured ones.
    """

    capabilities = frozenset({Capability.SCENE})
    patience_s = _PATIENCE_S

    def __init__(self, role: str, prompt: Prompt, clock: Clock) -> None:
        self.role = role
        self._prompt = prompt
        self._clock = clock
        self._poses: dict[str, FloatArray] = {}

    def open(self, deadline: Deadline) -> None:
        """Errors: BadInput where there is no terminal to ask at."""
        if not self._prompt.available():
            raise BadInput(
                f"device {self.role!r} needs an operator at a terminal, and there is none",
                "start the run from a terminal, or use a rig whose scene is not operator-scene",
            )

    def identity(self, deadline: Deadline) -> Identity:
        return Identity("operator")

    def health(self, deadline: Deadline) -> list[Finding]:
        there = self._prompt.available()
        return [Finding("terminal", there, "interactive" if there else "no terminal to ask at")]

    def ping(self, deadline: Deadline) -> None:
        """Looks for the terminal only: the person is not asked. Errors: LinkLost."""
        if not self._prompt.available():
            raise LinkLost("the operator's terminal is gone")

    def counters(self) -> Mapping[str, int]:
        return {}

    def arrange(self, scene: Mapping[str, object], deadline: Deadline) -> None:
        """Show the draw and wait until the operator has set it up.

        `scene["poses"]` maps object names to vectors in the base frame (m, rad); its other
        plain values (forces, sides) are shown as they are.
        Errors: DeadlineMissed, LinkLost, BadInput for a scene without poses.
        """
        poses = _poses(scene)
        lines = [f"  {name}: {np.array2string(pose, precision=4)}" for name, pose in poses.items()]
        lines += [f"  {key}: {value}" for key, value in scene.items() if _plain(value)]
        text = (
            "The arm is energised and holds its pose. Set the scene (m and rad in the base frame),"
            " stand clear, then press Enter:"
        )
        self._poses = {}
        self._prompt.ask("\n".join([text, *lines, ""]), deadline)
        self._poses = poses

    def track(self, deadline: Deadline) -> Mapping[str, FloatArray]:
        """Poses as the operator confirmed them; empty before the first `arrange`."""
        return dict(self._poses)

    def witness(self, deadline: Deadline) -> Mapping[str, float]:
        """Nothing while the episode runs: a person cannot be asked every tick."""
        return {}

    def testimony(self, deadline: Deadline) -> Mapping[str, float]:
        """What the operator saw, asked once after the episode.

        Returns {"switch_on": 1.0 or 0.0}. Errors: DeadlineMissed, LinkLost.
        """
        while True:
            answer = self._prompt.ask("Is the switch on? [y/n] ", deadline).lower()
            if answer in _YES | _NO:
                return {"switch_on": float(answer in _YES)}
            if deadline.expired:
                raise DeadlineMissed("the operator gave no answer of y or n in time")

    def picture(self, deadline: Deadline) -> NDArray[np.uint8] | None:
        return None

    def make_safe(self, deadline: Deadline) -> SafeProof:
        """A person holds no energy of the rig, so there is nothing to switch off."""
        now_ns = self._clock.now_ns()
        return SafeProof(self.role, True, "nothing energised", {}, now_ns, now_ns)

    def close(self) -> None:
        self._poses = {}


def _poses(scene: Mapping[str, object]) -> dict[str, FloatArray]:
    poses = scene.get("poses")
    if not isinstance(poses, Mapping):
        raise BadInput("the scene has no poses for the operator to set up")
    return {str(name): np.asarray(pose, dtype=np.float64) for name, pose in poses.items()}


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def build(spec: DeviceSpec, context: BenchContext) -> OperatorScene:
    """Factory of driver `operator-scene`. Errors: BadInput for parameters (it has none)."""
    if spec.parameters:
        raise BadInput(
            f"device {spec.role!r} (driver {spec.driver}) takes no parameters,"
            f" found: {', '.join(spec.parameters)}"
        )
    return OperatorScene(spec.role, TerminalPrompt(context.stopping), context.clock)
