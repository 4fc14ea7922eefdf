"""Verification: is this folder, byte for byte, what was signed, and does it judge the same?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hil.canonical import canonical_json, sha256_bytes, sha256_file
from hil.errors import BadInput, HilError
from hil.evidence.bundle import Signed, open_statements
from hil.evidence.manifest import parse_manifest, read_tree
from hil.evidence.names import MANIFEST, STATEMENTS, VERDICT
from hil.evidence.statement import build_statement
from hil.judge.model import verdict_json
from hil.judge.scoring import Scorer
from hil.judge.verdict import judge
from hil.record.reader import open_run

_GARBAGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What code that expects a record of our form may raise on one that only looks like it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and the file (relative to the run folder) it is wrong with."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass(frozen=True, slots=True)
class SignedBy:
    """One signature that holds. `trusted` is true where the reader pinned its key."""

    keyid: str
    public_key: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. `notes` say what the reader should know though nothing is wrong."""

    problems: tuple[Problem, ...]
    signers: tuple[SignedBy, ...]
    files: int
    outcome: str | None
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def exit_code(self) -> int:
        """0 where nothing is wrong, else 1."""
        return 0 if self.ok else 1


def verify(
    folder: Path,
    trusted_keys: Sequence[str] = (),
    tasks: Mapping[str, Scorer] | None = None,
) -> Verification:
    """Check signature, manifest, every file, and judge the record again.

    Args:
        trusted_keys: key ids that the reader pins; then one of them must have signed.
        tasks: scorers by archetype; by default those of the installed packages.

    Errors: BadInput where `folder` is not a readable folder. Whatever is wrong inside it is a
    `Problem`, not an error.
    """
    with _readable(folder):
        checked = _check(folder)
        problems = list(checked.problems)
        signers = tuple(
            SignedBy(one.keyid, one.public_key, one.keyid in trusted_keys) for one in checked.signed
        )
        if signers and trusted_keys and not any(signer.trusted for signer in signers):
            names = ", ".join(signer.keyid for signer in signers)
            problems.append(Problem(STATEMENTS, f"signed by {names}, not by a key you named"))
        outcome = None
        notes = [_origin(signer) for signer in signers]
        if problems:
            notes.append("Not judged again, because the folder is not what was signed.")
            if checked.listed is None and not checked.strange:
                notes.append(_against_its_ledger(folder))
        else:
            outcome, differs = _rejudge(folder, checked, tasks)
            problems += differs
    return Verification(tuple(problems), signers, checked.files, outcome, tuple(notes))


def check_files(folder: Path) -> tuple[Problem, ...]:
    """Signature, manifest and every file, without judging again. Errors: BadInput."""
    with _readable(folder):
        return _check(folder).problems


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{error.filename or folder}: cannot be read: {error.strerror}",
            "name the folder of a run that you may read",
        ) from error


@dataclass(frozen=True, slots=True)
class _Checked:
    """Outcome of the checks of bytes. `listed` is None where no manifest can be believed."""

    problems: tuple[Problem, ...]
    signed: Sequence[Signed]
    listed: Mapping[str, str] | None
    strange: Mapping[str, str]
    files: int


def _check(folder: Path) -> _Checked:
    tree = read_tree(folder)
    strange = [Problem(name, f"unexpected: {what}") for name, what in tree.strange.items()]
    signed, forged = _statements(folder, tree.strange)
    listed, broken = _manifest(folder, tree.strange, signed)
    found = {name: sha256_file(path) for name, path in tree.files.items()}
    problems = (*forged, *broken, *strange, *_compare(listed, found))
    return _Checked(problems, signed, listed, tree.strange, len(found))


def _origin(signer: SignedBy) -> str:
    if signer.trusted:
        return f"Signed by key {signer.keyid}, which you named as trusted."
    return (
        f"Signed by key {signer.keyid}, self-issued: made by whoever ran the test. It shows that"
        " nothing changed since, not who they are; name a key you know to check that too."
    )


def _read(folder: Path, name: str, strange: Mapping[str, str]) -> bytes | None:
    """Content of a file, None where there is none; never opens what is not a plain file."""
    path = folder / name
    return path.read_bytes() if name not in strange and path.is_file() else None


def _statements(folder: Path, strange: Mapping[str, str]) -> tuple[list[Signed], list[Problem]]:
    content = _read(folder, STATEMENTS, strange)
    if content is None:
        return [], [Problem(STATEMENTS, "missing: nobody signed this folder")]
    try:
        return open_statements(content), []
    except ValueError as error:
        return [], [Problem(STATEMENTS, f"changed or not signed: {error}")]


def _manifest(
    folder: Path, strange: Mapping[str, str], signed: Sequence[Signed]
) -> tuple[dict[str, str] | None, list[Problem]]:
    """Listed digests, None where the list itself cannot be believed."""
    content = _read(folder, MANIFEST, strange)
    if content is None:
        return None, [Problem(MANIFEST, "missing")]
    if any(_manifest_digest(one) != sha256_bytes(content) for one in signed):
        return None, [Problem(MANIFEST, "changed: it is not the manifest that was signed")]
    try:
        return parse_manifest(content), []
    except ValueError as error:
        return None, [Problem(MANIFEST, f"changed: {error}")]


def _manifest_digest(signed: Signed) -> str | None:
    for subject in signed.statement.get("subject") or ():
        if isinstance(subject, dict) and subject.get("name") == MANIFEST:
            digest = subject.get("digest")
            return str(digest.get("sha256")) if isinstance(digest, dict) else None
    return None


def _compare(listed: Mapping[str, str] | None, found: Mapping[str, str]) -> list[Problem]:
    if listed is None:
        return []
    problems = []
    for name in sorted({*listed, *found}):
        if name not in found:
            problems.append(Problem(name, "missing"))
        elif name not in listed:
            problems.append(Problem(name, "unexpected: it was not there when the run was signed"))
        elif listed[name] != found[name]:
            problems.append(Problem(name, "changed: its SHA-256 is not the one that was signed"))
    return problems


def _against_its_ledger(folder: Path) -> str:
    """What can be said of a record without a manifest to believe: its ledger has digests too."""
    try:
        open_run(folder)
    except HilError as error:
        return f"By its own ledger, the record is damaged: {error.message}"
    except _GARBAGE as error:
        return f"The ledger cannot be read: {type(error).__name__}: {error}"
    return "The record agrees with its own ledger, but anybody could have written both."


def _rejudge(
    folder: Path, checked: _Checked, tasks: Mapping[str, Scorer] | None
) -> tuple[str | None, list[Problem]]:
    """Judge the record again and compare the bytes of verdict and statements."""
    listed, signed = checked.listed or {}, checked.signed
    try:
        run = open_run(folder)
        verdict = judge(run, tasks)
        expected = [
            canonical_json(
                build_statement(
                    run.plan, verdict, listed, str(_manifest_digest(one)), one.public_key
                )
            )
            for one in signed
        ]
    except HilError as error:
        return None, [Problem(VERDICT, f"cannot be made again: {error.message}")]
    except _GARBAGE as error:
        what = f"{type(error).__name__}: {error}"
        return None, [Problem(VERDICT, f"cannot be made again from this record: {what}")]
    problems = []
    if VERDICT not in listed:
        problems.append(Problem(VERDICT, "missing: nobody signed a verdict"))
    elif (folder / VERDICT).read_bytes() != verdict_json(verdict):
        problems.append(Problem(VERDICT, "not what the record says when it is judged again"))
    if any(one.payload != payload for one, payload in zip(signed, expected, strict=True)):
        problems.append(Problem(STATEMENTS, "the signed result is not what the record says"))
    return verdict.outcome.value, problems
