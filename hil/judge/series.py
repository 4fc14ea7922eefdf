"""What a claim on ticks takes for one sample: a tick, an episode's maximum, a block's maximum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hil.judge.samples import UNANSWERED, EpisodeTiming, IntArray, each, pooled
from scenarios.schema import LatencyClaim, MissesClaim


def series(
    claim: LatencyClaim | MissesClaim,
    metric: str,
    episodes: Sequence[EpisodeTiming],
    rate_hz: float,
) -> IntArray:
    """Samples of a claim in the order of time, ns."""
    if claim.sample == "tick":
        return pooled(episodes, metric)
    if claim.sample == "episode":
        return episode_maxima(episodes, metric)
    return block_maxima(episodes, metric, claim.block_length(rate_hz))


def episode_maxima(episodes: Sequence[EpisodeTiming], metric: str) -> NDArray[np.int64]:
    """Longest time of each episode, ns. An episode in which the device gave up counts as
    unanswered, since its longest time was cut off; so does one without a sample."""
    return np.array(
        [
            UNANSWERED if episode.cut_short or not len(samples) else int(samples.max())
            for episode, samples in zip(episodes, each(episodes, metric), strict=True)
        ],
        dtype=np.int64,
    )


def block_maxima(episodes: Sequence[EpisodeTiming], metric: str, length: int) -> IntArray:
    """Longest time in each block of `length` samples in a row, ns, shape (samples // length,).

    Blocks run over the ends of episodes, in the order in which these were planned, so that no
    sample is left out: what is left after the last block belongs to it. Where the device gave
    up, one sample that never came stands at the end of the episode.

    If at least q of all blocks hold no sample beyond a bound, at least q of all samples are
    within it, however the samples of a block depend on each other: the share of late samples
    is the mean over blocks of the share in each, which is at most 1 in the blocks that hold
    one, and 0 in the others.
    """
    parts: list[IntArray] = []
    for episode, samples in zip(episodes, each(episodes, metric), strict=True):
        parts.append(samples)
        if episode.cut_short:
            parts.append(np.array([UNANSWERED], dtype=np.int64))
    maxima, rest = [], np.empty(0, dtype=np.int64)
    for part in parts:
        joined = np.concatenate([rest, part]) if len(rest) else part
        whole = len(joined) // length * length
        maxima.append(joined[:whole].reshape(-1, length).max(axis=1))
        rest = joined[whole:].astype(np.int64)
    blocks = np.concatenate(maxima) if maxima else rest
    if len(blocks) and len(rest):
        blocks = blocks.astype(np.int64)
        blocks[-1] = max(int(blocks[-1]), int(rest.max()))
    return blocks if maxima else np.empty(0, dtype=np.int64)
