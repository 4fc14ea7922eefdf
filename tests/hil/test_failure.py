"""What was taken is let go of where the rest fails, and only there."""

from __future__ import annotations

import pytest

from hil.errors import DeviceFault
from hil.failure import on_failure


def test_nothing_is_undone_where_all_goes_well() -> None:
    done: list[str] = []
    with on_failure(lambda: done.append("undone")):
        done.append("step")
    assert done == ["step"]


@pytest.mark.parametrize("error", [DeviceFault("broken"), KeyboardInterrupt(), GeneratorExit()])
def test_any_end_undoes_and_is_raised_as_it_is(error: BaseException) -> None:
    done: list[str] = []
    with pytest.raises(type(error)) as caught, on_failure(lambda: done.append("undone")):
        raise error
    assert caught.value is error
    assert done == ["undone"]


def test_what_was_taken_last_is_let_go_of_first() -> None:
    done: list[str] = []
    with (
        pytest.raises(DeviceFault),
        on_failure(lambda: done.append("first taken")),
        on_failure(lambda: done.append("last taken")),
    ):
        raise DeviceFault("broken")
    assert done == ["last taken", "first taken"]


def test_an_undo_that_fails_does_not_hide_the_first_error_nor_stop_the_next() -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError("cannot be closed")

    with (
        pytest.raises(DeviceFault, match="broken") as caught,
        on_failure(lambda: done.append("undone")),
        on_failure(fail),
    ):
        raise DeviceFault("broken")
    assert done == ["undone"]
    (note,) = caught.value.__notes__
    assert "OSError('cannot be closed')" in note


def test_a_request_to_stop_during_the_undo_is_heard() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), on_failure(interrupted):
        raise DeviceFault("broken")
