"""Sensors that sample what is true in a plant, each on a grid of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hil.clock import NS_PER_S


class Probe(Protocol):
    """A sensor that is fed with what is true in the plant, on a grid of its own."""

    def restart(self, seed: int, origin_ns: int) -> None:
        """A new scene, whose time begins at `origin_ns` of the bench's clock."""
        ...

    @property
    def next_ns(self) -> int:
        """The instant of its next sample."""
        ...

    def take(self, stamp_ns: int) -> None:
        """Sample, at a step that is at or after that instant."""
        ...


class Probes:
    """The probes of one plant of `step_hz`; steps count from the scene's beginning."""

    def __init__(self, step_hz: int) -> None:
        self._step_hz = step_hz
        self._origin_ns = 0
        self._probes: list[Probe] = []

    def add(self, probe: Probe) -> None:
        """Let it sample from the next scene on."""
        self._probes.append(probe)

    def restart(self, seed: int, origin_ns: int) -> None:
        """A new scene, whose time begins at `origin_ns`."""
        self._origin_ns = origin_ns
        for probe in self._probes:
            probe.restart(seed, origin_ns)

    def next_steps(self, done: int) -> Sequence[int]:
        """The next steps after `done` that must not be run over."""
        hz, origin_ns = self._step_hz, self._origin_ns
        waits = [max(0, probe.next_ns - origin_ns) for probe in self._probes]
        return [max(done + 1, -(-wait_ns * hz // NS_PER_S)) for wait_ns in waits]

    def look(self, done: int) -> None:
        """Let those sample that are due after step `done`."""
        if not self._probes:
            return
        now_ns = self._origin_ns + -(-done * NS_PER_S // self._step_hz)
        for probe in self._probes:
            if probe.next_ns <= now_ns:
                probe.take(now_ns)
