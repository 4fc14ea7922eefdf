"""`hil verify`: can this run folder be believed?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command("verify")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Key id, or PEM file of a public key, that must have signed. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(folder: Path, keys: tuple[str, ...], as_json: bool) -> int:
    """Check every digest, the signature and the verdict of the run in FOLDER.

    Needs no rig and no network. Names every file that is changed, missing or not expected.
    Exit code 0 when nothing is wrong, whatever the verdict, else 1.
    """
    from hil.evidence.keys import trusted_keyid
    from hil.evidence.verify import verify

    found = verify(folder, [trusted_keyid(key) for key in keys])
    if as_json:
        click.echo(json.dumps({"ok": found.ok, **asdict(found)}, indent=2))
        return found.exit_code
    for problem in found.problems:
        click.echo(f"BAD  {problem}")
    for note in found.notes:
        click.echo(f"note {note}")
    if found.ok:
        click.echo(f"ok   {found.files} files are as signed; the verdict is {found.outcome}")
    else:
        click.echo(f"\n{folder} cannot be believed: {len(found.problems)} problem(s)")
    return found.exit_code
