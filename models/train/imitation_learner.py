"""The network of an imitated script: a fit of `models.train.imitation_fit` as a graph.

It takes the observation that `sim.tasks.kit.brief` describes and hands on to itself how far it is
in the story, how many ticks it has seen, and of what was seen the smoothed, the first, and what
there was when the move began.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from hil.contracts import FloatArray, IntArray
from models.train.imitation_fit import Fit
from models.train.imitation_story import FIRST_S, SMOOTH_S, Layout
from models.train.tools import exported

_MANY_TICKS = 1e6
_END = 1e-3
"""Of the last move: there the story stays."""


@dataclass(frozen=True)
class Shape:
    """Of an observation of `size` numbers at `rate_hz`."""

    layout: Layout
    size: int
    rate_hz: float


class Learner(nn.Module):
    """From observation (1, m) to reach (1, k) and memory (1, 2 + 3 n)."""

    def __init__(self, found: Fit, shape: Shape) -> None:
        super().__init__()
        self.layout, self.size, self.rate_hz = shape.layout, shape.size, shape.rate_hz
        knots = found.knots
        self.moves, self.answers = len(knots), found.weights.shape[2]
        self._keep("kept", found.features.kept)
        self._keep("turns", np.array(shape.layout.turns, dtype=np.int64))
        self._keep("centre", found.features.centre)
        self._keep("unit", found.features.unit)
        self._keep("left", found.features.pairs[:, 0])
        self._keep("right", found.features.pairs[:, 1])
        self._keep("weights", found.weights.reshape(len(found.weights), -1))
        self._keep("paces", found.paces)
        self._keep("lowest", np.log(found.shortest))
        self._keep("highest", np.log(found.longest))
        self._keep("owner", np.repeat(np.arange(self.moves), knots))
        self._keep("scale", np.repeat([max(1, n - 1) for n in knots], knots))
        self._keep("place", np.concatenate([np.arange(n) for n in knots]))
        self._keep("alone", np.repeat([float(n == 1) for n in knots], knots))
        self._keep("numbers", np.arange(self.moves))
        events = found.events
        self._keep("ended", np.array([float(one is not None) for one in events]))
        bounds = [0.0 if one is None else one.threshold for one in events]
        self._keep("threshold", np.array(bounds))
        filtered = shape.layout.filtered
        count = shape.layout.memory - 1 + 5 * (filtered.stop - filtered.start)
        signs = np.zeros((self.moves, count))
        for move, one in enumerate(events):
            if one is not None:
                signs[move, one.place] = one.sign
        self._keep("signs", signs)

    def _keep(self, name: str, value: FloatArray | IntArray) -> None:
        whole = name in {"kept", "left", "right", "turns"}
        kind = torch.int64 if whole else torch.float32
        self.register_buffer(name, torch.from_numpy(np.asarray(value)).to(kind))

    def forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        get, memory = self.get_buffer, self.layout.memory
        seen = observation[:, self.layout.filtered]
        asked = observation[:, self.layout.asked]
        count = self.layout.filtered.stop - self.layout.filtered.start
        progress, ticks = observation[:, memory : memory + 1], observation[:, memory + 1 :][:, :1]
        smooth = observation[:, memory + 2 : memory + 2 + count]
        first = observation[:, memory + 2 + count : memory + 2 + 2 * count]
        entry = observation[:, memory + 2 + 2 * count : memory + 2 + 3 * count]
        share = 1.0 / (ticks + 1.0)
        smooth = smooth + share.clamp_min(1.0 / (SMOOTH_S * self.rate_hz)) * (seen - smooth)
        entry = entry + (ticks < 0.5).to(torch.float32) * (seen - entry)
        early = (ticks < FIRST_S * self.rate_hz).to(torch.float32)
        first = first + early * share * (seen - first)
        turned = [part for one in (first, smooth) for part in self._quarters(one)]
        features = self._features(torch.cat([first, smooth, asked, *turned], dim=1))

        move = torch.floor(progress)
        part = progress - move
        away = (part * get("scale") - get("place")).abs()
        hats = torch.maximum((1.0 - away).clamp_min(0.0), get("alone"))
        hats = hats * ((get("owner") - move).abs() < 0.5).to(torch.float32)
        table = torch.matmul(hats, get("weights")).reshape(-1, self.answers)
        reach = torch.matmul(features, table)

        chosen = ((get("numbers") - move).abs() < 0.5).to(torch.float32)
        ticks_log = torch.matmul(features, torch.matmul(chosen, get("paces")).reshape(-1, 1))
        lowest = torch.matmul(chosen, get("lowest")[:, None])
        highest = torch.matmul(chosen, get("highest")[:, None])
        ticks_log = torch.minimum(torch.maximum(ticks_log, lowest), highest)
        onward = progress + torch.exp(-ticks_log)
        signs = torch.cat(
            [
                observation[:, : memory - 1],
                smooth,
                seen - first,
                seen - smooth,
                seen - entry,
                smooth - entry,
            ],
            dim=1,
        )
        sign = (signs * torch.matmul(chosen, get("signs"))).sum(dim=1, keepdim=True)
        fired = (sign >= torch.matmul(chosen, get("threshold")[:, None])).to(torch.float32)
        waits = torch.matmul(chosen, get("ended")[:, None])
        held = torch.minimum(onward, move + 1.0 - _END)
        onward = waits * (fired * (move + 1.0) + (1.0 - fired) * held) + (1.0 - waits) * onward
        onward = onward.clamp_max(self.moves - _END)
        begins = (torch.floor(onward) > move).to(torch.float32)
        entry = entry + begins * (seen - entry)
        seen_ticks = (ticks + 1.0).clamp_max(_MANY_TICKS)
        return reach, torch.cat([onward, seen_ticks, smooth, first, entry], dim=1)

    def _quarters(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        places = self.get_buffer("turns")
        x, y = torch.index_select(seen, 1, places), torch.index_select(seen, 1, places + 1)
        near = (x.abs() >= y.abs()).to(torch.float32)
        aside = near * y * torch.sign(x) - (1.0 - near) * x * torch.sign(y)
        return torch.maximum(x.abs(), y.abs()), aside

    def _features(self, raw: torch.Tensor) -> torch.Tensor:
        get = self.get_buffer
        plain = (torch.index_select(raw, 1, get("kept")) - get("centre")) / get("unit")
        both = torch.index_select(plain, 1, get("left")) * torch.index_select(
            plain, 1, get("right")
        )
        return torch.cat([torch.ones_like(raw[:, :1]), plain, both], dim=1)


def export(learner: Learner) -> bytes:
    """ONNX bytes, opset 17, batch of one."""
    return exported(learner, learner.size, ("reach", "memory"))
