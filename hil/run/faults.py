"""Faults of a scenario: into the links when the loop of an episode begins, out when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hil.contracts import OpenLink
from hil.errors import CapabilityMissing
from hil.plan.freeze import PlannedScenario, stream_seed
from hil.rig import Bench
from rigs.link import Fault


class Injection:
    """The faults of one episode, by role, with the chances that its seed gives them."""

    def __init__(self, bench: Bench, faults: Sequence[Fault], seed: int) -> None:
        self._bench = bench
        self._seed = seed
        self._faults = _by_role(faults)
        self._before = _rig_counts(bench)

    @contextmanager
    def active(self, events: list[dict[str, Any]]) -> Iterator[None]:
        """While inside, the faults are in their links; their times count from the beginning.

        What they were and did goes to the episode's `events`. They are out again before
        anybody makes the rig safe. Errors: CapabilityMissing.
        """
        if not self._faults:
            yield
            return
        links = {role: link_of(self._bench, role) for role in self._faults}
        origin_ns = self._bench.clock.now_ns()
        try:
            for role, link in links.items():
                link.plant_faults(self._faults[role], self._seed_of(role), origin_ns)
            yield
        finally:
            events += [self._event(role, link, origin_ns) for role, link in links.items()]

    def rig_events(self) -> list[dict[str, Any]]:
        """What the faults of the rig file did since the episode began."""
        return [
            {"event": "faults", "of": "rig", "role": role, "counts": did}
            for role, counts in _rig_counts(self._bench).items()
            if (did := _more(counts, self._before.get(role, {})))
        ]

    def _event(self, role: str, link: OpenLink, origin_ns: int) -> dict[str, Any]:
        return {
            "event": "faults",
            "of": "scenario",
            "role": role,
            "faults": self._faults[role],
            "seed": self._seed_of(role),
            "origin_ns": origin_ns,
            "counts": dict(link.lift_faults()),
        }

    def _seed_of(self, role: str) -> int:
        """Seed of one link: no two links of an episode have the same chances."""
        return stream_seed(self._seed, f"faults/{role}")


def link_of(bench: Bench, role: str) -> OpenLink:
    """The open link of a role. Errors: CapabilityMissing where its driver opens none."""
    control = bench.links.get(role)
    if control is None or control.link is None:
        raise CapabilityMissing(
            f"faults cannot be put into the link of {role!r}: its driver on rig"
            f" {bench.rig.name!r} does not open one that takes them",
            "a driver's link takes faults when it is opened by drivers.transport.link.open_link",
        )
    return control.link


def require_links(scenarios: Mapping[str, PlannedScenario], bench: Bench) -> None:
    """Check, on an open bench, that every link is there that a scenario wants to put faults
    into. Errors: CapabilityMissing."""
    for planned in scenarios.values():
        for role in _by_role(planned.scenario.faults):
            link_of(bench, role)


def _by_role(faults: Sequence[Fault]) -> dict[str, list[dict[str, Any]]]:
    roles: dict[str, list[dict[str, Any]]] = {}
    for fault in faults:
        if fault.role is not None:
            plain = fault.model_dump(mode="json", exclude_none=True)
            roles.setdefault(fault.role, []).append(plain)
    return roles


def _rig_counts(bench: Bench) -> dict[str, Mapping[str, int]]:
    return {
        role: dict(control.link.fault_counts())
        for role, control in bench.links.items()
        if control.link is not None
    }


def _more(counts: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {
        name: count - before.get(name, 0)
        for name, count in counts.items()
        if count != before.get(name, 0)
    }
