from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from hil.errors import BadInput
from hil.evidence.keys import key_path, keyid_of, load_or_create_key, trusted_keyid


def environ(folder: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(folder)}


def test_key_is_made_once_and_private(tmp_path: Path) -> None:
    first = load_or_create_key(environ(tmp_path))
    second = load_or_create_key(environ(tmp_path))
    assert (first.created, second.created) == (True, False)
    assert first.keyid == second.keyid == keyid_of(first.public_key)
    assert first.path == tmp_path / "hil-testbed" / "signing-key.pem"
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert first.path.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in first.path.parent.iterdir()] == ["signing-key.pem"]


def test_where_the_key_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    usual = tmp_path / ".config" / "hil-testbed" / "signing-key.pem"
    assert key_path({}) == usual
    assert key_path({"XDG_CONFIG_HOME": "relative"}) == usual
    assert key_path({"HIL_KEY_FILE": "/k.pem", "XDG_CONFIG_HOME": "/x"}) == Path("/k.pem")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = load_or_create_key(environ(tmp_path)).path
    path.chmod(mode)
    with pytest.raises(BadInput, match=r"others may read.*\n.*chmod 600"):
        load_or_create_key(environ(tmp_path))


def test_key_in_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = load_or_create_key(environ(tmp_path)).path
    path.parent.chmod(0o777)
    with pytest.raises(BadInput, match="others may write"):
        load_or_create_key(environ(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_key_of_another_user_is_refused(tmp_path: Path) -> None:
    path = load_or_create_key(environ(tmp_path)).path
    os.chown(path, 12345, -1)
    with pytest.raises(BadInput, match="belongs to user 12345"):
        load_or_create_key(environ(tmp_path))


def test_named_key_file_has_to_exist(tmp_path: Path) -> None:
    missing = tmp_path / "no.pem"
    with pytest.raises(BadInput, match="does not exist"):
        load_or_create_key({"HIL_KEY_FILE": str(missing)})
    assert not missing.exists()
    made = load_or_create_key(environ(tmp_path))
    named = load_or_create_key({"HIL_KEY_FILE": str(made.path)})
    assert named.keyid == made.keyid


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, b"-----BEGIN PRIVATE KEY-----\nAA\n"])
def test_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = load_or_create_key(environ(tmp_path)).path
    path.write_bytes(content)
    with pytest.raises(BadInput, match="not an unencrypted PEM private key"):
        load_or_create_key(environ(tmp_path))


def test_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = load_or_create_key(environ(tmp_path)).path
    other = generate_private_key(SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(BadInput, match="not an ed25519 key"):
        load_or_create_key(environ(tmp_path))


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "hil-testbed").write_text("a file in the way")
    with pytest.raises(BadInput, match="cannot be used"):
        load_or_create_key(environ(tmp_path))


def _use(folder: str, start: object, answers: object) -> None:
    start.wait(20)  # type: ignore[attr-defined]
    key = load_or_create_key({"XDG_CONFIG_HOME": folder})
    answers.put((key.keyid, key.created))  # type: ignore[attr-defined]


def test_first_use_by_many_processes_at_once_makes_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, answers = context.Event(), context.Queue()
    users = [context.Process(target=_use, args=(str(tmp_path), start, answers)) for _ in range(6)]
    for user in users:
        user.start()
    start.set()
    found = [answers.get(timeout=30) for _ in users]
    for user in users:
        user.join(timeout=30)
        assert user.exitcode == 0
        user.close()
    answers.close()
    answers.join_thread()
    assert len({keyid for keyid, _ in found}) == 1
    assert sum(created for _, created in found) == 1
    assert len(list((tmp_path / "hil-testbed").iterdir())) == 1


def test_keys_to_trust_are_named_by_id_or_by_file(tmp_path: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    keyid = keyid_of(public.public_bytes_raw().hex())
    path = tmp_path / "lab.pem"
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert trusted_keyid(keyid.upper()) == keyid
    assert trusted_keyid(str(path)) == keyid
    with pytest.raises(BadInput, match="is no key"):
        trusted_keyid("abc")
    other = generate_private_key(SECP256R1()).public_key()
    path.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(BadInput, match="not an ed25519 public key"):
        trusted_keyid(str(path))


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "AA" * 32, "zz" * 32, " " + "00" * 32])
def test_text_that_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        keyid_of(text)
