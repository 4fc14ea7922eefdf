"""What a rig file may say of a chain of Damiao motors (`parameters` of `damiao-chain`)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.can.bus import BusSettings
from drivers.damiao.bridge import BAUD as BRIDGE_BAUD
from drivers.damiao.robots import JointSettings

_SLCAN_BAUD = 115_200


class ChainParameters(BaseModel):
    """Schema of the table.

    `robot` is a known robot or a TOML file beside the rig file; `joints` changes signs, offsets
    and gains of single joints. `adapter` says what the serial port leads to, and is not looked
    at where the port is can:INTERFACE:CHANNEL. `baud` is that of the serial line: the bridge
    needs 921600, most slcan adapters are USB devices to which it means nothing. With
    `data_bit_rate` all frames are FD with bit rate switch; the motors must be set to it.
    `answer_timeout_ms` is how long motors may take beyond the time on the bus; it should be
    shorter than a tick.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    robot: str = Field(min_length=1)
    joints: dict[str, JointSettings] = Field(default_factory=dict)
    adapter: Literal["slcan", "damiao-bridge"] = "slcan"
    baud: int | None = Field(None, gt=0)
    bit_rate: int = Field(1_000_000, gt=0)
    data_bit_rate: int | None = Field(None, gt=0)
    answer_timeout_ms: float = Field(5.0, gt=0, le=1000)

    @property
    def line_baud(self) -> int:
        """Rate of the serial line, bit/s."""
        usual = BRIDGE_BAUD if self.adapter == "damiao-bridge" else _SLCAN_BAUD
        return usual if self.baud is None else self.baud

    @property
    def bus(self) -> BusSettings:
        """Rates of the CAN bus."""
        return BusSettings(self.bit_rate, self.data_bit_rate)
