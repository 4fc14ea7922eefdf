"""From a recorded run to a signed folder: the one path that all doors share."""

from __future__ import annotations

from pathlib import Path

from hil.errors import DamagedRecord
from hil.evidence.bundle import sign_run
from hil.evidence.keys import load_or_create_key
from hil.evidence.names import MANIFEST, STATEMENTS
from hil.evidence.verify import check_files
from hil.judge.model import Verdict, verdict_json
from hil.judge.verdict import judge
from hil.record.reader import Run, open_run
from hil.report.write import DERIVED, write_report


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
    _write(run, verdict, folder)
    return verdict


def finish(folder: Path) -> Verdict:
    """Judge a fresh record, write verdict and reports, and sign everything."""
    run = open_run(folder)
    verdict = judge(run)
    key = load_or_create_key()
    _write(run, verdict, folder)
    sign_run(folder, run.plan, verdict, key)
    return verdict


def _write(run: Run, verdict: Verdict, folder: Path) -> None:
    (folder / "verdict.json").write_bytes(verdict_json(verdict))
    write_report(run, verdict, folder)


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
