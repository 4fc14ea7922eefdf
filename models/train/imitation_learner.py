"""The network of an imitated script: one perceptron that remembers how far it is.

It takes the observation that every archetype of manipulation has (`sim.tasks.kit.job`), whose
last number is what it handed on to itself, and answers the change of all targets and the number
to hand on. That number is given to the layers as a row of overlapping hats, so that what is done
may change sharply from one of the script's moves to the next.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.train.tools import exported

Table = NDArray[np.float32]
WIDTH = 192


class Learner(nn.Module):
    """From observation (n, m) to action (n, k) in -1 .. 1 and memory (n, 1) in 0 .. 1."""

    def __init__(self, observations: Table, joints: int, stages: int) -> None:
        super().__init__()
        plain = observations[:, :-1]
        self.register_buffer("mean", torch.from_numpy(plain.mean(axis=0)))
        scale = 1.0 / np.maximum(plain.std(axis=0), 1e-3)
        self.register_buffer("scale", torch.from_numpy(scale.astype(np.float32)))
        self.hats = 3 * stages + 1
        self.pace = 3.0 / stages
        """The most by which the memory moves in a tick."""
        self.register_buffer("places", torch.linspace(0.0, 1.0, self.hats))
        self.layers = nn.Sequential(
            nn.Linear(plain.shape[1] + self.hats, WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, joints + 1),
        )

    def forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, scale = self.get_buffer("mean"), self.get_buffer("scale")
        memory = observation[:, -1:]
        away = (memory - self.get_buffer("places")).abs() * (self.hats - 1)
        plain = ((observation[:, :-1] - mean) * scale).clamp(-5.0, 5.0)
        answer = self.layers(torch.cat([plain, (1.0 - away).clamp_min(0.0)], dim=1))
        action = answer[:, :-1].clamp(-1.0, 1.0)
        onward = (memory + self.pace * torch.tanh(answer[:, -1:])).clamp(0.0, 1.0)
        return action, onward


def export(learner: Learner) -> bytes:
    """ONNX bytes, opset 17, batch of one."""
    size = learner.get_buffer("mean").shape[0] + 1
    return exported(learner, size, ("action", "memory"))
