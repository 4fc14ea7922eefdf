"""From a recorded run to a signed folder: the one path that all doors share."""

from __future__ import annotations

from pathlib import Path

from hil.errors import DamagedRecord
from hil.evidence.bundle import sign_run
from hil.evidence.keys import SigningKey
from hil.evidence.names import MANIFEST, STATEMENTS
from hil.evidence.verify import check_files
from hil.judge.model import Verdict
from hil.judge.verdict import judge
from hil.record.reader import Run, open_run
from hil.report.view import Signer
from hil.report.write import DERIVED, signer_of, write_report


def judge_folder(folder: Path) -> Verdict:
    """Judge a run from its record alone.

    Errors: DamagedRecord naming the file when the record is incomplete, or when the folder was
    signed and any file differs from what was signed.
    """
    return judge(_open(folder))


def write_derived(folder: Path) -> Verdict:
    """Judge a run again and write verdict and reports. Errors: as `judge_folder`."""
    run = _open(folder)
    verdict = judge(run)
    write_report(run, verdict, folder, signer_of(folder))
    return verdict


def finish(folder: Path, key: SigningKey) -> Verdict:
    """Judge a fresh record, write verdict and reports, and sign everything with `key`."""
    run = open_run(folder)
    verdict = judge(run)
    write_report(run, verdict, folder, Signer(key.keyid))
    sign_run(folder, run.plan, verdict, key)
    return verdict


def _open(folder: Path) -> Run:
    """The record of a folder. What follows from it may be missing, but nothing may differ."""
    run = open_run(folder)
    if (folder / MANIFEST).exists() or (folder / STATEMENTS).exists():
        wrong = [
            problem
            for problem in check_files(folder)
            if (folder / problem.file).exists() or problem.file not in DERIVED
        ]
        if wrong:
            listed = "; ".join(map(str, wrong))
            raise DamagedRecord(f"{folder} is not what was signed: {listed}", "see `hil verify`")
    return run
