"""`hil report`: the derived files again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def command(folder: Path) -> int:
    """Write verdict.json, report.html and junit.xml of the run in FOLDER again.

    They follow from the record alone, so a signed folder stays as it was signed. Refuses a
    record that is incomplete or was changed.
    """
    from hil.workflow import write_derived

    verdict = write_derived(folder)
    click.echo(f"{folder / 'report.html'}: {verdict.outcome}")
    return 0
