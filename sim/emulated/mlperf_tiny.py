"""Emulated MLPerf-Tiny board, alone or behind an IO manager (emulator `mlperf-tiny`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.mlperf_tiny.codec import RELAYED
from drivers.mlperf_tiny.lines import CommandReader
from drivers.mlperf_tiny.profiles import load_profiles
from hil.clock import NS_PER_MS, NS_PER_US
from hil.config import validate
from sim.emulated.mlperf_tiny_firmware import Build, Firmware
from sim.emulated.mlperf_tiny_network import onnx_file, shares
from sim.twin.emulator import Hosted, Scalar
from sim.twin.files import RigFile
from sim.twin.pacing import Transmission, wire_ns

Network = Literal["kws01", "vww01", "ad01", "ic01", "strww01"]
_Count = Annotated[int, Field(ge=0, le=1_000_000)]


class Options(BaseModel):
    """Options of the emulator. `io_manager` puts one in front, which speaks to the board at
    `board_baud`; `network` names an ONNX file, relative to the rig file, without which the
    results are a plain function of the tensor's bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Network = "ic01"
    vendor: str = Field("emulated", pattern=r"^[^\]\r\n%]{1,40}$")
    baud: int = Field(115_200, gt=0)
    io_manager: bool = False
    board_baud: int = Field(9600, gt=0)
    energy_mode: bool = False
    infer_us: float = Field(2000.0, ge=0, le=1e9)
    boot_ms: float = Field(20.0, ge=0, le=10_000)
    clock_step_us: int = Field(1, ge=1, le=1_000_000)
    clock_start_us: int = Field(0, ge=0, lt=2**32)
    network: RigFile | None = None


class Control(BaseModel):
    """What can be done to the device.

    Numbers count from now on; a received byte that is `drop`ped or `corrupt`ed is one of those
    after the next `after`. `debug` is printed before every line, as it is.
    """

    model_config = ConfigDict(extra="forbid")

    reset: bool = False
    power_cycle: bool = False
    silent: bool | None = None
    model: Network | None = None
    debug: str | None = Field(None, max_length=10_000)
    flood: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    after: _Count = 0
    drop: _Count = 0
    corrupt: _Count = 0
    reset_after_lines: Annotated[int, Field(ge=1)] | None = None


@dataclass(slots=True)
class _Faults:
    silent: bool = False
    debug: bytes = b""
    after: int = 0
    drop: int = 0
    corrupt: int = 0
    lines_to_reset: int | None = None

    def spoiled(self, data: bytes) -> bytes:
        """What of `data` arrives."""
        out = bytearray()
        for byte in data:
            if self.after:
                self.after -= 1
            elif self.drop:
                self.drop -= 1
                continue
            elif self.corrupt and byte in b"0123456789abcdef":
                self.corrupt -= 1
                out.append(ord("1") if byte == ord("0") else ord("0"))
                continue
            out.append(byte)
        return bytes(out)


class EmulatedBoard:
    """One board on one line (`sim.twin.emulator.Emulator`).

    It holds back what is not yet due, so that a reset takes it back. A line that has begun goes
    out whole.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        baud = options.board_baud if options.io_manager else options.baud
        self._firmware = Firmware(_build(options, options.model), baud)
        self._manager = CommandReader()
        self._faults = _Faults()
        self._waiting: deque[Transmission] = deque()
        self._line_free_ns = 0
        self._boot_due = True
        self._flood = 0
        self._unheard_bytes = 0

    @property
    def baud(self) -> int:
        return self._options.baud

    def receive(self, data: bytes, now_ns: int, line_baud: int) -> list[Transmission]:
        if line_baud != self.baud:
            self._unheard_bytes += len(data)
            return []
        arrived_ns = now_ns + wire_ns(len(data), self.baud)
        heard = self._faults.spoiled(data)
        if self._options.io_manager:
            self._manage(heard, arrived_ns)
        else:
            self._queue(self._firmware.receive(heard, arrived_ns))
        return self.wake(now_ns)

    def due_ns(self) -> int | None:
        if self._boot_due or self._flood:
            return 0
        return self._waiting[0].start_ns if self._waiting else None

    def wake(self, now_ns: int) -> list[Transmission]:
        if self._boot_due:
            self._boot_due = False
            self._boot(now_ns)
        if self._flood:
            flood = Transmission(now_ns, self.baud, b"#" * self._flood)
            self._flood = 0
            self._waiting.appendleft(flood)
        out = []
        while self._waiting and self._waiting[0].start_ns <= now_ns:
            out.append(self._waiting.popleft())
        return [] if self._faults.silent else out

    def status(self) -> Mapping[str, Scalar]:
        """Counters of the firmware, whether it hangs, and which network it has."""
        return {
            "model": self._firmware.build.model,
            "hung": self._firmware.hung,
            "unheard_bytes": self._unheard_bytes,
            **asdict(self._firmware.counters),
        }

    def control(self, args: Mapping[str, object]) -> None:
        """See `Control`. Only `power_cycle` brings back a board that hangs."""
        wanted = validate(dict(args), Control, "emulator mlperf-tiny")
        given = wanted.model_fields_set
        if wanted.model is not None:
            self._firmware.build = _build(self._options, wanted.model)
        if wanted.power_cycle or wanted.model or (wanted.reset and not self._firmware.hung):
            self._boot_due = True
        if wanted.silent is not None:
            self._faults.silent = wanted.silent
        if wanted.debug is not None:
            self._faults.debug = wanted.debug.encode()
        if given & {"after", "drop", "corrupt"}:
            self._faults.after = wanted.after
            self._faults.drop, self._faults.corrupt = wanted.drop, wanted.corrupt
        if wanted.reset_after_lines is not None:
            self._faults.lines_to_reset = wanted.reset_after_lines
        self._flood += wanted.flood

    def _boot(self, now_ns: int) -> None:
        """What was still to be said is not said any more."""
        self._waiting.clear()
        self._line_free_ns = 0
        boot_ns = round(self._options.boot_ms * NS_PER_MS)
        self._queue(self._firmware.start(now_ns + boot_ns))

    def _manage(self, data: bytes, now_ns: int) -> None:
        """The IO manager: a command of its own, or one for the board behind it."""
        for command in self._manager.feed(data):
            text = command.decode("ascii", "replace")
            if text.startswith("dut "):
                handed = command.removeprefix(b"dut ")
                self._tell(f"m-dut-passthrough({text.removeprefix('dut ')})", now_ns)
                self._tell("m-ready", now_ns)
                there_ns = now_ns + wire_ns(len(handed) + 1, self._firmware.baud)
                self._queue(self._firmware.receive(handed + b"%", there_ns))
            else:
                known = text == "name"
                told = "tinyML Enhanced Interface Board" if known else "e-[Unknown command]"
                self._tell(told, now_ns)
                self._tell("m-ready", now_ns)

    def _tell(self, text: str, now_ns: int) -> None:
        self._put(Transmission(now_ns, self.baud, text.encode() + b"\r\n"))

    def _queue(self, lines: list[Transmission]) -> None:
        """Lines of the board, as the line to the host carries them."""
        for line in lines:
            if self._faults.lines_to_reset == 0:
                self._faults.lines_to_reset = None
                self._queue(self._firmware.start(line.start_ns))
                return
            if self._faults.lines_to_reset is not None:
                self._faults.lines_to_reset -= 1
            debug = self._faults.debug
            if self._options.io_manager:
                # a line is relayed once it is whole
                data = debug + RELAYED.encode() + line.data
                self._put(Transmission(line.end_ns, self.baud, data))
            else:
                self._put(replace(line, data=debug + line.data))

    def _put(self, line: Transmission) -> None:
        """Behind what is on the line already."""
        start_ns = max(line.start_ns, self._line_free_ns)
        placed = replace(line, start_ns=start_ns)
        self._line_free_ns = placed.end_ns
        self._waiting.append(placed)


def _build(options: Options, model: str) -> Build:
    profile = load_profiles()[model]
    if options.network is not None:
        scores = onnx_file(options.network, profile)
    else:
        scores = shares(profile.outputs or 1)
    return Build(
        vendor=options.vendor,
        model=model,
        tensor_bytes=profile.size,
        scores=scores,
        energy_mode=options.energy_mode,
        infer_ns=round(options.infer_us * NS_PER_US),
        clock_step_us=options.clock_step_us,
        clock_start_us=options.clock_start_us,
    )


EMULATOR = Hosted(options=Options, build=EmulatedBoard)
"""Entry point `mlperf-tiny` of group `hil.emulators`."""
