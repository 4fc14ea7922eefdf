"""Random streams of an episode: one a purpose, so that what one sensor draws moves no other."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """The generator of what is called `names` in the episode with this seed, `seed` >= 0.

    It depends on seed and names alone, never on what else was drawn or built before it: a
    sensor added to a rig leaves the noise of the others as it was.
    """
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    words = [int.from_bytes(digest[at : at + 4], "little") for at in range(0, 16, 4)]
    return np.random.default_rng([seed, *words])
