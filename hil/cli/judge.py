"""`hil judge`: the verdict again, from the record alone."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("judge")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print exactly what verdict.json holds.")
def command(folder: Path, as_json: bool) -> int:
    """Judge the run in FOLDER again, from its record alone, and write nothing.

    Refuses a record that is incomplete or was changed. The exit code is the verdict's.
    """
    from rich.console import Console

    from hil.judge.model import verdict_json
    from hil.report.table import print_table
    from hil.workflow import judge_folder

    verdict = judge_folder(folder)
    if as_json:
        click.echo(verdict_json(verdict).decode(), nl=False)
    else:
        print_table(verdict, Console(highlight=False))
    return verdict.exit_code
