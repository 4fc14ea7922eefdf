"""Damiao motors on a CAN bus behind an slcan adapter."""

from sim.emulated.damiao.chain import EMULATOR

__all__ = ["EMULATOR"]
