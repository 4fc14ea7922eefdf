"""Shared memory between the capture process and whoever asks."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from drivers.camera.mailbox import SLOTS, Account, Inbox, Memory, Note, Outbox, lay_out
from hil.contracts import NEVER
from hil.errors import BadInput, HarnessError

WIDTH, HEIGHT = 320, 240

# every picture is of one value, the index of its frame; written as fast as it goes
WRITER = f"""
import sys
from drivers.camera.mailbox import Account, Note, Outbox, lay_out
box = Outbox(lay_out(int(sys.argv[1]), {WIDTH}, {HEIGHT}), int(sys.argv[2]))
for index in range(int(sys.argv[3])):
    box.blank()[:] = index % 251
    box.publish(Note(index, -1, index, 0, False), Account(frames=index + 1))
"""


@pytest.fixture
def fds() -> Iterator[tuple[int, int]]:
    pair = (os.memfd_create("test"), os.eventfd(0, os.EFD_NONBLOCK))
    yield pair
    for fd in pair:
        os.close(fd)


def note(index: int) -> Note:
    return Note(stamp_ns=index * 10, device_ns=NEVER, index=index, missed=index % 3, repeated=False)


def test_the_newest_frame_and_its_account_come_through(fds: tuple[int, int]) -> None:
    memory = lay_out(fds[0], 4, 3)
    outbox, inbox = Outbox(memory, fds[1]), Inbox(Memory(fds[0], 4, 3), fds[1])
    assert inbox.take(NEVER) is None
    assert np.isnan(inbox.account().rate_hz)
    assert inbox.account().last_ns == NEVER
    for index in range(7):
        outbox.blank()[:] = index
        outbox.publish(note(index), Account(frames=index + 1, wrong=(8, 9), rate_hz=12.5))
    found = inbox.take(5)
    assert found is not None
    assert found[0] == note(6)
    assert found[1].shape == (3, 4, 3)
    assert (found[1] == 6).all()
    assert inbox.account() == Account(frames=7, wrong=(8, 9), rate_hz=12.5)
    assert inbox.take(6) is None


def test_what_was_taken_is_a_copy(fds: tuple[int, int]) -> None:
    memory = lay_out(fds[0], 4, 3)
    outbox, inbox = Outbox(memory, fds[1]), Inbox(memory, fds[1])
    outbox.blank()[:] = 1
    outbox.publish(note(0), Account())
    found = inbox.take(NEVER)
    assert found is not None
    for index in range(1, 2 * SLOTS):
        outbox.blank()[:] = 9
        outbox.publish(note(index), Account())
    assert (found[1] == 1).all()


def test_wakes_and_settles(fds: tuple[int, int]) -> None:
    memory = lay_out(fds[0], 4, 3)
    outbox, inbox = Outbox(memory, fds[1]), Inbox(memory, fds[1])
    inbox.settle()
    assert not select.select([fds[1]], [], [], 0)[0]
    outbox.tell(Account(broken=1))
    assert select.select([fds[1]], [], [], 0)[0]
    inbox.settle()
    assert not select.select([fds[1]], [], [], 0)[0]
    assert inbox.account().broken == 1


def test_memory_of_another_size_is_refused(fds: tuple[int, int]) -> None:
    for width, height in ((0, 5), (100_000, 100_000)):
        with pytest.raises(BadInput, match="not possible"):
            lay_out(fds[0], width, height)
    lay_out(fds[0], 4, 3)
    with pytest.raises(HarnessError, match="5 x 3"):
        Memory(fds[0], 5, 3)


def test_no_picture_is_torn_under_a_writer_that_never_pauses(fds: tuple[int, int]) -> None:
    count = 3000
    command = [sys.executable, "-c", WRITER, *map(str, fds), str(count)]
    with subprocess.Popen(command, pass_fds=fds) as writer:
        assert select.select([fds[1]], [], [], 30)[0]
        inbox = Inbox(Memory(fds[0], WIDTH, HEIGHT), fds[1])
        last, taken = NEVER, 0
        while last < count - 1 and select.select([fds[1]], [], [], 30)[0]:
            inbox.settle()
            found = inbox.take(last)
            if found is None:
                continue
            row, picture = found
            assert (picture == row.index % 251).all()
            assert row.index > last
            last, taken = row.index, taken + 1
        assert writer.wait(30) == 0
    assert last == count - 1
    assert taken > 1
