"""Writes what is derived from a record into its folder; deleting and writing again gives the
same bytes."""

from __future__ import annotations

from pathlib import Path

from hil.errors import BadInput, DamagedRecord
from hil.evidence.bundle import open_statements
from hil.evidence.names import STATEMENTS, VERDICT
from hil.judge.model import Verdict, verdict_json
from hil.record.reader import Run
from hil.report.html import render_html
from hil.report.junit import render_junit
from hil.report.view import Signer

REPORT, JUNIT = "report.html", "junit.xml"
DERIVED = (VERDICT, REPORT, JUNIT)
"""Files that follow from the record: deleted, they can be written again with the same bytes."""


def write_report(
    run: Run, verdict: Verdict, folder: Path, signer: Signer | None = None
) -> list[Path]:
    """Write `verdict.json`, `report.html` and `junit.xml`; returns their paths.

    `signer` is whose key signs the folder afterwards; the report names it.

    Evidence made earlier covers the old bytes: sign again afterwards. Errors: BadInput.
    """
    contents = {
        VERDICT: verdict_json(verdict),
        REPORT: render_html(run, verdict, signer).encode(),
        JUNIT: render_junit(verdict).encode(),
    }
    try:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise BadInput(f"{folder}: the report cannot be written: {error.strerror}") from error
    return [folder / name for name in contents]


def signer_of(folder: Path) -> Signer | None:
    """Whose key signed a run folder, so that its report can be written again as it was signed;
    None where nobody did.

    Errors: DamagedRecord where the statements were changed.
    """
    path = folder / STATEMENTS
    if not path.is_file():
        return None
    try:
        return Signer(open_statements(path.read_bytes())[0].keyid)
    except ValueError as error:
        raise DamagedRecord(
            f"{path}: {error}", "delete it to write a report that says it is not signed"
        ) from error
