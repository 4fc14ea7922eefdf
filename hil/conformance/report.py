"""What the suite found, for a build server and for a stranger: JUnit, and a signed statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import hil
from hil.canonical import canonical_json, sha256_bytes
from hil.conformance.model import Result, State
from hil.errors import BadInput
from hil.evidence.bundle import sign_statement
from hil.evidence.keys import SigningKey
from hil.evidence.statement import PREDICATE_TYPE, STATEMENT_TYPE, descriptor, signer_fields
from hil.report.junit import clean, counted, written

RESULTS, JUNIT, STATEMENTS = "conformance.json", "junit.xml", "statements.intoto.jsonl"


@dataclass(frozen=True, slots=True)
class About:
    """What was checked: the driver and where its code comes from, the rig and its digest."""

    driver: str
    package: str
    role: str
    rig: str
    rig_kind: str
    rig_sha256: str
    grace_ms: float


def conforms(results: Sequence[Result]) -> bool:
    """Whether no check failed, and at least one was passed."""
    states = {result.state for result in results}
    return State.FAIL not in states and State.PASS in states


def as_data(about: About, results: Sequence[Result], host: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as plain data: content of `conformance.json`."""
    return {
        "schema": 1,
        "harness": {"name": "hil-testbed", "version": hil.__version__},
        "about": asdict(about),
        "conforms": conforms(results),
        "checks": [asdict(result) | {"state": result.state.value} for result in results],
        "host": dict(host),
    }


def junit(about: About, results: Sequence[Result]) -> str:
    """One suite, one case a check."""
    root = ElementTree.Element("testsuites", name=clean(f"conformance of {about.driver}"))
    suite = ElementTree.SubElement(root, "testsuite", name=clean(about.driver))
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=clean(f"conformance.{about.driver}"),
            name=clean(f"{result.name}: {result.promise}"),
            time=f"{result.took_s:.3f}",
        )
        if result.state is not State.PASS:
            tag = "skipped" if result.state is State.SKIPPED else "failure"
            ElementTree.SubElement(case, tag, message=clean(result.detail))
    counted(suite)
    return written(root)


def write(
    folder: Path,
    about: About,
    results: Sequence[Result],
    host: Mapping[str, Any],
    key: SigningKey,
) -> None:
    """Write results, JUnit file and signed statement into a new folder.

    Errors: BadInput where the folder is there already or cannot be written.
    """
    content = canonical_json(as_data(about, results, host))
    line = sign_statement(_statement(about, results, content, key.public_key), key)
    try:
        folder.mkdir(parents=True)
        (folder / RESULTS).write_bytes(content)
        (folder / JUNIT).write_text(junit(about, results), encoding="utf-8")
        (folder / STATEMENTS).write_bytes(line)
    except FileExistsError as error:
        raise BadInput(f"{folder} is there already", "name a new folder by --out") from error
    except OSError as error:
        raise BadInput(f"{folder} cannot be written: {error.strerror}") from error


def _statement(
    about: About, results: Sequence[Result], content: bytes, public_key: str
) -> dict[str, Any]:
    def named(state: State) -> list[str]:
        return [result.name for result in results if result.state is state]

    digest = sha256_bytes(content)
    skipped = bool(named(State.SKIPPED))
    good = "WARNED" if skipped else "PASSED"
    return {
        "_type": STATEMENT_TYPE,
        "subject": [descriptor(RESULTS, digest)],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": good if conforms(results) else "FAILED",
            "configuration": [
                descriptor(RESULTS, digest),
                descriptor(f"rigs/{about.rig}", about.rig_sha256),
            ],
            "passedTests": named(State.PASS),
            "warnedTests": named(State.SKIPPED),
            "failedTests": named(State.FAIL),
            "hilTestbed": {
                "harness": {"name": "hil-testbed", "version": hil.__version__},
                "conformance": asdict(about),
                "signer": signer_fields(public_key),
            },
        },
    }
