"""The kinds of elements that a test stand is made of: instruments and what they act through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from sim.scenery import artefacts, gauges, meters, timer


def instruments() -> Mapping[str, tuple[type[BaseModel], Callable[..., Any]]]:
    """Schema and builder of each by its kind, as `sim.scenery.kinds` takes them."""
    return {
        "artefact": (artefacts.ArtefactSpec, artefacts.Artefact),
        "gauge": (gauges.GaugeSpec, gauges.Gauge),
        "shaft": (meters.ShaftSpec, meters.Shaft),
        "timer": (timer.TimerSpec, timer.Timer),
        "tool-pose": (meters.ToolPoseSpec, meters.ToolPose),
    }
