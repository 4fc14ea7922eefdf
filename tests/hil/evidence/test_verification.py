from __future__ import annotations

import base64
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_builder import TASKS, Knobs, build_run
from securesystemslib.dsse import Envelope

from hil.canonical import canonical_json, sha256_bytes
from hil.errors import BadInput, DamagedRecord
from hil.evidence.bundle import open_statements, sign_run
from hil.evidence.keys import SigningKey, load_or_create_key
from hil.evidence.manifest import build_manifest, parse_manifest
from hil.evidence.statement import build_statement
from hil.evidence.verify import Verification, verify
from hil.judge.model import Outcome, verdict_json
from hil.judge.verdict import judge
from hil.record.reader import open_run

STATEMENTS = "statements.intoto.jsonl"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return load_or_create_key({"XDG_CONFIG_HOME": str(tmp_path_factory.mktemp("config"))})


def signed_run(folder: Path, key: SigningKey, **knobs: Any) -> Path:
    run = build_run(folder, Knobs(**{"episodes": 2, "ticks": 6, **knobs}))
    verdict = judge(run, TASKS)
    (folder / "verdict.json").write_bytes(verdict_json(verdict))
    (folder / "report.html").write_text("<!doctype html><p>report</p>\n")
    (folder / "junit.xml").write_text("<testsuites/>\n")
    sign_run(folder, run.plan, verdict, key)
    return folder


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, key: SigningKey) -> Path:
    return signed_run(tmp_path_factory.mktemp("runs") / "run", key)


@pytest.fixture
def run_folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "run"))


def check(folder: Path, *trusted: str) -> Verification:
    return verify(folder, trusted, TASKS)


def named(result: Verification) -> list[str]:
    return [problem.file for problem in result.problems]


def test_folder_as_signed_verifies(pristine: Path, key: SigningKey) -> None:
    result = check(pristine)
    assert (result.ok, result.exit_code, result.problems) == (True, 0, ())
    assert result.outcome == "INCONCLUSIVE"
    assert [signer.keyid for signer in result.signers] == [key.keyid]
    assert "self-issued" in result.notes[0]
    pinned = check(pristine, key.keyid)
    assert pinned.signers[0].trusted
    assert "self-issued" not in pinned.notes[0]


def test_pinning_another_key_fails(pristine: Path) -> None:
    result = check(pristine, "0" * 64)
    assert named(result) == [STATEMENTS]
    assert result.exit_code == 1


def every_file(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture(scope="module")
def scratch(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(pristine, tmp_path_factory.mktemp("scratch") / "run"))


def test_a_changed_byte_in_any_file_is_found_and_the_file_named(scratch: Path) -> None:
    names = every_file(scratch)
    assert len(names) > 15

    @settings(deadline=None, max_examples=6)
    @given(st.data())
    def changed(data: st.DataObject) -> None:
        for name in names:
            path = scratch / name
            whole = path.read_bytes()
            if not whole:
                continue
            at = data.draw(st.integers(0, len(whole) - 1))
            flip = data.draw(st.integers(1, 255))
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            result = check(scratch)
            path.write_bytes(whole)
            assert name in named(result)
            assert result.exit_code == 1

    changed()
    assert check(scratch).ok


@pytest.mark.parametrize("name", [STATEMENTS, "manifest.json"])
def test_every_single_byte_of_the_evidence_itself_matters(scratch: Path, name: str) -> None:
    path = scratch / name
    whole = path.read_bytes()
    step = max(1, len(whole) // 150)
    for at in range(0, len(whole), step):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        found = named(check(scratch))
        assert name in found, f"byte {at}"
    path.write_bytes(whole)
    assert check(scratch).ok


@pytest.mark.parametrize("tail", [b"\n", b" ", b"{}\n", b"\x00"])
@pytest.mark.parametrize("name", [STATEMENTS, "manifest.json", "verdict.json", "report.html"])
def test_appended_bytes_are_found(run_folder: Path, name: str, tail: bytes) -> None:
    with (run_folder / name).open("ab") as stream:
        stream.write(tail)
    assert name in named(check(run_folder))


def test_missing_file_is_named(pristine: Path, tmp_path: Path) -> None:
    for number, name in enumerate(every_file(pristine)):
        copy = Path(shutil.copytree(pristine, tmp_path / str(number)))
        (copy / name).unlink()
        assert name in named(check(copy))


def test_added_file_is_named(run_folder: Path) -> None:
    (run_folder / "episodes" / "0003.txt").write_text("")
    assert named(check(run_folder)) == ["episodes/0003.txt"]


def test_links_and_pipes_are_never_opened(run_folder: Path) -> None:
    os.mkfifo(run_folder / "pipe")
    (run_folder / "outside").symlink_to("/etc")
    (run_folder / "report.html").unlink()
    (run_folder / "report.html").symlink_to("/etc/hostname")
    assert {"pipe", "outside", "report.html"} <= set(named(check(run_folder)))
    (run_folder / STATEMENTS).unlink()
    os.mkfifo(run_folder / STATEMENTS)
    assert STATEMENTS in named(check(run_folder))


def test_name_that_is_not_text_is_named_and_not_a_crash(run_folder: Path) -> None:
    with open(os.fsencode(run_folder) + b"/\xff\xfe", "wb") as stream:
        stream.write(b"x")
    result = check(run_folder)
    assert result.exit_code == 1
    assert "unprintable" in str(result.problems[0])
    "".join(map(str, result.problems)).encode()
    with pytest.raises(DamagedRecord, match="unprintable"):
        build_manifest(run_folder)


GARBAGE = [
    b"",
    b"\n",
    b"\xff\xfe\x00garbage",
    b"{",
    b"[]\n",
    b"null\n",
    b'{"payload":1,"payloadType":2,"signatures":3}\n',
    b'{"payload":"e30=","payloadType":"x","signatures":[]}\n',
    b'{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{}]}\n',
    b'{"schema":1,"files":[{"path":1,"sha256":2,"bytes":3}]}\n',
    b"[" * 100_000,
    b"9" * 10_000,
]


@pytest.mark.parametrize("content", GARBAGE)
@pytest.mark.parametrize(
    "name", [STATEMENTS, "manifest.json", "plan.json", "ledger.jsonl", "verdict.json"]
)
def test_garbage_is_named_and_never_a_crash(run_folder: Path, name: str, content: bytes) -> None:
    (run_folder / name).write_bytes(content)
    assert name in named(check(run_folder))


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_garbage_statements_raise_nothing_but_value_errors(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"line|no statement"):
        open_statements(content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["payload", "payloadType", "signatures", "keyid", "sig", "predicate"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(json_values)
def test_json_of_another_form_raises_nothing_but_value_errors(value: Any) -> None:
    with pytest.raises(ValueError, match="line"):
        open_statements(canonical_json(value))
    with pytest.raises(ValueError, match="manifest"):
        parse_manifest(canonical_json(value))


def envelope_of(folder: Path) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads((folder / STATEMENTS).read_bytes())
    return envelope


def test_unauthenticated_fields_cannot_be_changed(run_folder: Path) -> None:
    for change in (
        lambda e: e["signatures"][0].update(keyid="0" * 64),
        lambda e: e["signatures"][0].update(note="hello"),
        lambda e: e.update(note="hello"),
        lambda e: e["signatures"].append({"keyid": "1" * 64, "sig": "AAAA"}),
    ):
        envelope = envelope_of(run_folder)
        change(envelope)
        with pytest.raises(ValueError, match="line 1"):
            open_statements(canonical_json(envelope))


def test_signature_of_another_key_under_this_name_is_refused(
    run_folder: Path, tmp_path: Path, key: SigningKey
) -> None:
    other = load_or_create_key({"XDG_CONFIG_HOME": str(tmp_path)})
    payload = base64.b64decode(envelope_of(run_folder)["payload"])
    forged = Envelope(payload, "application/vnd.in-toto+json", {})
    forged.sign(other.signer)
    line = canonical_json(forged.to_dict())
    with pytest.raises(ValueError, match="signature does not hold"):
        open_statements(line.replace(other.keyid.encode(), key.keyid.encode()))


def test_second_signer_of_the_same_run_is_accepted_and_a_doubled_one_is_not(
    run_folder: Path, tmp_path: Path, key: SigningKey
) -> None:
    first = (run_folder / STATEMENTS).read_bytes()
    witness = load_or_create_key({"XDG_CONFIG_HOME": str(tmp_path)})
    plan = json.loads((run_folder / "plan.json").read_bytes())
    sign_run(run_folder, plan, judge(open_run(run_folder), TASKS), witness)
    second = (run_folder / STATEMENTS).read_bytes()
    (run_folder / STATEMENTS).write_bytes(first + second)
    result = check(run_folder, witness.keyid)
    assert result.ok
    assert [signer.trusted for signer in result.signers] == [False, True]
    (run_folder / STATEMENTS).write_bytes(first + first)
    assert named(check(run_folder)) == [STATEMENTS]


def test_verdict_written_by_hand_and_signed_is_found(tmp_path: Path, key: SigningKey) -> None:
    folder = signed_run(tmp_path / "run", key)
    run = open_run(folder)
    verdict = judge(run, TASKS)
    lie = (folder / "verdict.json").read_bytes().replace(b'"INCONCLUSIVE"', b'"PASS"')
    (folder / "verdict.json").write_bytes(lie)
    sign_run(folder, run.plan, verdict, key)
    result = check(folder)
    assert named(result) == ["verdict.json"]
    assert "judged again" in str(result.problems[0])


def test_result_signed_against_the_record_is_found(tmp_path: Path, key: SigningKey) -> None:
    folder = signed_run(tmp_path / "run", key)
    run = open_run(folder)
    lie = replace(judge(run, TASKS), outcome=Outcome.PASS)
    sign_run(folder, run.plan, lie, key)
    assert named(check(folder)) == [STATEMENTS]


def test_signed_record_that_cannot_be_judged_is_a_finding(tmp_path: Path, key: SigningKey) -> None:
    folder = signed_run(tmp_path / "run", key)
    result = verify(folder, (), {"another": TASKS["lamp"]})
    assert named(result) == ["verdict.json"]
    assert "cannot be made again" in str(result.problems[0])


def test_folder_without_evidence_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    build_run(folder, Knobs(episodes=1, ticks=3))
    whole = check(folder)
    assert {STATEMENTS, "manifest.json"} <= set(named(whole))
    assert "agrees with its own ledger" in whole.notes[-1]
    ledger = folder / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    cut = check(folder)
    assert "ledger.jsonl" in cut.notes[-1]
    assert "damaged" in cut.notes[-1]
    with pytest.raises(BadInput, match="cannot be read"):
        check(tmp_path / "nowhere")


@pytest.fixture
def statement(pristine: Path) -> Any:
    return json.loads(base64.b64decode(envelope_of(pristine)["payload"]))


def test_statement_has_the_form_of_in_toto(pristine: Path, statement: dict[str, Any]) -> None:
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert all(len(s["digest"]["sha256"]) == 64 for s in statement["subject"])
    manifest = sha256_bytes((pristine / "manifest.json").read_bytes())
    assert statement["subject"][0] == {"name": "manifest.json", "digest": {"sha256": manifest}}
    assert statement["subject"][1]["name"] == "models/press-switch"
    predicate = statement["predicate"]
    names = [c["name"] for c in predicate["configuration"]]
    assert {"plan.json", "host.json", "rigs/twin-lamp", "scenarios/lamp-press"} <= set(names)
    assert predicate["result"] == "FAILED"
    assert predicate["failedTests"] == ["lamp-press"]
    assert predicate["hilTestbed"]["outcome"] == "INCONCLUSIVE"
    assert predicate["hilTestbed"]["signer"]["issued"] == "self-issued"


@pytest.mark.parametrize(
    ("knobs", "result", "tests"),
    [
        ({"episodes": 14}, "PASSED", "passedTests"),
        ({"episodes": 14, "virtual": True, "kind": "sim"}, "WARNED", "warnedTests"),
        ({"episodes": 14, "failures": (1,)}, "FAILED", "failedTests"),
        ({"episodes": 14, "unsafe": True}, "FAILED", "passedTests"),
    ],
)
def test_words_of_in_toto(tmp_path: Path, knobs: dict[str, Any], result: str, tests: str) -> None:
    run = build_run(tmp_path / "run", Knobs(ticks=12, **knobs))
    predicate = build_statement(run.plan, judge(run, TASKS), {}, "0" * 64, "00" * 32)["predicate"]
    assert predicate["result"] == result
    assert predicate[tests] == ["lamp-press"]
