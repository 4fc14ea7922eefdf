"""A host of its own for the protocol: pyserial and the protocol's description, nothing of the
driver. It does what the reference's host does, so the emulated board is driven by two."""

from __future__ import annotations

import re

import serial


class TinyHost:
    """Commands out, lines back, up to one that holds `m-ready`."""

    def __init__(self, path: str, timeout_s: float = 10.0) -> None:
        self._port = serial.Serial(path, 115_200, timeout=timeout_s)

    def __enter__(self) -> TinyHost:
        return self

    def __exit__(self, *details: object) -> None:
        self._port.close()

    def read_answer(self) -> list[str]:
        lines = []
        while True:
            raw = self._port.readline()
            if not raw.endswith(b"\n"):
                raise TimeoutError(f"after {lines}")
            line = raw.decode("ascii").replace("\r", "").replace("\0", "").rstrip("\n")
            if line:
                lines.append(line)
            if "m-ready" in line:
                return lines

    def command(self, text: str) -> list[str]:
        self._port.write(text.encode("ascii") + b"%")
        return self.read_answer()

    def load(self, data: bytes) -> list[str]:
        answer = self.command(f"db load {len(data)}")
        assert answer[0] == f"m-[Expecting {len(data)} bytes]"
        for start in range(0, len(data), 31):
            digits = "".join(f"{byte:02x}" for byte in data[start : start + 31])
            answer = self.command(f"db {digits}")
        return answer

    def infer(self, count: int, warmup: int) -> tuple[list[int], list[float]]:
        """Laps in microseconds, results."""
        answer = self.command(f"infer {count} {warmup}")
        text = "\n".join(answer)
        laps = [int(found) for found in re.findall(r"^m-lap-us-([0-9]+)$", text, re.MULTILINE)]
        results = re.search(r"^m-results-\[([0-9.,-]+)\]$", text, re.MULTILINE)
        assert results is not None
        return laps, [float(value) for value in results[1].split(",") if value]
