"""`hil`: finds the verb, and turns errors into exit codes.

Verbs are imported when they are called, so that help answers at once.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

import hil
from hil.errors import HilError

_VERBS = {
    "certify": "Run a profile on a rig, judge it, sign it and write the report.",
    "run": "Run one scenario on a rig, without certifying anything.",
    "ablate": "Run one scenario with and without each kind of its sensors.",
    "judge": "Judge a recorded run again, from its folder alone.",
    "verify": "Check every digest, the signature and the verdict of a run folder.",
    "report": "Write the report of a run folder again.",
    "scenarios": "List the scenarios and profiles, or show one.",
    "rigs": "List the rig files, or show one.",
    "bench": "Measure the testbed itself, against baselines.",
    "scan": "List every port of this host and what answers on it.",
    "conformance": "Check that a driver keeps what the contracts promise.",
    "check": "Look at every device of a rig: what is wrong, and what to do about it.",
    "twin": "Serve the emulated devices of a rig until Ctrl-C.",
    "agent": "Serve as AI terminal on a serial port.",
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        command: click.Command = import_module(f"hil.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hil.__version__, prog_name="hil")
def cli() -> None:
    """Testbed with hardware in the loop.

    Does this robot or AI terminal do this job, in time, safely, and how sure are we?
    `hil certify` answers on an emulated bench, with nothing connected.

    \b
    Exit codes: 0 pass, 1 fail, 2 bad input, 3 inconclusive or void,
                4 rig or harness error, or interrupted.
    """


def main() -> None:
    """Entry point of the `hil` command."""
    try:
        status = cli(standalone_mode=False)
    except HilError as error:
        click.echo(f"hil: {error.blame} error: {error}", err=True)
        status = error.exit_code
    except click.ClickException as error:
        error.show()
        status = 2
    except click.Abort:
        click.echo("hil: aborted", err=True)
        status = 4
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
