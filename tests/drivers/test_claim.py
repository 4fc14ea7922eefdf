"""One owner a device."""

from __future__ import annotations

import subprocess
import sys

import pytest

from drivers.claim import Claim
from hil.errors import RigError

HOLDER = """
import sys
from drivers.claim import Claim
claim = Claim("a test's device", "device D")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_claim_is_refused_until_the_first_is_released() -> None:
    first = Claim("a test/1", "device 1")
    with pytest.raises(RigError, match="device 1 is in use by this process"):
        Claim("a test/1", "device 1")
    Claim("a test/2", "device 2").release()
    first.release()
    first.release()
    Claim("a test/1", "device 1").release()


def test_a_holder_is_named_and_its_claim_ends_with_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RigError, match=f"in use by pid {holder.pid}"):
            Claim("a test's device", "device D")
        holder.kill()
        holder.wait(10)
    Claim("a test's device", "device D").release()
