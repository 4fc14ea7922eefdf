"""Emulators of a package of one's own: found by entry point, one hosted and one a program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from drivers.transport.posix import open_serial
from hil.clock import Deadline, WallClock
from hil.errors import BadInput, RigError
from rigs.schema import Twin
from sim.twin.launch import start

Within = Callable[[float], Deadline]
BAUD = 115_200

PACKAGE = """
import sys
from pydantic import BaseModel
from hil.errors import BadInput
from sim.twin.emulator import Hosted, Program
from sim.twin.files import RigFile
from sim.twin.pacing import Transmission

class Options(BaseModel):
    words: RigFile

class Parrot:
    baud = 115200
    def __init__(self, options):
        try:
            self.words = options.words.read_bytes()
        except OSError as error:
            raise BadInput(f"{options.words}: {error.strerror}") from error
    def receive(self, data, now_ns, line_baud):
        return [Transmission(now_ns, line_baud, self.words)]
    def due_ns(self):
        return None
    def wake(self, now_ns):
        return []
    def status(self):
        return {}
    def control(self, args):
        raise BadInput("a parrot does as it likes")

HOSTED = Hosted(Options, Parrot)
PROGRAM = Program(Options, lambda options: [sys.executable, __file__, str(options.words)])
NEITHER = Parrot

if __name__ == "__main__":
    import json
    print(json.dumps({"port": "words of " + sys.argv[1]}), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def rig_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a rig file, with the package that is installed on the way."""
    package = tmp_path / "package"
    about = package / "parrots-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Name: parrots\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[hil.emulators]\n"
        "parrot = parrots:HOSTED\nradio = parrots:PROGRAM\nstone = parrots:NEITHER\n"
    )
    (package / "parrots.py").write_text(PACKAGE)
    monkeypatch.delitem(sys.modules, "parrots", raising=False)
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.setenv("PYTHONPATH", str(package))
    folder = tmp_path / "rig"
    folder.mkdir()
    (folder / "words.txt").write_text("hello")
    return folder


def twin(**ports: dict[str, object]) -> Twin:
    return Twin.model_validate({"ports": ports})


def test_several_of_each_on_one_twin_with_files_beside_the_rig(
    rig_folder: Path, clock: WallClock, within: Within
) -> None:
    (rig_folder / "other.txt").write_text("good bye")
    asked = twin(
        a={"emulator": "parrot", "words": "words.txt"},
        b={"emulator": "parrot", "words": str(rig_folder / "other.txt")},
        c={"emulator": "radio", "words": "words.txt"},
        d={"emulator": "radio", "words": "other.txt"},
    )
    with start(asked, rig_folder, within(30)) as running:
        for name, words in (("a", b"hello"), ("b", b"good bye")):
            with closing(open_serial(running.ports[name], BAUD, clock)) as port:
                port.write(b"?", within(5))
                heard = b""
                while len(heard) < len(words):
                    more = port.read(within(5))
                    assert more
                    heard += more
                assert heard == words
        assert running.ports["c"] == f"words of {rig_folder / 'words.txt'}"
        assert running.ports["d"] == f"words of {rig_folder / 'other.txt'}"
        processes = running.describe()["processes"]
        assert isinstance(processes, list)
        assert [process["name"] for process in processes] == ["radio c", "radio d", "host"]


def test_a_device_that_cannot_be_built_names_its_port(rig_folder: Path, within: Within) -> None:
    with pytest.raises(RigError) as caught:
        start(twin(a={"emulator": "parrot", "words": "none.txt"}), rig_folder, within(30))
    assert f"twin.ports.a: {rig_folder / 'none.txt'}: No such file" in caught.value.remedy


def test_an_entry_point_that_is_no_emulator(rig_folder: Path, within: Within) -> None:
    with pytest.raises(BadInput, match=r"twin\.ports\.a: emulator 'stone' is neither Hosted nor"):
        start(twin(a={"emulator": "stone"}), rig_folder, within(30))
