"""The wire format once more, written from the specification alone and without any library:
what the vectors are made and checked with."""

from __future__ import annotations

import struct


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
