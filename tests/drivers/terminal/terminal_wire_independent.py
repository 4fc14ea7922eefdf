"""The wire format once more, written from the specification alone and without any library:
what the vectors are made and checked with, and what the peers of `terminal_peers_independent`
speak."""

from __future__ import annotations

import struct
from typing import Any


def crc32(data: bytes) -> int:
    """IEEE 802.3, reflected, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def cobs(data: bytes) -> bytes:
    """Consistent overhead byte stuffing, one block at a time."""
    out = bytearray()
    block = bytearray()
    closed = False
    for byte in data:
        closed = False
        if byte == 0:
            out += bytes([len(block) + 1]) + block
            block.clear()
        else:
            block.append(byte)
            if len(block) == 254:
                out += b"\xff" + block
                block.clear()
                closed = True
    if not closed:
        out += bytes([len(block) + 1]) + block
    return bytes(out)


def frame(payload: bytes) -> bytes:
    return cobs(payload + struct.pack("<I", crc32(payload))) + b"\x00"


def pack(value: object) -> bytes:
    """MessagePack, smallest form, of the types that the protocol uses."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _pack_int(value)
        case float():
            return b"\xcb" + struct.pack(">d", value)
        case str():
            return _pack_text(value.encode())
        case bytes():
            return _sized(len(value), (b"\xc4", b"\xc5", b"\xc6")) + value
        case list():
            return _counted(len(value), 0x90, b"\xdc") + b"".join(map(pack, value))
        case dict():
            items = b"".join(pack(key) + pack(item) for key, item in value.items())
            return _counted(len(value), 0x80, b"\xde") + items
    raise TypeError(type(value))


def _pack_int(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes([value])
    for code, width in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if 0 <= value < 256**width:
            return bytes([code]) + value.to_bytes(width, "big")
    raise ValueError(value)


def _pack_text(data: bytes) -> bytes:
    if len(data) < 32:
        return bytes([0xA0 | len(data)]) + data
    return _sized(len(data), (b"\xd9", b"\xda", b"\xdb")) + data


def _sized(length: int, codes: tuple[bytes, bytes, bytes]) -> bytes:
    for code, width in zip(codes, (1, 2, 4), strict=True):
        if length < 256**width:
            return code + length.to_bytes(width, "big")
    raise ValueError(length)


def _counted(length: int, small: int, code: bytes) -> bytes:
    return bytes([small | length]) if length < 16 else code + length.to_bytes(2, "big")


def uncobs(data: bytes) -> bytes:
    """The bytes that `cobs` stuffed. Errors: ValueError."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        if code == 0 or at + code > len(data):
            raise ValueError(f"code {code} at {at} of {len(data)}")
        out += data[at + 1 : at + code]
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def unframe(data: bytes) -> Any:
    """The message of one frame without its delimiter. Errors: ValueError."""
    body = uncobs(data)
    payload, crc = body[:-4], body[-4:]
    if struct.pack("<I", crc32(payload)) != crc:
        raise ValueError("CRC")
    value, rest = _unpack(payload)
    if rest:
        raise ValueError(f"{len(rest)} bytes behind the message")
    return value


def _unpack(data: bytes) -> tuple[Any, bytes]:
    """One MessagePack value of the types that the protocol uses, and what follows it."""
    code, data = data[0], data[1:]
    if code < 0x80:
        return code, data
    if code < 0x90:
        return _unpack_map(code & 15, data)
    if code < 0xA0:
        return _unpack_list(code & 15, data)
    if code < 0xC0:
        return data[: code & 31].decode(), data[code & 31 :]
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code], data
    if code == 0xCB:
        return struct.unpack(">d", data[:8])[0], data[8:]
    widths = {
        **dict(zip((0xCC, 0xCD, 0xCE, 0xCF), (1, 2, 4, 8), strict=True)),
        **dict(zip((0xC4, 0xC5, 0xC6), (1, 2, 4), strict=True)),
        **dict(zip((0xD9, 0xDA, 0xDB), (1, 2, 4), strict=True)),
        **dict(zip((0xDC, 0xDE), (2, 2), strict=True)),
    }
    width = widths[code]
    number, data = int.from_bytes(data[:width], "big"), data[width:]
    if 0xCC <= code <= 0xCF:
        return number, data
    if code == 0xDC:
        return _unpack_list(number, data)
    if code == 0xDE:
        return _unpack_map(number, data)
    content, rest = data[:number], data[number:]
    return (content if code <= 0xC6 else content.decode()), rest


def _unpack_list(count: int, data: bytes) -> tuple[list[Any], bytes]:
    items = []
    for _ in range(count):
        item, data = _unpack(data)
        items.append(item)
    return items, data


def _unpack_map(count: int, data: bytes) -> tuple[dict[Any, Any], bytes]:
    items = {}
    for _ in range(count):
        key, data = _unpack(data)
        items[key], data = _unpack(data)
    return items, data
