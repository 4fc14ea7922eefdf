"""What every emulator with a process of its own does: options, one line, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hil.errors import HilError

Options = TypeVar("Options", bound=BaseModel)


def run_program(
    arguments: list[str], options: type[Options], serve: Callable[[Options], Awaitable[None]]
) -> int:
    """Run `serve` with the options given as one argument of JSON; returns the exit code.

    Problems go to standard error. SIGINT is left to the parent.
    """
    if len(arguments) != 1:
        sys.stderr.write("one argument is wanted: the options as JSON\n")
        return 2
    try:
        given = options.model_validate_json(arguments[0])
    except ValidationError as error:
        sys.stderr.write(f"OPTIONS: {error}\n")
        return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(_finish(serve(given)))
    except HilError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return error.exit_code
    return 0


def announce(address: str) -> None:
    """Say where the emulator serves; nothing else is ever written to standard output."""
    sys.stdout.write(json.dumps({"port": address, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()


async def told_to_stop() -> None:
    """Wait for SIGTERM, or for the end of standard input where that is a pipe or socket."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    fd = sys.stdin.fileno()
    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        loop.add_reader(fd, lambda: None if os.read(fd, 4096) else told.set())
    try:
        await told.wait()
    finally:
        loop.remove_reader(fd)
        loop.remove_signal_handler(signal.SIGTERM)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """`work` beside what is inside; an error of it ends that."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        yield
        task.cancel()


async def _finish(serving: Awaitable[None]) -> None:
    """Serve; then give the connections that are open a turn to end in."""
    await serving
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*others, return_exceptions=True)
