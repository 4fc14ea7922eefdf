"""Trains the gauge reader of `models/zoo/gauge-reading` from rendered gauges.

    python -m models.train.gauge_reading --out models/zoo/gauge-reading

needs the extra `train`. One thread and one seed: the same tool versions on the same processor
give the same weights. The network sees what the terminal sees: the archetype's own draws,
wider than a scenario may ask, compressed and decoded as at run time.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hil.task import Draw
from models.card import ImageInput
from models.runtime import Network, decode_image, runtime_version
from sim.tasks.gauge import SWEEP_DEG, ZERO_DEG
from sim.tasks.gauge_read import TASK, Parameters

SEED = 20_260_401
SIDE = 96
IMAGE = ImageInput(width=SIDE, height=SIDE, color="gray", scale=1 / 255)
INPUT, OUTPUT = "image", "reading"
OPSET = 17

TRAINING_RANGES = Parameters(
    frames=3,
    roll_deg=(-7.0, 7.0),
    tilt_deg=(0.0, 18.0),
    zoom=(0.75, 0.93),
    offset=(-0.08, 0.08),
    blur_px=(0.2, 1.4),
    glare=(0.0, 0.7),
    illumination=(0.45, 1.15),
    gradient=(0.0, 0.35),
    noise_levels=(0.5, 9.0),
    shake=0.03,
    shake_deg=1.0,
    jpeg_quality=75,
)


class GaugeNet(nn.Module):
    """Gray picture (n, 1, 96, 96) in 0..1 -> direction of the needle on the dial (n, 2), as
    sine and cosine. The picture's own mean and spread are taken out first."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, 16, 5, 2), *_block(16, 32, 3, 2), *_block(32, 48, 3, 2),
            *_block(48, 48, 3, 1), *_block(48, 64, 3, 2),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(64 * 36, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, picture: Tensor) -> Tensor:
        centred = picture - picture.mean(dim=(1, 2, 3), keepdim=True)
        spread = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        direction: Tensor = self.head(self.features(centred / (spread + 1e-3)))
        return direction


class Reader(nn.Module):
    """`GaugeNet` with the dial's geometry: the output is the fraction of full scale (n, 1)."""

    def __init__(self, net: GaugeNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> Tensor:
        sine, cosine = self.net(picture).unbind(dim=1)
        angle_deg = torch.atan2(sine, cosine) * (180 / np.pi)
        return ((angle_deg - ZERO_DEG) / SWEEP_DEG).unsqueeze(1)


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def render_set(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pictures (n, 96, 96) as the network gets them and fractions (n,), of `count` gauges."""
    pictures, fractions = [], []
    for index in range(count):
        draw = TASK.draw(TRAINING_RANGES, np.random.default_rng([seed, index]))
        for stimulus in TASK.stimuli(draw):
            tensor = decode_image(bytes(stimulus[INPUT]), IMAGE)
            pictures.append(np.rint(tensor[0, 0] * 255).astype(np.uint8))
            fractions.append(_fraction(draw))
    return np.stack(pictures), np.array(fractions, np.float32)


def train(
    pictures: NDArray[np.uint8], fractions: NDArray[np.float32], seed: int, epochs: int
) -> GaugeNet:
    """A trained network, on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    net = GaugeNet()
    batch = 64
    steps = epochs * (len(pictures) // batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    angle = torch.deg2rad(torch.from_numpy(ZERO_DEG + SWEEP_DEG * fractions))
    targets = torch.stack([angle.sin(), angle.cos()], dim=1)
    data = torch.from_numpy(pictures).unsqueeze(1)
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for chosen in _batches(len(data), batch):
            seen = _jitter(data[chosen].float() / 255)
            loss = nn.functional.smooth_l1_loss(net(seen), targets[chosen], beta=0.05)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        print(f"epoch {epoch + 1}/{epochs}: loss {total / (len(data) // batch):.5f}", flush=True)
    return net.eval()


def _batches(count: int, size: int) -> Iterator[Tensor]:
    order = torch.randperm(count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def _jitter(pictures: Tensor) -> Tensor:
    """Shift by whole pixels, fresh contrast and noise, so that no picture comes twice."""
    down, right = (int(torch.randint(-2, 3, ())) for _ in range(2))
    moved = torch.roll(pictures, (down, right), dims=(2, 3))
    gain = 0.85 + 0.3 * torch.rand(len(pictures), 1, 1, 1)
    return moved * gain + 0.012 * torch.randn_like(moved)


def export(net: GaugeNet, path: Path) -> None:
    """ONNX file with the dial's geometry inside, batch size free."""
    torch.onnx.export(
        Reader(net).eval(),
        (torch.zeros(1, 1, SIDE, SIDE),),
        str(path),
        input_names=[INPUT],
        output_names=[OUTPUT],
        opset_version=OPSET,
        dynamo=False,
    )


def episode_errors(
    network: Network, parameters: Parameters, count: int, seed: int
) -> NDArray[np.float64]:
    """Absolute errors of the median reading of `count` fresh gauges, shape (count,)."""
    errors = []
    for index in range(count):
        draw = TASK.draw(parameters, np.random.default_rng([seed, index]))
        readings = [
            TASK.reading(network.run(network.prepare(stimulus)))[0]
            for stimulus in TASK.stimuli(draw)
        ]
        errors.append(abs(float(np.median(readings)) - _fraction(draw)))
    return np.array(errors)


def _fraction(draw: Draw) -> float:
    gauge = draw["gauge"]
    if not isinstance(gauge, dict):
        raise TypeError("a draw of gauge-read has a table `gauge`")
    return float(gauge["value_fraction"])


def card_text(
    content: bytes, gauges: int, epochs: int, errors: NDArray[np.float64], tolerance: float
) -> str:
    """The model card, TOML."""
    successes = int(np.sum(errors <= tolerance))
    return f"""\
schema = 1
name = "gauge-reading"
title = "Reads a 270 degree pressure gauge from one picture"
file = "model.onnx"
sha256 = "{hashlib.sha256(content).hexdigest()}"
archetype = "gauge-read"
licence = "Apache-2.0"
normalisation = "inside the graph: the picture's mean and spread are taken out"
limits = \"\"\"
Trained and measured on rendered gauges alone; says nothing about photographs. One gauge fills
the picture, upright within 7 degrees and tilted by at most 18; the scale turns 270 degrees
clockwise from lower left, with one of three needle shapes. It has no answer for "no gauge".\"\"\"

[[inputs]]
name = "{INPUT}"

[inputs.source]
kind = "image"
width = {IMAGE.width}
height = {IMAGE.height}
color = "{IMAGE.color}"
scale = {IMAGE.scale!r}

[[outputs]]
name = "{OUTPUT}"
channels = ["fraction_of_full_scale"]

[provenance]
script = "models/train/gauge_reading.py"
seed = {SEED}
data = "{gauges} rendered gauges, {TRAINING_RANGES.frames} looks each, {epochs} epochs"

[provenance.tools]
python = "{platform.python_version()}"
torch = "{torch.__version__}"
opencv = "{cv2.__version__}"
numpy = "{np.__version__}"
onnxruntime = "{runtime_version().split()[-1]}"

# fresh gauges at the archetype's default ranges, compressed; the error is that of the median of
# {Parameters().frames} looks, as a fraction of full scale
[scores]
tolerance_fraction = {tolerance}
episodes = {len(errors)}
successes = {successes}
error_p50_fraction = {np.percentile(errors, 50):.5f}
error_p99_fraction = {np.percentile(errors, 99):.5f}
error_max_fraction = {errors.max():.5f}
"""


def main() -> None:
    """Render, train, export, measure, write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--gauges", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--test-gauges", type=int, default=2_000)
    options = parser.parse_args()
    begun = time.monotonic()
    pictures, fractions = render_set(options.gauges, SEED)
    print(f"{len(pictures)} pictures after {time.monotonic() - begun:.0f} s", flush=True)
    net = train(pictures, fractions, SEED, options.epochs)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "model.onnx"
    export(net, path)
    content = path.read_bytes()
    parameters = Parameters()
    network = Network(content, {INPUT: IMAGE.model_dump()})
    errors = episode_errors(network, parameters, options.test_gauges, SEED + 1)
    tolerance = parameters.tolerance_fraction
    card = card_text(content, options.gauges, options.epochs, errors, tolerance)
    (options.out / "card.toml").write_text(card, encoding="utf-8")
    print(
        f"{np.mean(errors <= tolerance):.4f} of {len(errors)} fresh gauges read within tolerance,"
    )
    print(f"largest error {errors.max():.4f}; {time.monotonic() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
