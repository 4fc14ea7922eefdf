"""What is fuzzed: one entry a codec, in one list.

A target has seeds, which are good streams, and makes a fresh `Feeder` for every run of bytes:
something that takes pieces of a stream, must not raise, and tells how many bytes it keeps,
which must stay below `most_kept`. A new codec is a line in `TARGETS` and a function here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

VECTORS = Path(__file__).parents[1] / "vectors"


class Feeder(Protocol):
    """One codec under attack."""

    def feed(self, data: bytes) -> object:
        """Take the next piece."""
        ...

    def finish(self) -> object:
        """The stream has ended."""
        ...

    @property
    def pending(self) -> int:
        """Bytes kept."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """One codec: `make` a fresh one, the streams to start from, and the bound of its memory."""

    make: Callable[[], Feeder]
    seeds: Callable[[], Sequence[bytes]]
    most_kept: int


class _Together:
    """Several decoders fed the same; those of lines have no end to be told of."""

    def __init__(self, *decoders: Any) -> None:
        self._decoders = decoders

    def feed(self, data: bytes) -> list[object]:
        return [packet for decoder in self._decoders for packet in decoder.feed(data)]

    def finish(self) -> None:
        for decoder in self._decoders:
            if hasattr(decoder, "finish"):
                decoder.finish()

    @property
    def pending(self) -> int:
        return sum(decoder.pending for decoder in self._decoders)


def _strings(name: str) -> Iterator[str]:
    """Every string in a file of vectors."""
    waiting = [json.loads((VECTORS / name).read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
        elif isinstance(node, str):
            yield node


def _hex_streams(name: str) -> list[bytes]:
    """Every string of hexadecimal bytes in a file of vectors."""
    found: list[bytes] = []
    for text in _strings(name):
        with suppress(ValueError):
            found.append(bytes.fromhex(text))
    return [data for data in found if len(data) >= 4]


def _text_streams(name: str) -> list[bytes]:
    """Every string in a file of vectors, as it would be said on a line."""
    return [text.encode("ascii", "ignore") for text in _strings(name) if text]


def dynamixel2() -> Feeder:
    """The decoder with everything that reads what it gives."""
    from drivers.dynamixel import instructions as ins
    from drivers.dynamixel.codec2 import Decoder
    from drivers.dynamixel.fast import FastDecoder

    class Reading(Decoder):
        def feed(self, data: bytes) -> list[Any]:
            packets = super().feed(data)
            for packet in packets:
                ins.spans_of_sync_read(packet.params)
                ins.spans_of_bulk_read(packet.params)
                ins.writes_of_sync_write(packet.params)
                ins.writes_of_bulk_write(packet.params)
            return packets

    return _Together(Reading(512), FastDecoder([(3, 4), (7, 4), (4, 4)]))


def dynamixel2_usual() -> Feeder:
    """The short way through the usual answers, on pieces of exactly the size expected."""
    from drivers.dynamixel.expected import FastAnswers, PlainAnswers

    class Usual:
        def __init__(self) -> None:
            self._matchers = [PlainAnswers([1, 2], 4), FastAnswers([3, 7, 4], 4)]
            self._kept = bytearray()

        @property
        def pending(self) -> int:
            return len(self._kept)

        def feed(self, data: bytes) -> None:
            self._kept += data
            for matcher in self._matchers:
                if len(self._kept) >= matcher.size:
                    matcher.match(bytes(self._kept[-matcher.size :]))
            del self._kept[:-64]

        def finish(self) -> None:
            self._kept.clear()

    return Usual()


def frame1() -> Feeder:
    """The frame of Dynamixel Protocol 1.0 and Feetech servos."""
    from drivers.servo.frame1 import Decoder

    return _Together(Decoder(), Decoder(max_params=16))


def modbus() -> Feeder:
    """Both directions of Modbus RTU."""
    from drivers.modbus.framing import Decoder, reply_size, request_size

    return _Together(Decoder(request_size), Decoder(reply_size))


def inspire() -> Feeder:
    """The hand's native protocol, both directions."""
    from drivers.modbus.eb90 import Decoder

    return _Together(Decoder(b"\xeb\x90"), Decoder(b"\x90\xeb"))


def slcan() -> Feeder:
    """Both directions of CAN over a serial line."""
    from drivers.can.decoder import ReplyDecoder, RequestDecoder

    return _Together(ReplyDecoder(), RequestDecoder())


def damiao_bridge() -> Feeder:
    """Both directions of the maker's serial bridge."""
    from drivers.damiao.bridge_codec import BridgeDecoder, BridgeRequestDecoder

    return _Together(BridgeDecoder(), BridgeRequestDecoder())


def mlperf_tiny() -> Feeder:
    """Lines of a board."""
    from drivers.mlperf_tiny.codec import Decoder

    class Board(Decoder):
        @property
        def pending(self) -> int:
            return self.lines.pending

    return _Together(Board())


def terminal() -> Feeder:
    """Frames of the terminal agent, with a bound that a run can reach."""
    from drivers.terminal.codec import Decoder

    return _Together(Decoder(max_frame=4096))


def estop() -> Feeder:
    """Frames of the serial emergency stop box."""
    from drivers.estop.codec import Decoder

    return _Together(Decoder())


def _estop_streams() -> list[bytes]:
    from drivers.estop.codec import Frame, encode

    plain = Frame(a_closed=True, b_closed=True, latched=False, fault=False, sequence=7, uptime_ms=9)
    return [encode(plain), encode(replace(plain, a_closed=False, sequence=255))]


def adb() -> Feeder:
    """What an adb server says: packets of a shell, and entries of sync."""
    from drivers.android.wire import shell_decoder, sync_decoder

    return _Together(shell_decoder(), sync_decoder())


def _adb_streams() -> list[bytes]:
    from drivers.android.wire import entry, packet, plain_entry

    shell = packet(1, b"hello") + packet(2, b"oh") + packet(3, b"\0")
    return [shell, entry(b"DATA", b"x" * 40) + plain_entry(b"DONE", 7), entry(b"FAIL", b"no")]


def text_line() -> Feeder:
    """Lines of instruments, relays and gauges, with everything that reads what they say."""
    from drivers.loadcell.codec import parse_line
    from drivers.relay.codec import board
    from drivers.scpi.codec import parse_error, parse_identity, parse_number, parse_switch
    from drivers.textline import LineDecoder

    class Reading(LineDecoder):
        def feed(self, data: bytes) -> list[str]:
            lines = super().feed(data)
            for line in lines:
                for parse in (parse_number, parse_error, parse_identity, parse_switch):
                    parse(line)
                parse_line(line, 1 + line.count(","), "N")
                board("numato").state(line, 0)
                board("lcus").state(line, 3)
            return lines

    return _Together(Reading())


def _text_lines() -> list[bytes]:
    said = ["ACME,PS-1,42,1.0", '-113,"Undefined header"', "+1.25000000E+00", "9.9E37", "ON"]
    said += ["1.5,-2.25,3 kgf", "OL", ">relay read 0", "off", "CH1: ON", "CH4: OFF"]
    return ["\r\n".join(said).encode() + b"\n", *(line.encode() + b"\r" for line in said)]


def bota() -> Feeder:
    """Frames and answers of a force sensor, with what reads them."""
    from drivers.bota.codec import AnswerDecoder, Decoder
    from drivers.bota.stream import Newest

    class Reading(Decoder):
        def __init__(self) -> None:
            super().__init__()
            self._newest = Newest()

        def feed(self, data: bytes) -> list[Any]:
            frames = super().feed(data)
            self._newest.take(frames, 1_000_000_000)
            self._newest.sample(1_000_000_000)
            return frames

    return _Together(Reading(), AnswerDecoder())


def _bota_streams() -> list[bytes]:
    from drivers.bota.codec import Frame, encode

    frames = [Frame(n % 16, (1.5, -2.0, 30.0, 0.1, 0.0, -0.5), 1250 * n, 25.0) for n in range(4)]
    return [b"".join(map(encode, frames)), encode(frames[1]) + b"r,0,C,0\r\nr,0,c,0\r\n"]


TARGETS: dict[str, Target] = {
    "dynamixel2": Target(dynamixel2, lambda: _hex_streams("dynamixel_protocol2.json"), 1024),
    "dynamixel2-usual": Target(
        dynamixel2_usual, lambda: _hex_streams("dynamixel_protocol2.json"), 64
    ),
    "dynamixel1": Target(frame1, lambda: _hex_streams("dynamixel_protocol1.json"), 512),
    "feetech": Target(frame1, lambda: _hex_streams("feetech_scs.json"), 512),
    "modbus": Target(modbus, lambda: _hex_streams("modbus_rtu.json"), 600),
    "inspire": Target(inspire, lambda: _hex_streams("inspire_eb90_unverified.json"), 600),
    "slcan": Target(slcan, lambda: _text_streams("slcan.json"), 400),
    "damiao-bridge": Target(damiao_bridge, lambda: _hex_streams("damiao_can.json"), 64),
    "mlperf-tiny": Target(mlperf_tiny, lambda: _text_streams("mlperf_tiny.json"), 4096),
    "terminal": Target(terminal, lambda: _hex_streams("terminal_agent.json"), 4096),
    "bota": Target(bota, _bota_streams, 44),
    "estop": Target(estop, _estop_streams, 16),
    "adb": Target(adb, _adb_streams, 200_000),
    "text-line": Target(text_line, _text_lines, 4096),
}
"""By the name that `run.py` knows it by."""
