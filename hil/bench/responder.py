"""A peer at the end of a pseudo-terminal that gives the same answers again and again.

`python -m hil.bench.responder REQUEST_BYTES DELAY_US ANSWER_HEX...` prints one line of JSON,
{"port": ...}, and sends the next answer whenever so many bytes have come in, the delay later.
It knows no protocol, so that it costs every contestant the same. The end of standard input
ends it.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
import tty
from collections.abc import Sequence
from itertools import cycle

_CHUNK = 4096


def answer_all(request_bytes: int, delay_us: float, answers: Sequence[bytes]) -> None:
    """Serve until the end of standard input."""
    near, slave = os.openpty()  # the slave stays open, so that clients may come and go
    tty.setraw(slave)
    print(json.dumps({"port": os.ttyname(slave)}), flush=True)
    received = 0
    turns = cycle(answers)
    while True:
        ready, _, _ = select.select([near, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        received += len(os.read(near, _CHUNK))
        while received >= request_bytes:
            received -= request_bytes
            if delay_us:
                time.sleep(delay_us / 1e6)
            os.write(near, next(turns))


def main(request_bytes: str, delay_us: str, *answers: str) -> None:
    """Entry of the process."""
    answer_all(int(request_bytes), float(delay_us), [bytes.fromhex(one) for one in answers])


if __name__ == "__main__":
    main(*sys.argv[1:])
