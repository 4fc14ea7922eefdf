"""What is signed: an in-toto Statement v1 with the predicate test-result v0.1.

Source: in-toto/attestation, spec/v1/statement.md and spec/predicates/test-result.md. Fields of
our own stand under `hilTestbed`; consumers ignore fields that they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hil.evidence.keys import keyid_of
from hil.evidence.names import MANIFEST
from hil.judge.model import Outcome, ScenarioVerdict, Verdict

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

FROM_THE_RUN = ("plan.json", "host.json", "ledger.jsonl", "verdict.json")
"""Files of the folder that the statement names by their own digest too."""


def build_statement(
    plan: Mapping[str, Any],
    verdict: Verdict,
    files: Mapping[str, str],
    manifest_sha256: str,
    public_key: str,
) -> dict[str, Any]:
    """The statement as plain data.

    `files` maps paths of the run folder to digests (as the manifest does), `public_key` is the
    signer's, 64 hexadecimal digits. Errors: KeyError, ValueError for a plan not of our form.
    """
    tests = [(scenario.id, test_result(scenario)) for scenario in verdict.scenarios]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            descriptor(MANIFEST, manifest_sha256),
            *(descriptor(f"models/{row['name']}", row["sha256"]) for row in plan["models"]),
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": run_result(verdict),
            "configuration": [
                *(descriptor(name, files[name]) for name in FROM_THE_RUN if name in files),
                descriptor(f"profiles/{plan['profile']['name']}", plan["profile"]["sha256"]),
                descriptor(f"rigs/{plan['rig']['name']}", plan["rig"]["sha256"]),
                *(descriptor(f"scenarios/{s.id}", s.sha256) for s in verdict.scenarios),
                descriptor(MANIFEST, manifest_sha256),
            ],
            "passedTests": [name for name, result in tests if result == "PASSED"],
            "warnedTests": [name for name, result in tests if result == "WARNED"],
            "failedTests": [name for name, result in tests if result == "FAILED"],
            "hilTestbed": _own_fields(plan, verdict, public_key),
        },
    }


def _own_fields(plan: Mapping[str, Any], verdict: Verdict, public_key: str) -> dict[str, Any]:
    return {
        "harness": dict(plan["harness"]),
        "outcome": verdict.outcome.value,
        "rigKind": verdict.rig_kind,
        "clock": verdict.clock,
        "planSha256": verdict.plan_sha256,
        "recordSha256": verdict.record_sha256,
        "claims": [
            {
                "scenario": scenario.id,
                "statement": claim.statement,
                "state": claim.state.value,
                "bound": claim.bound,
                "limit": claim.limit,
                "unit": claim.unit,
                "confidence": claim.confidence,
                "k": claim.count,
                "n": claim.total,
            }
            for scenario in verdict.scenarios
            for claim in scenario.claims
        ],
        "signer": signer_fields(public_key),
    }


def signer_fields(public_key: str) -> dict[str, str]:
    """Who signs, as far as the key can say: 64 hexadecimal digits and where it came from."""
    return {
        "keyid": keyid_of(public_key),
        "publicKey": public_key,
        "scheme": "ed25519",
        "issued": "self-issued",
    }


def run_result(verdict: Verdict) -> str:
    """in-toto's word for a run: PASSED, WARNED (passed, with claims skipped) or FAILED.

    Whatever is not shown counts as FAILED, so that nobody who reads only this word is misled;
    `hilTestbed.outcome` tells an inconclusive run from a failure.
    """
    if verdict.outcome is not Outcome.PASS:
        return "FAILED"
    warned = any(test_result(scenario) == "WARNED" for scenario in verdict.scenarios)
    return "WARNED" if warned else "PASSED"


def test_result(scenario: ScenarioVerdict) -> str:
    """in-toto's word for one scenario."""
    if scenario.outcome is not Outcome.PASS:
        return "FAILED"
    skipped = any(claim.state is Outcome.SKIPPED for claim in scenario.claims)
    return "WARNED" if skipped else "PASSED"


def descriptor(name: str, sha256: str) -> dict[str, Any]:
    """A thing by its name and digest (in-toto ResourceDescriptor)."""
    return {"name": name, "digest": {"sha256": sha256}}
