"""Feed a codec mutated streams: `python tests/fuzz/run.py FAMILY --bytes N [--seed S]`.

FAMILY is a name of `fuzz_targets.TARGETS`, or `all`. Good streams are joined, mutated and cut into
pieces at random, all of it from the seed, so that a run can be repeated; what is found is
printed with the seed of its round. The codec must not raise, must not keep more than its bound,
and the process must not grow. Exit code 1 where one of these fails.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fuzz_targets import TARGETS, Target

ROUND_BYTES = 20_000
"""Bytes that one instance of a codec is fed."""

_LONGEST_PIECE = 700
_GROWTH_KIB = 32 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did: bytes fed, the most that was kept, growth of the process, and faults."""

    fed: int
    most_kept: int
    grown_kib: int
    faults: tuple[str, ...]


def fuzz(target: Target, data: bytes, rng: random.Random) -> int:
    """Feed `data` to a fresh codec in random pieces; returns the most bytes that it kept.

    Whatever the codec raises comes through.
    """
    codec = target.make()
    most = 0
    at = 0
    while at < len(data):
        size = rng.randint(1, _LONGEST_PIECE) if rng.random() < 0.5 else rng.randint(1, 12)
        codec.feed(data[at : at + size])
        most = max(most, codec.pending)
        at += size
        if rng.random() < 0.01:
            codec.finish()
    codec.finish()
    return most


def mutated(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """A stream of good, spoiled and senseless pieces."""
    out = bytearray()
    while len(out) < ROUND_BYTES:
        piece = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((0, 0, 1, 1, 2, 8))):
            _mutate(piece, seeds, rng)
        out += piece
    return bytes(out)


def _mutate(piece: bytearray, seeds: Sequence[bytes], rng: random.Random) -> None:
    """One change: a bit, a byte, a cut, a copy, an insertion, another piece."""
    at = rng.randrange(len(piece) + 1)
    kind = rng.randrange(7)
    if kind == 0 and piece:
        piece[at % len(piece)] ^= 1 << rng.randrange(8)
    elif kind == 1 and piece:
        piece[at % len(piece)] = rng.choice((0x00, 0xFF, 0xFD, 0xFE, rng.randrange(256)))
    elif kind == 2:
        del piece[at : at + rng.randint(1, 8)]
    elif kind == 3:
        piece[at:at] = piece[: rng.randint(0, 16)]
    elif kind == 4:
        piece[at:at] = rng.randbytes(rng.randint(1, 16))
    elif kind == 5:
        piece[at:at] = bytes((0xFF, 0xFF, 0xFD)) * rng.randint(1, 4)
    else:
        other = rng.choice(seeds)
        piece[at:] = other[rng.randrange(len(other)) :]


def rounds(total: int, seed: int) -> Iterator[tuple[int, random.Random]]:
    """A source of chance for each round, by the seed of the round."""
    for number in range(-(-total // ROUND_BYTES)):
        yield seed + number, random.Random(seed + number)


def attack(target: Target, total: int, seed: int) -> Report:
    """At least `total` bytes against one target."""
    seeds = target.seeds()
    fed = most = 0
    faults: list[str] = []
    start_kib = 0
    for number, rng in rounds(total, seed):
        data = mutated(seeds, rng)
        try:
            most = max(most, fuzz(target, data, rng))
        except Exception as error:  # noqa: BLE001 - anything a codec raises is what is looked for
            faults.append(f"seed {number}: {type(error).__name__}: {error}")
            break
        fed += len(data)
        start_kib = start_kib or _resident_kib()  # caches are full by now
    grown_kib = _resident_kib() - start_kib
    if most > target.most_kept:
        faults.append(f"kept {most} bytes, more than {target.most_kept}")
    if start_kib and grown_kib > _GROWTH_KIB:
        faults.append(f"the process grew by {grown_kib} KiB")
    return Report(fed, most, grown_kib, tuple(faults))


def _resident_kib() -> int:
    """The most memory that the process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    """Entry of the program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("family", choices=["all", *TARGETS])
    parser.add_argument("--bytes", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    names = list(TARGETS) if chosen.family == "all" else [chosen.family]
    failed = False
    for name in names:
        began = time.monotonic()
        report = attack(TARGETS[name], chosen.bytes, chosen.seed)
        took = time.monotonic() - began
        print(
            f"{name}: {report.fed} bytes in {took:.0f} s, kept at most {report.most_kept},"
            f" process grew by {report.grown_kib} KiB, {len(report.faults) or 'no'} faults"
        )
        for fault in report.faults:
            failed = True
            print(f"  {fault}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
