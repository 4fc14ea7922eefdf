"""How long an inference takes on a simulated terminal: declared, measured, or as recorded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hil.canonical import sha256_file
from hil.clock import NS_PER_US
from hil.contracts import IntArray, Scalar
from hil.errors import BadInput
from hil.record.format import TICK, TickFlag


class Parameters(BaseModel):
    """`parameters` of the rig file.

    Physics goes on while a network thinks, for a time that is, by `infer`:

    * `declared`: `infer_us`, always; two runs of one seed are bit-identical;
    * `measured`: what the call really took on this host, so that no two runs are alike;
    * `recorded`: what each inference took in an earlier run, in the order of its ticks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    infer: Literal["declared", "measured", "recorded"] = "declared"
    infer_us: int = Field(3000, ge=0, le=10_000_000, description="declared, wire included")
    recorded_ticks: str | None = Field(
        None, min_length=1, description="ticks.npy of an episode; relative to the rig file"
    )

    @model_validator(mode="after")
    def _source(self) -> Parameters:
        if (self.infer == "recorded") != (self.recorded_ticks is not None):
            raise ValueError("recorded_ticks goes with infer = 'recorded', and only with it")
        return self


def recorded_times_ns(path: Path) -> IntArray:
    """Time of each inference of a recorded episode, ns, as the host saw it.

    From asked to answered where the run stamped both, else the whole stage. An inference that
    was not answered took at least as long as it was waited for, and is replayed as a
    nanosecond more, so that the same time-out misses it again. Errors: BadInput for a file
    that is no record of ticks, or holds no inference.
    """
    try:
        ticks = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{path}: cannot be read: {error}", "name a run's ticks.npy") from error
    if ticks.dtype != TICK or ticks.ndim != 1:
        raise BadInput(
            f"{path}: is not a record of ticks of this version", "name a run's ticks.npy"
        )
    stage = (ticks["infer_ns"] - ticks["sense_ns"]).astype(np.int64)
    stamped = (ticks["asked_ns"] >= 0) & (ticks["answered_ns"] >= 0)
    times = np.where(stamped, ticks["answered_ns"] - ticks["asked_ns"], stage)
    unanswered = (ticks["flags"] & np.uint32(TickFlag.NO_ANSWER) != 0) & ~stamped
    times = np.where(unanswered, stage + 1, times)
    asked = times[stamped | unanswered | (ticks["device_start_ns"] >= 0)]
    if not len(asked):
        raise BadInput(f"{path}: no inference was asked for there", "name another episode")
    return np.asarray(np.maximum(asked, 0), dtype=np.int64)


class InferTime:
    """Source of the times of one terminal, ns."""

    def __init__(self, parameters: Parameters, base: Path) -> None:
        self._parameters = parameters
        self._declared_ns = parameters.infer_us * NS_PER_US
        self._path = base / (parameters.recorded_ticks or "")
        self._recorded = np.empty(0, np.int64)
        self._replay: Iterator[int] = iter(())
        if parameters.infer == "recorded":
            self._recorded = recorded_times_ns(self._path)
        self.restart()

    def restart(self) -> None:
        """Replay from the first recorded inference again."""
        self._replay = cycle(self._recorded.tolist())

    def next_ns(self, measured_ns: int) -> int:
        """How long the next inference takes, where its call took `measured_ns` here."""
        if self._parameters.infer == "declared":
            return self._declared_ns
        return measured_ns if self._parameters.infer == "measured" else next(self._replay)

    def describe(self) -> dict[str, Scalar]:
        """For the record: where the times come from, and whether a run can be repeated."""
        kind = self._parameters.infer
        facts: dict[str, Scalar] = {"infer": kind, "reproducible": kind != "measured"}
        if kind == "declared":
            facts["infer_us"] = self._parameters.infer_us
        if kind == "recorded":
            facts["recorded_inferences"] = len(self._recorded)
            facts["recorded_sha256"] = sha256_file(self._path)
        return facts
