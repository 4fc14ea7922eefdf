"""The network `in-hand-yaw`: one small perceptron for all four fingers of a hand.

All fingers do alike, each on its own side of the cube, so one set of weights serves them all.
What it is given of a finger is worked out inside the graph from the observation that every
archetype of manipulation has (`sim.tasks.kit.job`): where the fingertips were sent, how far the
joints are behind, how the cube lies to this finger, and how far it has to be turned, the shorter
way round.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.train.tools import exported
from sim.robots.hand4 import PLAN, hand

Table = NDArray[np.float32]

NAMES = hand().names
POSE = ("x_m", "y_m", "z_m", "qx", "qy", "qz", "qw")
OBSERVATION = (
    *(f"{name}.position_rad" for name in NAMES),
    *(f"{name}.target_less_position_rad" for name in NAMES),
    *(f"cube.{part}" for part in POSE),
    *(f"goal.{part}" for part in POSE),
    "elapsed_s",
    "memory",
)
ACTION = tuple(f"{name}.change_share" for name in NAMES)
WIDTH = 160
FINGERS = PLAN.fingers


class Learner(nn.Module):
    """From observation (n, 48) to the change of targets as shares of the limit (n, 16)."""

    def __init__(self) -> None:
        super().__init__()
        azimuth = torch.arange(FINGERS) * (2 * math.pi / FINGERS)
        self.register_buffer("cosines", torch.cos(azimuth))
        self.register_buffer("sines", torch.sin(azimuth))
        self.register_buffer("lengths", torch.tensor(PLAN.lengths))
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))
        self.layers = nn.Sequential()

    def fit_to(self, observations: Table) -> None:
        """Take scales from observations, and make the layers anew."""
        with torch.no_grad():
            rows = self.features(torch.from_numpy(observations)).flatten(0, 1)
        self.mean = rows.mean(dim=0)
        self.scale = 1.0 / rows.std(dim=0).clamp_min(1e-3)
        widths = [rows.shape[1], WIDTH, WIDTH, WIDTH]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(WIDTH, 4), nn.Tanh())

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        mean, scale = self.get_buffer("mean"), self.get_buffer("scale")
        rows = (self.features(observation) - mean) * scale
        answer: torch.Tensor = self.layers(rows)
        return answer.flatten(1)

    def features(self, observation: torch.Tensor) -> torch.Tensor:
        """(n, 4, m): a row for each finger."""
        position, lag = observation[:, :16], observation[:, 16:32]
        cube, goal = observation[:, 32:39], observation[:, 39:46]
        target = (position + lag).reshape(-1, FINGERS, 4)
        lag = lag.reshape(-1, FINGERS, 4)
        together = target.mean(dim=1)
        shared = torch.cat([_yaws(cube, goal, self._tip(together)), together], dim=1)
        own = torch.cat([target - together[:, None], lag, self._aside(cube)], dim=2)
        return torch.cat([own, shared[:, None].expand(-1, FINGERS, -1)], dim=2)

    def _tip(self, joints: torch.Tensor) -> torch.Tensor:
        """Radius in m, bearing in rad and height in m over the knuckle of the tip (n, 3) that
        joints (n, 4) bring about."""
        lengths = self.get_buffer("lengths")
        first, second = joints[:, 1], joints[:, 1] + joints[:, 2]
        lean = torch.stack([first, second, second + joints[:, 3]], dim=1)
        up = (lengths * torch.cos(lean)).sum(dim=1)
        along = PLAN.radius - (lengths * torch.sin(lean)).sum(dim=1)
        aside = up * torch.sin(joints[:, 0])
        radius = torch.sqrt(along * along + aside * aside)
        height = up * torch.cos(joints[:, 0])
        return torch.stack([radius, torch.atan(aside / along.clamp_min(0.005)), height], dim=1)

    def _aside(self, cube: torch.Tensor) -> torch.Tensor:
        """Where the cube is, and how it leans, as each finger sees it (n, 4, 5)."""
        cosine, sine = self.get_buffer("cosines"), self.get_buffer("sines")
        x, y, z, qx, qy, qz, qw = (part[:, None] for part in cube.split(1, dim=1))
        x, y, z = x[..., 0], y[..., 0], z[..., 0]
        lean_x = 2 * (qx * qz + qw * qy)[..., 0]
        lean_y = 2 * (qy * qz - qw * qx)[..., 0]
        level = (z - PLAN.palm_height).expand(-1, FINGERS)
        return torch.stack(
            [
                x * cosine + y * sine,
                y * cosine - x * sine,
                lean_x * cosine + lean_y * sine,
                lean_y * cosine - lean_x * sine,
                level,
            ],
            dim=2,
        )


def _yaws(cube: torch.Tensor, goal: torch.Tensor, tip: torch.Tensor) -> torch.Tensor:
    """What counts of the yaws (n, 11): what is left the shorter way round, in rad and as sine
    and cosine; the cube's faces as seen from the fingertips and from the fingers' feet, as sine
    and cosine of four times the angle; where the tips were sent."""
    sine, cosine = _turn(cube)
    goal_sine, goal_cosine = _turn(goal)
    left_sine = goal_sine * cosine - goal_cosine * sine
    left_cosine = goal_cosine * cosine + goal_sine * sine
    left = 2 * torch.atan(left_sine / (1.0 + left_cosine).clamp_min(1e-4))
    for _ in range(2):
        sine, cosine = 2 * sine * cosine, cosine * cosine - sine * sine
    ahead_sine, ahead_cosine = torch.sin(4 * tip[:, 1]), torch.cos(4 * tip[:, 1])
    columns = [
        left,
        left.clamp(-0.2, 0.2),
        left_sine,
        left_cosine,
        sine,
        cosine,
        sine * ahead_cosine - cosine * ahead_sine,
        cosine * ahead_cosine + sine * ahead_sine,
    ]
    return torch.cat([torch.stack(columns, dim=1), tip], dim=1)


def _turn(pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sine and cosine of the yaw of poses (n, 7), normalised."""
    x, y, z, w = pose[:, 3], pose[:, 4], pose[:, 5], pose[:, 6]
    sine, cosine = 2 * (w * z + x * y), 1 - 2 * (y * y + z * z)
    size = torch.sqrt(sine * sine + cosine * cosine).clamp_min(1e-4)
    return sine / size, cosine / size


def export(learner: Learner) -> bytes:
    """ONNX bytes, opset 17, batch of one."""
    return exported(learner, len(OBSERVATION))
