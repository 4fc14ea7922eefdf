"""One file of the catalogue, on standard output."""

from __future__ import annotations

from pathlib import Path

import click
from pydantic import BaseModel


def show(content: BaseModel, path: Path, *, as_json: bool) -> None:
    """Print a checked file: as it was written, under its path, or as JSON what it means, with
    the defaults of what it leaves out."""
    if as_json:
        click.echo(content.model_dump_json(by_alias=True, exclude_none=True, indent=2))
    else:
        click.echo(f"# {path}\n{path.read_text()}", nl=False)
