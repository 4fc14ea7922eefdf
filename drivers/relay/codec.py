"""Two families of relay boards: what is sent to switch and to ask, and what an answer says. Pure.

* `numato`: text, one command a line, echoed, with a prompt `>`. `relay on 0`, `relay read 0`
  answered by `on` or `off`; relays count from 0, above 9 by capital letters. Source: Numato Lab,
  user guide of the USB relay modules.
* `lcus`: four bytes `A0 channel state checksum` (checksum: low byte of the sum), channels from
  1; `FF` asks, and is answered by one line a channel, `CH1: ON`. Source: public descriptions of
  the LCUS-2 to LCUS-8 boards; boards of one relay do not answer and cannot be proved. Not tried
  on a board: experimental.
"""

from __future__ import annotations

import re
from typing import Literal, Protocol

Model = Literal["numato", "lcus"]

_STATE = re.compile(r"\s*CH\s*(\d+)\s*:\s*(ON|OFF)\s*", re.IGNORECASE)


class Board(Protocol):
    """How one family is spoken to. Channels count from 0."""

    @property
    def end(self) -> bytes:
        """Closes every command that is a line."""
        ...

    @property
    def trails(self) -> bool:
        """Whether an answer goes on, about other channels, after what was asked for."""
        ...

    def switch(self, channel: int, on: bool) -> bytes:
        """What to send to switch."""
        ...

    def ask(self, channel: int) -> bytes:
        """What to send to learn a channel's state."""
        ...

    def state(self, line: str, channel: int) -> bool | None:
        """What a line of the answer says of the channel; None where it says nothing."""
        ...


class Numato:
    """Boards that speak in lines of text."""

    end = b"\r"
    trails = False

    def switch(self, channel: int, on: bool) -> bytes:
        return f"relay {'on' if on else 'off'} {_place(channel)}\r".encode("ascii")

    def ask(self, channel: int) -> bytes:
        return f"relay read {_place(channel)}\r".encode("ascii")

    def state(self, line: str, channel: int) -> bool | None:
        """The echo of the question says nothing; `on` or `off` alone does."""
        return {"on": True, "off": False}.get(line.strip(" >\t").lower())


class Lcus:
    """Boards of four-byte commands."""

    end = b""
    trails = True

    def switch(self, channel: int, on: bool) -> bytes:
        body = bytes((0xA0, channel + 1, int(on)))
        return body + bytes((sum(body) & 0xFF,))

    def ask(self, channel: int) -> bytes:
        return b"\xff"

    def state(self, line: str, channel: int) -> bool | None:
        match = _STATE.fullmatch(line)
        if match is None or int(match.group(1)) != channel + 1:
            return None
        return match.group(2).upper() == "ON"


def board(model: Model) -> Board:
    """The family by its name."""
    return Numato() if model == "numato" else Lcus()


def _place(channel: int) -> str:
    return str(channel) if channel < 10 else chr(ord("A") + channel - 10)
