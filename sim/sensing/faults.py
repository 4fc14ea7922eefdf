"""Faults of a sensor: what can be wrong with it for a while, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat, model_validator

from hil.clock import NS_PER_S
from hil.contracts import FloatArray
from hil.errors import BadInput
from sim.sensing.tables import NotNegative, Positive, Table


class Window(Table):
    """From `at_s` on, counted from the sensor's first sample instant, for `for_s` (or for ever)."""

    at_s: NotNegative = 0.0
    for_s: Positive | None = None

    def covers(self, since_ns: int) -> bool:
        """Whether an instant, ns after the sensor's first, is in the window."""
        after_ns = since_ns - round(self.at_s * NS_PER_S)
        return after_ns >= 0 and (self.for_s is None or after_ns < round(self.for_s * NS_PER_S))


class Fault(Window):
    """One fault of a channel; without `labels` it strikes all of them.

    Kinds:
        frozen: the last reading is repeated, freshly stamped: age does not show it.
        stuck: the reading is `value`, whatever is measured.
        offset: `value` is added to the signal, before range and resolution.
        silent: the labels have no value (NaN); where it strikes all, no sample is sent.
    """

    kind: Literal["frozen", "stuck", "offset", "silent"]
    labels: tuple[str, ...] = ()
    value: FiniteFloat | None = None

    @model_validator(mode="after")
    def _value_where_it_means_something(self) -> Self:
        needs = self.kind in ("stuck", "offset")
        if needs and self.value is None:
            raise ValueError(f"a fault {self.kind!r} needs a value")
        if not needs and self.value is not None:
            raise ValueError(f"a fault {self.kind!r} has no value")
        return self

    @property
    def amount(self) -> float:
        """`value`, or 0 for a kind that has none."""
        return 0.0 if self.value is None else self.value


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of one channel with the labels that each strikes, (n,)."""

    faults: tuple[tuple[Fault, NDArray[np.bool_]], ...]

    @classmethod
    def of(cls, faults: Sequence[Fault], labels: Sequence[str], what: str) -> Self:
        """Errors: BadInput for a label that the channel does not have."""
        return cls(tuple((fault, _struck(fault, labels, what)) for fault in faults))

    def offset(self, since_ns: int, signal: FloatArray) -> FloatArray:
        """The signal (n,) with the offsets of the moment."""
        found = signal
        for fault, struck in self._now(since_ns, "offset"):
            found = np.where(struck, found + fault.amount, found)
        return found

    def spoil(self, since_ns: int, reading: FloatArray, last: FloatArray) -> FloatArray:
        """The reading (n,) as it is sent, `last` being the one sent before it."""
        found = reading
        for _, struck in self._now(since_ns, "frozen"):
            found = np.where(struck, last, found)
        for fault, struck in self._now(since_ns, "stuck"):
            found = np.where(struck, fault.amount, found)
        for _, struck in self._now(since_ns, "silent"):
            found = np.where(struck, np.nan, found)
        return found

    def silent(self, since_ns: int) -> bool:
        """Whether no sample is sent at all."""
        return any(struck.all() for _, struck in self._now(since_ns, "silent"))

    def _now(self, since_ns: int, kind: str) -> list[tuple[Fault, NDArray[np.bool_]]]:
        return [
            (fault, struck)
            for fault, struck in self.faults
            if fault.kind == kind and fault.covers(since_ns)
        ]


def _struck(fault: Fault, labels: Sequence[str], what: str) -> NDArray[np.bool_]:
    unknown = sorted(set(fault.labels) - set(labels))
    if unknown:
        raise BadInput(
            f"{what}: fault {fault.kind!r} strikes {', '.join(unknown)}, which it does not have",
            f"its labels are {', '.join(labels)}",
        )
    return np.array([not fault.labels or label in fault.labels for label in labels])
