"""Tables that describe sensors: what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from hil.contracts import FloatArray
from hil.errors import BadInput

NotNegative = Annotated[FiniteFloat, Field(ge=0)]
Positive = Annotated[FiniteFloat, Field(gt=0)]

PerLabel = FiniteFloat | tuple[FiniteFloat, ...]
"""One number for every label, or one a label in their order."""

SpreadPerLabel = NotNegative | tuple[NotNegative, ...]
"""The same, where none may be negative."""


class Table(BaseModel):
    """A table as a person writes it: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def spread(value: float | Sequence[float], count: int, what: str) -> FloatArray:
    """`value` as one number a label, (count,). Errors: BadInput where it has another length."""
    array = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if array.shape not in ((1,), (count,)):
        raise BadInput(
            f"{what}: {len(array)} numbers for {count} labels",
            "give one number for all labels, or one a label",
        )
    return np.array(np.broadcast_to(array, (count,)))
