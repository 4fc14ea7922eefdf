"""What a rig file may say of a hand (`parameters` of driver `inspire-hand`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.modbus.hand_table import FingerCalibration

_Newtons = Annotated[float, Field(gt=0)]


class HandParameters(BaseModel):
    """Schema of the table.

    `protocol` "eb90" is the maker's own and experimental. `unit` and `baud` override those of
    the model. `speed` is a fraction of the fingers' highest; `force_n` the threshold at which
    each of them stops, one for all or by name, the highest where it is not stated.
    `calibration` gives angles of this very hand. Without `read_effort`, a read is one trip in
    place of two and tells no forces. `clear_errors` lets `enable` clear what can be cleared.
    `answer_timeout_ms` is how long the hand may think.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: str = "rh56dfx"
    protocol: Literal["modbus", "eb90"] = "modbus"
    unit: int | None = Field(None, ge=1, le=247)
    baud: int | None = Field(None, gt=0)
    speed: float = Field(1.0, gt=0, le=1)
    force_n: _Newtons | dict[str, _Newtons] | None = None
    calibration: dict[str, FingerCalibration] = Field(default_factory=dict)
    read_effort: bool = True
    clear_errors: bool = False
    answer_timeout_ms: float = Field(50.0, gt=0, le=1000)
