"""Signing a run folder: manifest, then one DSSE envelope a line.

Source: secure-systems-lab/dsse, protocol.md and envelope.md, v1.0.2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Signature  # type: ignore[attr-defined]

from hil.canonical import canonical_json, sha256_bytes
from hil.errors import BadInput
from hil.evidence.keys import SigningKey, verifier
from hil.evidence.manifest import build_manifest, parse_manifest
from hil.evidence.names import MANIFEST, STATEMENTS
from hil.evidence.statement import PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, build_statement
from hil.judge.model import Verdict


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement whose signature holds under the key that it names itself."""

    statement: Mapping[str, Any]
    payload: bytes
    public_key: str
    keyid: str


def sign_run(folder: Path, plan: Mapping[str, Any], verdict: Verdict, key: SigningKey) -> Path:
    """Write `manifest.json` and `statements.intoto.jsonl`; every other file has to be there.

    Evidence that exists is made anew, so that a report written again can be signed again.
    Returns the path of the statements. Errors: BadInput, DamagedRecord.
    """
    manifest = build_manifest(folder)
    statement = build_statement(
        plan, verdict, parse_manifest(manifest), sha256_bytes(manifest), key.public_key
    )
    line = sign_statement(statement, key)
    try:
        (folder / MANIFEST).write_bytes(manifest)
        (folder / STATEMENTS).write_bytes(line)
    except OSError as error:
        raise BadInput(f"{folder}: evidence cannot be written: {error.strerror}") from error
    return folder / STATEMENTS


def sign_statement(statement: Mapping[str, Any], key: SigningKey) -> bytes:
    """A statement in a DSSE envelope: one line of a `.intoto.jsonl` file."""
    envelope = Envelope(canonical_json(statement), PAYLOAD_TYPE, {})
    envelope.sign(key.signer)
    return canonical_json(envelope.to_dict())


def open_statements(content: bytes) -> list[Signed]:
    """Check the signature of every line.

    Not one byte is left unauthenticated: key id, white space and unknown fields have to be as
    `sign_run` writes them. Errors: ValueError naming the line and what is wrong with it.
    """
    lines = content.splitlines(keepends=True)
    if not lines:
        raise ValueError("holds no statement")
    found: list[Signed] = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(_open_line(line))
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"line {number}: not a signed statement ({type(error).__name__})"
            ) from error
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if len({signed.keyid for signed in found}) != len(found):
        raise ValueError("one key has signed twice")
    return found


def _open_line(line: bytes) -> Signed:
    envelope = Envelope.from_dict(json.loads(line))
    statement = json.loads(envelope.payload)
    if canonical_json(statement) != envelope.payload:
        raise ValueError("the statement is not written as this testbed writes it")
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ValueError(f"the payload type is not {PAYLOAD_TYPE}")
    if (statement["_type"], statement["predicateType"]) != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise ValueError("not a test result of in-toto")
    key = verifier(statement["predicate"]["hilTestbed"]["signer"]["publicKey"])
    try:
        envelope.verify([key], 1)
    except VerificationError as error:
        raise ValueError("the signature does not hold") from error
    signature = Signature(key.keyid, envelope.signatures[key.keyid].signature)
    plain = Envelope(envelope.payload, PAYLOAD_TYPE, {key.keyid: signature})
    if canonical_json(plain.to_dict()) != line:
        raise ValueError("the envelope is not written as this testbed writes it")
    return Signed(statement, envelope.payload, str(key.keyval["public"]), str(key.keyid))
