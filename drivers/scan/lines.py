"""Probes of devices with a line of their own: terminals, boards, grippers, instruments."""

from __future__ import annotations

import struct

from drivers.bota.codec import BAUD as BOTA_BAUD
from drivers.bota.codec import Decoder as BotaDecoder
from drivers.can.codec import Version
from drivers.can.decoder import ReplyDecoder
from drivers.estop.codec import BAUD as ESTOP_BAUD
from drivers.estop.codec import Decoder as EstopDecoder
from drivers.loadcell.codec import parse_line
from drivers.mlperf_tiny.lines import LineReader
from drivers.modbus.bus import ModbusBus
from drivers.modbus.eb90_bus import Eb90Bus
from drivers.modbus.line import Timing
from drivers.modbus.messages import ReadRegisters
from drivers.relay.codec import board
from drivers.scan.model import Found, OpenLine, Probe
from drivers.scan.sweep import quiet
from drivers.scpi.codec import parse_identity
from drivers.terminal.client import Client
from drivers.textline import LineDecoder, TextLine
from hil.clock import NS_PER_MS, Deadline

_LISTENED_FRAMES = 3
_THINKS_NS = 60 * NS_PER_MS
_FINGERS_AT, _FINGERS, _FULL = 1546, 6, 1000
_BOARD_NS = 70 * NS_PER_MS


def _hear_estop(line: OpenLine, deadline: Deadline) -> Found | None:
    decoder = EstopDecoder()
    frames = decoder.feed(line.heard)
    while len(frames) < _LISTENED_FRAMES and not deadline.expired:
        frames += decoder.feed(line.port.read(deadline))
    if len(frames) < _LISTENED_FRAMES:
        return None
    state = "released" if frames[-1].released else "pressed"
    return Found("estop-box", "estop-box", f"emergency stop box, {state}")


def _hear_bota(line: OpenLine, deadline: Deadline) -> Found | None:
    decoder = BotaDecoder()
    heard = len(decoder.feed(line.heard))
    while heard < _LISTENED_FRAMES and not deadline.expired:
        heard += len(decoder.feed(line.port.read(deadline)))
    if heard < _LISTENED_FRAMES:
        return None
    return Found("bota-ft", "bota-ft", "Bota Systems force and torque sensor, streaming")


def _hear_numbers(line: OpenLine, deadline: Deadline) -> Found | None:
    decoder = LineDecoder()
    lines = decoder.feed(line.heard)
    while len(lines) < _LISTENED_FRAMES + 1 and not deadline.expired:
        lines += decoder.feed(line.port.read(deadline))
    whole = lines[1:]  # the first may have been cut
    channels = whole[0].count(",") + 1 if whole else 0
    if len(whole) < _LISTENED_FRAMES or decoder.counters.bad_bytes:
        return None
    if any(parse_line(line, channels, "N") is None for line in whole):
        return None
    parameters = {
        "channels": [f"channel-{n + 1}" for n in range(channels)],
        "most_n": 100.0,
    }
    summary = f"a stream of numbers, {channels} a line ({whole[-1]!r}): load cell or gauge?"
    return Found("load-cell", "load-cell", summary, parameters=parameters)


def _ask_agent(line: OpenLine, deadline: Deadline) -> Found | None:
    who = Client(line.port).hello("hil scan", deadline)
    return Found(
        "terminal-agent",
        "terminal-agent",
        f"AI terminal: {who.model} {who.serial}".strip(),
        models=(who.model,),
        firmware=who.firmware,
    )


def _ask_board(line: OpenLine, deadline: Deadline) -> Found | None:
    """Asked twice: what other questions left in the board's buffer spoils the first. A `%` alone
    would end that too, but stops the reference's parser for good where nothing was left."""
    reader = LineReader()
    for _ in range(2):
        said = reader.feed(quiet(line.port, b"name%", deadline.sooner(_BOARD_NS)))
        name = next((text for text in said if text.startswith("m-name-")), "")
        if name and "m-ready" in said:
            return Found("mlperf-tiny", "mlperf-tiny", f"MLPerf Tiny board: {name}")
    return None


def _ask_robotiq(line: OpenLine, deadline: Deadline) -> Found | None:
    bus = ModbusBus(line.port, line.clock, Timing(115_200, answer_ns=_THINKS_NS))
    status = bus.registers(9, ReadRegisters(0x07D0, 3), deadline)
    active = (status[0] >> 12) & 0b11 == 0b11
    told = "active" if active else "not activated"
    return Found(
        "robotiq",
        "robotiq-gripper",
        f"Robotiq gripper at unit 9, {told}",
        (9,),
        parameters={"model": "2f-85"},
    )


def _ask_inspire(line: OpenLine, deadline: Deadline) -> Found | None:
    """Six fingers, each where a finger can be."""
    bus = ModbusBus(line.port, line.clock, Timing(115_200, answer_ns=_THINKS_NS))
    counts = bus.registers(1, ReadRegisters(_FINGERS_AT, _FINGERS), deadline)
    if max(counts) > _FULL:
        return None
    return Found("inspire", "inspire-hand", "Inspire hand at unit 1 (Modbus)", (1,))


def _ask_inspire_eb90(line: OpenLine, deadline: Deadline) -> Found | None:
    bus = Eb90Bus(line.port, line.clock, Timing(115_200, answer_ns=_THINKS_NS))
    counts = struct.unpack("<6H", bus.read(1, _FINGERS_AT, 2 * _FINGERS, deadline))
    if max(counts) > _FULL:
        return None
    summary = "Inspire hand, id 1 (its maker's own protocol)"
    return Found("inspire", "inspire-hand", summary, (1,), parameters={"protocol": "eb90"})


def _ask_slcan(line: OpenLine, deadline: Deadline) -> Found | None:
    """`V` asks for the version; a carriage return before it ends what was begun."""
    decoder = ReplyDecoder()
    for reply in decoder.feed(quiet(line.port, b"\rV\r", deadline)):
        if isinstance(reply, Version):
            return Found(
                "slcan",
                "damiao-chain",
                f"CAN adapter (slcan {reply.text}); what is on its bus was not asked",
                firmware=reply.text,
                parameters={"robot": "name the robot here"},
            )
    return None


def _ask_scpi(line: OpenLine, deadline: Deadline) -> Found | None:
    text = TextLine(line.port, line.clock).ask("*IDN?", deadline)
    who = parse_identity(text)
    if not who.model:
        return None
    kind = "meter" if "met" in who.model.lower() or "dmm" in who.model.lower() else "supply"
    parameters = {"model": f"generic-{kind}"}
    if kind == "meter":
        parameters["quantity"] = "volts-dc"
    return Found(
        "scpi",
        f"scpi-{kind}",
        f"SCPI instrument: {who.maker} {who.model} {who.serial}".strip(),
        models=(who.model,),
        firmware=who.firmware,
        parameters=parameters,
    )


def _ask_relay(line: OpenLine, deadline: Deadline) -> Found | None:
    numato, relay = board("numato"), TextLine(line.port, line.clock)
    relay.send(numato.ask(0), deadline)
    state = relay.find(lambda text: numato.state(text, 0), deadline)
    told = "on" if state else "off"
    return Found(
        "relay",
        "usb-relay",
        f"relay board (Numato), relay 0 is {told}",
        parameters={
            "model": "numato",
            "relays": {"relay-0": {"channel": 0}},
        },
    )


ESTOP = Probe("estop-box", (ESTOP_BAUD,), _hear_estop, listens=True, rank=10)
BOTA = Probe("bota-ft", (BOTA_BAUD,), _hear_bota, listens=True, rank=11)
NUMBERS = Probe("load-cell", (115_200, 9600), _hear_numbers, listens=True, rank=90)
AGENT = Probe("terminal-agent", (115_200,), _ask_agent, rank=30)
BOARD = Probe("mlperf-tiny", (115_200,), _ask_board, rank=40)
ROBOTIQ = Probe("robotiq", (115_200,), _ask_robotiq, rank=15)
INSPIRE = Probe("inspire", (115_200,), _ask_inspire, rank=16)
INSPIRE_EB90 = Probe("inspire-eb90", (115_200,), _ask_inspire_eb90, rank=17)
SLCAN = Probe("slcan", (115_200, 921_600), _ask_slcan, rank=60)
SCPI = Probe("scpi", (9600, 115_200), _ask_scpi, rank=70)
RELAY = Probe("relay", (9600,), _ask_relay, rank=80)
