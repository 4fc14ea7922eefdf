"""Calls of libraries that have no time limit, or one of their own, made to keep a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from hil.clock import Deadline
from hil.errors import DeadlineMissed

T = TypeVar("T")


def within(deadline: Deadline, what: str, call: Callable[[], T], abandon: Callable[[T], None]) -> T:
    """The result of `call`, made in a thread of its own.

    Where it is not there in time, `abandon` gets it when it comes. Errors: those of `call`;
    DeadlineMissed, naming `what`.
    """
    outcome: Future[T] = Future()
    thread = threading.Thread(target=_serve, args=(outcome, call, abandon), daemon=True)
    thread.start()
    try:
        return outcome.result(deadline.remaining_s())
    except TimeoutError:
        if outcome.done() or not outcome.cancel():
            return outcome.result()  # it came, or failed in this way, at the last moment
        raise DeadlineMissed(f"{what} took longer than it had") from None


def _serve(outcome: Future[T], call: Callable[[], T], abandon: Callable[[T], None]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001  it is raised again where it is waited for
        if outcome.set_running_or_notify_cancel():
            outcome.set_exception(error)
        return
    if outcome.set_running_or_notify_cancel():
        outcome.set_result(result)
    else:
        abandon(result)
