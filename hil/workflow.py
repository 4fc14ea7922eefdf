"""From a recorded run to a signed folder: the one path that all doors share."""

from __future__ import annotations

from pathlib import Path

from hil.evidence.bundle import sign_folder
from hil.evidence.keys import load_or_create_key
from hil.evidence.manifest import check_record
from hil.judge.model import Verdict, verdict_json
from hil.judge.verdict import judge
from hil.record.reader import open_run
from hil.report.write import write_report


def judge_folder(folder: Path) -> Verdict:
    """Judge a run from its record alone.

    Errors: DamagedRecord naming the file when the record is incomplete or differs from its
    own digests or from the manifest of the signed bundle.
    """
    run = open_run(folder)
    check_record(folder)
    return judge(run)


def finish(folder: Path) -> Verdict:
    """Judge a fresh record, write verdict and reports, and sign everything."""
    run = open_run(folder)
    verdict = judge(run)
    key = load_or_create_key()
    (folder / "verdict.json").write_bytes(verdict_json(verdict))
    write_report(run, verdict, folder)
    sign_folder(folder, run, verdict, key)
    return verdict
