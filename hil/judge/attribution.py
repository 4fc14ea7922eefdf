"""Where the time of a scenario's decisions went, hop by hop; `hil.judge.hops` names the hops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.clock import NS_PER_S, NS_PER_US
from hil.contracts import FloatArray, IntArray
from hil.errors import DamagedRecord
from hil.judge.hops import HOPS, Chain, decision_chain, round_trips
from hil.judge.latency import nearest_ranks
from hil.judge.model import Attribution, ClockFit, ClockSet, HopTiming, rounded
from hil.judge.motion import motion_onsets_ns
from hil.loop.clockmap import ClockMap, fit_clock
from hil.record.format import Episode

LOOKED_AT = 200_000
"""Ticks of a scenario that are looked at; of a longer record, evenly spaced blocks of them."""

_BLOCK = 2_000
_WIRE_CALLS = {"read": "read", "command": "command"}  # hop by call


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Consecutive ticks of one episode with what belongs to them; arrays are (ticks, joints)."""

    ticks: NDArray[np.void]
    sensed_ns: IntArray
    position: FloatArray | None = None
    seen_ns: IntArray | None = None
    told: FloatArray | None = None  # (1 + ticks, joints): before the first tick, after each


@dataclass(slots=True)
class _Found:
    """What one pass over the episodes gathers."""

    stretches: list[_Stretch] = field(default_factory=list)
    exchanges: dict[str, list[IntArray]] = field(default_factory=dict)
    stamping: str | None = None
    wire_us: dict[str, float] = field(default_factory=dict)
    spans: list[tuple[str, int, int]] = field(default_factory=list)  # episode, from, to in ns
    ticks: int = 0


def attribute(episodes: Iterable[Episode], count: int, rate_hz: float) -> Attribution | None:
    """Hop table of one scenario from its `count` episodes, read once, one at a time.

    None where no tick commanded a decision. At most `LOOKED_AT` ticks are looked at.
    Errors: DamagedRecord for events that do not hold what their names say.
    """
    found = _Found()
    for episode in episodes:
        _gather(found, episode, LOOKED_AT // max(count, 1))
    clocks = {
        role: fit_clock(np.concatenate(rows), _witnesses(found) if role == found.stamping else None)
        for role, rows in found.exchanges.items()
    }
    clock = clocks.get(found.stamping) if found.stamping is not None else None
    chains = [decision_chain(one.ticks, one.sensed_ns, clock) for one in found.stretches]
    decisions = sum(len(chain.rows) for chain in chains)
    left_out = sum(chain.left_out for chain in chains)
    if not decisions + left_out:
        return None
    onsets = [
        motion_onsets_ns(one.ticks["act_ns"], one.told, one.position, one.seen_ns)
        for one in found.stretches
        if one.told is not None and one.position is not None and one.seen_ns is not None
    ]
    return Attribution(
        decisions=decisions,
        looked_at=sum(len(one.ticks) for one in found.stretches),
        ticks=found.ticks,
        hops=tuple(_table(chains, onsets, found.wire_us, NS_PER_S / rate_hz / NS_PER_US)),
        clocks=tuple(
            _clock_fit(role, one, found.spans) for role, one in sorted(clocks.items()) if one
        ),
        left_out=left_out,
    )


def _witnesses(found: _Found) -> IntArray:
    """The decisions themselves, which went there and back as well."""
    return np.concatenate(
        [
            np.empty((0, 4), np.int64),
            *(round_trips(one.ticks, one.sensed_ns) for one in found.stretches),
        ]
    )


def _table(
    chains: Sequence[Chain],
    onsets: Sequence[IntArray],
    wire_us: Mapping[str, float],
    period_us: float,
) -> Iterator[HopTiming]:
    unsure_us = max(chain.unsure_ns for chain in chains) / NS_PER_US
    unsure = {"there": unsure_us, "back": unsure_us, "motion": period_us}
    for hop in HOPS:
        parts = [chain.hops[hop] for chain in chains if hop in chain.hops]
        samples = np.concatenate([np.empty(0, np.int64), *(onsets if hop == "motion" else parts)])
        if len(samples):
            yield hop_timing(hop, samples, wire_us.get(hop), rounded(unsure.get(hop)))


def hop_timing(
    hop: str, samples_ns: IntArray, wire_us: float | None = None, unsure_us: float | None = None
) -> HopTiming:
    """Distribution of one hop."""
    p50, p95 = nearest_ranks(samples_ns, (0.5, 0.95))
    return HopTiming(
        hop,
        count=len(samples_ns),
        p50_us=None if p50 is None else p50 / NS_PER_US,
        p95_us=None if p95 is None else p95 / NS_PER_US,
        max_us=int(samples_ns.max()) / NS_PER_US,
        wire_us=wire_us,
        unsure_us=unsure_us,
    )


def _clock_fit(role: str, clock: ClockMap, spans: Sequence[tuple[str, int, int]]) -> ClockFit:
    return ClockFit(
        role,
        offset_us=clock.longest.offset_ns / NS_PER_US,
        drift_ppm=float(f"{clock.longest.drift_ppm:.6g}"),
        drift_unsure_ppm=float(f"{clock.longest.beyond_ppm:.6g}"),
        unsure_us=clock.base_ns / NS_PER_US,
        trip_us=clock.trip_ns / NS_PER_US,
        exchanges=clock.exchanges,
        pieces=len(clock.pieces),
        steps=tuple(
            ClockSet(
                after_s=round((step.first_ns - clock.first_ns) / NS_PER_S, 3),
                until_s=round((step.last_ns - clock.first_ns) / NS_PER_S, 3),
                size_us=step.size_ns / NS_PER_US,
                unsure_us=step.unsure_ns / NS_PER_US,
                episodes=tuple(
                    name
                    for name, begin_ns, end_ns in spans
                    if begin_ns < step.last_ns and end_ns > step.first_ns
                ),
            )
            for step in clock.steps
        ),
    )


def _gather(found: _Found, episode: Episode, budget: int) -> None:
    target: FloatArray | None = None
    for event in episode.events:
        try:
            match event.get("event"):
                case "clock":
                    _clock_event(found, event)
                case "wire":
                    found.wire_us.update(_wire_us(event))
                case "start":
                    target = np.array(event["target"], dtype=np.float64)
        except (LookupError, TypeError, ValueError, OverflowError, ArithmeticError) as error:
            raise DamagedRecord(
                f"episode {episode.name}: event {event.get('event')!r} cannot be read: {error!r}",
                "this version of the testbed cannot judge the record; use the one that wrote it",
            ) from error
    found.ticks += len(episode.ticks)
    if len(episode.ticks):
        ends = (episode.ticks["scheduled_ns"][0], episode.ticks["woke_ns"][-1])
        found.spans.append((episode.name, int(ends[0]), int(ends[1])))
    found.stretches += [_stretch(episode, target, part) for part in _parts(episode.ticks, budget)]


def _clock_event(found: _Found, event: Mapping[str, Any]) -> None:
    role = str(event["role"])
    rows = np.array(event["exchanges"], dtype=np.int64).reshape(-1, 4)
    found.exchanges.setdefault(role, []).append(rows)
    if event["stamps_ticks"]:
        found.stamping = role


def _wire_us(event: Mapping[str, Any]) -> dict[str, float]:
    """Time on the wire by hop: bytes times bits a byte over bits a second."""
    return {
        _WIRE_CALLS[call]: use["byte_count"] * use["bits_per_byte"] * 1e6 / use["baud"]
        for call, use in event["calls"].items()
        if call in _WIRE_CALLS
    }


def _parts(ticks: NDArray[np.void], budget: int) -> list[slice]:
    """All ticks, or so many evenly spaced blocks of consecutive ones as `budget` allows."""
    count, blocks = len(ticks), max(1, budget // _BLOCK)
    if count <= max(budget, _BLOCK):
        return [slice(0, count)]
    starts = np.linspace(0, count - _BLOCK, blocks).astype(np.int64)
    return [slice(int(start), int(start) + _BLOCK) for start in starts]


def _stretch(episode: Episode, target: FloatArray | None, part: slice) -> _Stretch:
    ticks = np.array(episode.ticks[part])
    position = episode.channels.get("joints.position")
    applied = episode.channels.get("joints.applied")
    if position is None:
        return _Stretch(ticks, ticks["sense_ns"])
    stamp_ns = np.array(position.stamp_ns[part])
    if applied is None:
        return _Stretch(ticks, stamp_ns)
    before = target if part.start == 0 else applied.value[part.start - 1]
    if before is None or before.shape != applied.value.shape[1:]:
        before = np.full(applied.value.shape[1], np.nan)
    return _Stretch(
        ticks,
        stamp_ns,
        np.array(position.value[part]),
        stamp_ns[:, None] - position.age_ns[part],
        np.vstack([before[None], applied.value[part]]),
    )
