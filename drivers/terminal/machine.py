"""What the agent's machine says of itself; what it does not say is None or empty."""

from __future__ import annotations

import hashlib
import platform
import resource
import sys
import time
from pathlib import Path

_KIB = 1024


def model_name(root: Path = Path("/")) -> str:
    """Board or product name, else the processor architecture."""
    for place in ("proc/device-tree/model", "sys/class/dmi/id/product_name"):
        text = _text(root / place)
        if text:
            return text
    return platform.machine() or "unknown"


def serial_number(root: Path = Path("/")) -> str:
    """Stable name of this machine: a digest, since a machine id is not to be given away."""
    machine_id = _text(root / "etc/machine-id")
    if not machine_id:
        return ""
    return hashlib.sha256(f"hil-agent {machine_id}".encode()).hexdigest()[:16]


def clock_resolution_ns() -> int:
    """Resolution of CLOCK_MONOTONIC in ns, at least 1."""
    return max(1, round(time.get_clock_info("monotonic").resolution * 1e9))


def peak_memory_bytes() -> int:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def temperature_c(root: Path = Path("/")) -> float | None:
    """The hottest thermal zone in degrees Celsius, None where the kernel shows none."""
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*/temp"))
    readings = [int(text) / 1000 for text in map(_text, zones) if text.lstrip("-").isdigit()]
    return max(readings, default=None)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip().strip("\x00").strip()
    except OSError:  # absent here, or not readable for this user
        return ""
