"""A unit served by pymodbus on one of two pseudo-terminals with a wire between them.

Run as a program: prints the path of the client's end, and ends when its standard input does.
Unit 5 has holding and input registers 0..99 (its own address in each), 100 coils (all off) and
100 discrete inputs (all on).
"""

from __future__ import annotations

import asyncio
import os
import select
import sys
import threading
import tty

from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

UNIT = 5
BAUD = 115_200


def wire(one: int, other: int) -> None:
    """Carry bytes both ways for ever."""
    across = {one: other, other: one}
    while True:
        for end in select.select([one, other], [], [])[0]:
            os.write(across[end], os.read(end, 4096))


def raw_terminal() -> tuple[int, str]:
    master, slave = os.openpty()
    tty.setraw(slave)
    return master, os.ttyname(slave)  # the slave stays open: clients come and go


async def serve(port: str) -> None:
    coils = SimData(0, values=[False] * 100, datatype=DataType.BITS)
    inputs = SimData(0, values=[True] * 100, datatype=DataType.BITS)
    words = SimData(0, values=list(range(100)), datatype=DataType.REGISTERS)
    unit = SimDevice(UNIT, simdata=([coils], [inputs], [words], [words]))
    server = ModbusSerialServer(unit, port=port, baudrate=BAUD)
    await server.serve_forever()


def main() -> None:
    (near, near_path), (far, far_path) = raw_terminal(), raw_terminal()
    threading.Thread(target=wire, args=(near, far), daemon=True).start()
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    print(near_path, flush=True)
    asyncio.run(serve(far_path))


if __name__ == "__main__":
    main()
