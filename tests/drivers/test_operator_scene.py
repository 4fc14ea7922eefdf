import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from drivers.operator import OperatorScene, TerminalPrompt, build
from hil.clock import NS_PER_MS, Deadline, WallClock
from hil.contracts import BenchContext, DeviceSpec, Scene
from hil.errors import BadInput, DeadlineMissed, Interrupted, LinkLost

CLOCK = WallClock()
SCENE = {"poses": {"switch": [0.25, 0.0, 0.2, 0.1]}, "trip_force_n": 4.0}


def soon(ms: int = 2000) -> Deadline:
    return Deadline.after(CLOCK, ms * NS_PER_MS)


class Person:
    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.there = True

    def available(self) -> bool:
        return self.there

    def ask(self, text: str, deadline: Deadline) -> str:
        self.asked.append(text)
        if not self.answers:
            raise DeadlineMissed("no answer")
        return self.answers.pop(0)


def test_scene_is_shown_and_confirmed() -> None:
    person = Person("")
    scene = OperatorScene("scene", person, CLOCK)
    assert isinstance(scene, Scene)
    assert scene.track(soon()) == {}
    scene.arrange(SCENE, soon())
    assert "switch: [0.25 0.   0.2  0.1 ]" in person.asked[0]
    assert "trip_force_n: 4.0" in person.asked[0]
    assert np.array_equal(scene.track(soon())["switch"], [0.25, 0.0, 0.2, 0.1])
    assert scene.witness(soon()) == {}
    assert scene.picture(soon()) is None


def test_scene_that_was_not_confirmed_is_not_tracked() -> None:
    scene = OperatorScene("scene", Person(""), CLOCK)
    scene.arrange(SCENE, soon())
    with pytest.raises(DeadlineMissed):
        scene.arrange(SCENE, soon())
    assert scene.track(soon()) == {}


def test_scene_without_poses_is_refused() -> None:
    with pytest.raises(BadInput, match="poses"):
        OperatorScene("scene", Person(""), CLOCK).arrange({}, soon())


@pytest.mark.parametrize(("answers", "value"), [(("Y",), 1.0), (("perhaps", "no"), 0.0)])
def test_testimony(answers: tuple[str, ...], value: float) -> None:
    scene = OperatorScene("scene", Person(*answers), CLOCK)
    assert scene.testimony(soon()) == {"switch_on": value}


def test_testimony_ends_at_its_deadline() -> None:
    with pytest.raises(DeadlineMissed):
        OperatorScene("scene", Person("perhaps"), CLOCK).testimony(soon(0))


def test_without_a_terminal_it_does_not_open() -> None:
    person = Person()
    scene = OperatorScene("scene", person, CLOCK)
    scene.open(soon())
    scene.ping(soon())
    assert scene.health(soon())[0].ok
    person.there = False
    with pytest.raises(BadInput, match="terminal"):
        scene.open(soon())
    with pytest.raises(LinkLost):
        scene.ping(soon())
    assert not scene.health(soon())[0].ok


def test_build() -> None:
    context = BenchContext(CLOCK)
    assert build(DeviceSpec("scene", "operator-scene", "", {}, Path()), context).role == "scene"
    with pytest.raises(BadInput, match="colour"):
        build(DeviceSpec("scene", "operator-scene", "", {"colour": 1}, Path()), context)


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The master end of a terminal that stands in for stdin."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "r", encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield master
    os.close(master)


class TypesWhenAsked:
    """stderr on which a question makes the person type."""

    def __init__(self, keyboard: int, line: bytes) -> None:
        self.keyboard, self.line, self.shown = keyboard, line, ""

    def write(self, text: str) -> int:
        self.shown += text
        return len(text)

    def flush(self) -> None:
        os.write(self.keyboard, self.line)


def test_terminal_prompt(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = TerminalPrompt()
    assert prompt.available()
    person = TypesWhenAsked(keyboard, b"yes \n")
    monkeypatch.setattr(sys, "stderr", person)
    os.write(keyboard, b"typed before\n")
    assert prompt.ask("Well? ", soon()) == "yes"
    assert person.shown == "Well? "


def test_terminal_prompt_without_an_answer(keyboard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", TypesWhenAsked(keyboard, b""))
    with pytest.raises(DeadlineMissed):
        TerminalPrompt().ask("Well? ", soon(20))


def test_a_stop_request_ends_the_wait_for_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(controller, "rb", buffering=0), os.fdopen(terminal, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(Interrupted):
            TerminalPrompt(stopping=lambda: True).ask("Ready? ", soon(60_000))
