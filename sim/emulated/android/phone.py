"""The emulated phone: properties, files, a shell with the commands a testbed uses. No socket."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sim.emulated.adb import AdbOptions
from sim.emulated.android.faults import Answer, Faults

ROOM = 64 << 20
"""Bytes of files that fit."""

_TENTHS = 10
_NOT_FOUND = 127
_FIRST_SHELL_V2 = 24
"""Android 7 has API level 24."""


class Agent(Protocol):
    """The agent of the phone as its shell knows it."""

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        ...

    def start(self) -> None:
        """Start it unless it runs."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


@dataclass
class Phone:
    """`booted` is what `sys.boot_completed` says."""

    options: AdbOptions
    agent: Agent
    faults: Faults = field(default_factory=lambda: Faults.model_validate({}))
    files: dict[str, bytes] = field(default_factory=dict)
    booted: bool = True

    @property
    def features(self) -> str:
        """As the server tells them."""
        return "shell_v2,cmd" if self.options.sdk >= _FIRST_SHELL_V2 else "cmd"

    def store(self, path: str, content: bytes) -> str:
        """Write a file; the reason why not, or nothing."""
        room = ROOM - sum(map(len, self.files.values()))
        if self.faults.full or len(content) > room:
            return "write failed: No space left on device"
        if not path.startswith(("/data/local/tmp/", "/sdcard/")):
            return f"couldn't create file: Permission denied ({path})"
        if self.faults.spoil_files and content:
            content = bytes([content[0] ^ 1]) + content[1:]
        self.files[path] = content
        return ""

    def run(self, line: str) -> Answer:
        """A line of the shell: commands with `;` between them, the code of the last one."""
        if line in self.faults.shell:
            return self.faults.shell[line]
        code, out, err = 0, "", ""
        for command in line.split(";"):
            try:
                words = shlex.split(command)
            except ValueError as error:
                return 2, out, f"{err}sh: syntax error: {error}\n"
            if words:
                code, more, complaint = self._command(words)
                out, err = out + more, err + complaint
        return code, out, err

    def _command(self, words: Sequence[str]) -> Answer:
        known: Mapping[str, Callable[[Sequence[str]], Answer]] = {
            "getprop": self._getprop,
            "sha256sum": self._sha256sum,
            "mv": self._mv,
            "cat": self._cat,
            "echo": lambda rest: (0, " ".join(rest) + "\n", ""),
            "dumpsys": self._dumpsys,
            "am": self._am,
            "pidof": self._pidof,
        }
        name, rest = words[0], words[1:]
        if name not in known or (name == "sha256sum" and not self.faults.sha256sum):
            return _NOT_FOUND, "", f"/system/bin/sh: {name}: inaccessible or not found\n"
        return known[name](rest)

    def _getprop(self, rest: Sequence[str]) -> Answer:
        properties = self._properties()
        if rest:
            return 0, properties.get(rest[0], "") + "\n", ""
        return 0, "".join(f"[{k}]: [{v}]\n" for k, v in sorted(properties.items())), ""

    def _properties(self) -> dict[str, str]:
        options = self.options
        return {
            "ro.product.manufacturer": options.manufacturer,
            "ro.product.model": options.model,
            "ro.serialno": options.serial,
            "ro.build.fingerprint": f"testbed/emulated:{options.android}/EMU/1:user/release-keys",
            "ro.build.display.id": "EMU.1",
            "ro.build.version.release": options.android,
            "ro.build.version.sdk": str(options.sdk),
            "ro.soc.model": options.soc,
            "ro.soc.manufacturer": options.manufacturer,
            "ro.board.platform": "emulated",
            "ro.product.cpu.abi": "arm64-v8a",
            "sys.boot_completed": "1" if self.booted else "",
        }

    def _sha256sum(self, rest: Sequence[str]) -> Answer:
        content = self.files.get(rest[0]) if rest else None
        if content is None:
            return 1, "", f"sha256sum: {' '.join(rest)}: No such file or directory\n"
        return 0, f"{hashlib.sha256(content).hexdigest()}  {rest[0]}\n", ""

    def _mv(self, rest: Sequence[str]) -> Answer:
        names = [word for word in rest if not word.startswith("-")]
        if len(names) != 2 or names[0] not in self.files:
            return 1, "", "mv: No such file or directory\n"
        self.files[names[1]] = self.files.pop(names[0])
        return 0, "", ""

    def _cat(self, rest: Sequence[str]) -> Answer:
        content = self.files.get(rest[0]) if rest else None
        if content is None:
            return 1, "", "cat: No such file or directory\n"
        return 0, content.decode(errors="replace"), ""

    def _am(self, rest: Sequence[str]) -> Answer:
        what, target = (rest[0], rest[-1]) if rest else ("", "")
        package = target.partition("/")[0]
        if package != self.options.agent_package:
            return 1, "", f"Error: Not found; no service started: {target}\n"
        if what in ("start-foreground-service", "startservice", "start-service"):
            if self.faults.agent == "fail":
                return 1, "", "Error: Requires permission not exported from uid 10123\n"
            self.agent.start()
            return 0, f"Starting service: Intent {{ cmp={target} }}\n", ""
        if what == "force-stop":
            if self.faults.agent != "stays":
                self.agent.stop()
            return 0, "", ""
        return 1, "", f"Error: Unknown command: {what}\n"

    def _pidof(self, rest: Sequence[str]) -> Answer:
        pid = self.agent.pid if list(rest) == [self.options.agent_package] else None
        return (1, "", "") if pid is None else (0, f"{pid}\n", "")

    def _dumpsys(self, rest: Sequence[str]) -> Answer:
        faults = self.faults
        part = rest[0] if rest else ""
        if part in faults.mute:
            return 0, "", ""
        if part == "battery":
            return 0, self._battery(), ""
        if part == "thermalservice":
            return 0, f"IsStatusOverride: false\nThermal Status: {faults.thermal_status}\n", ""
        if part == "deviceidle":
            return 0, f"{faults.doze}\n", ""
        if part == "power":
            return 0, f"POWER MANAGER\n  mWakefulness={faults.wakefulness}\n", ""
        return 0, "", f"Can't find service: {part}\n"

    def _battery(self) -> str:
        faults = self.faults
        fields = {
            "AC powered": "false",
            "USB powered": str(faults.charging).lower(),
            "Wireless powered": "false",
            "status": "2" if faults.charging else "3",
            "health": "2",
            "present": str(faults.battery_present).lower(),
            "level": str(faults.battery_percent),
            "scale": "100",
            "voltage": "4150",
            "temperature": str(round(faults.battery_c * _TENTHS)),
            "technology": "Li-ion",
        }
        lines = "".join(f"  {name}: {value}\n" for name, value in fields.items())
        return f"Current Battery Service state:\n{lines}"
