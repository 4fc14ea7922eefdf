"""Signing keys: one ed25519 key a user, made on first use and never shown to others."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]

from hil.errors import BadInput

KEY_FILE = "signing-key.pem"
KEY_FILE_VARIABLE = "HIL_KEY_FILE"
_LARGEST_KEY_FILE = 10_000


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key ready for use. `created` is true where this call made it."""

    signer: CryptoSigner
    path: Path
    created: bool

    @property
    def public_key(self) -> str:
        """32 bytes in hexadecimal."""
        return str(self.signer.public_key.keyval["public"])

    @property
    def keyid(self) -> str:
        """SHA-256 of the 32 bytes of the public key, hexadecimal."""
        return str(self.signer.public_key.keyid)


def keyid_of(public_key: str) -> str:
    """Key id of a public key given as 64 hexadecimal digits. Errors: ValueError."""
    raw = bytes.fromhex(public_key)
    if len(raw) != 32 or raw.hex() != public_key:
        raise ValueError("an ed25519 public key is 64 lower-case hexadecimal digits")
    return hashlib.sha256(raw).hexdigest()


def verifier(public_key: str) -> SSlibKey:
    """Key object for checking signatures. Errors: ValueError."""
    return SSlibKey(keyid_of(public_key), "ed25519", "ed25519", {"public": public_key})


def key_path(environ: Mapping[str, str]) -> Path:
    """Where the key of this user stands: `HIL_KEY_FILE`, else in the configuration folder."""
    named = environ.get(KEY_FILE_VARIABLE)
    if named:
        return Path(named)
    configured = environ.get("XDG_CONFIG_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    base = Path(configured) if os.path.isabs(configured) else Path.home() / ".config"
    return base / "hil-testbed" / KEY_FILE


def load_or_create_key(environ: Mapping[str, str] | None = None) -> SigningKey:
    """The user's key; made on first use (file mode 0600 in a folder of mode 0700).

    Several processes may do this at the same time: one of them makes the key, all use it. A
    file named by `HIL_KEY_FILE` must exist. Errors: BadInput with a remedy.
    """
    variables = os.environ if environ is None else environ
    path = key_path(variables)
    created = False
    try:
        if not path.exists():
            if variables.get(KEY_FILE_VARIABLE):
                raise BadInput(
                    f"{KEY_FILE_VARIABLE} names {path}, which does not exist",
                    "name an existing PEM file with an ed25519 private key, or unset the variable",
                )
            created = _create(path)
        return SigningKey(_load(path), path, created)
    except OSError as error:
        raise BadInput(
            f"the signing key {path} cannot be used: {error.strerror}",
            f"make its folder writable, or name another key file in {KEY_FILE_VARIABLE}",
        ) from error


def trusted_keyid(text: str) -> str:
    """Key id that a person pins: the id itself, or the path of a PEM file with a public key.

    Errors: BadInput.
    """
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return text.lower()
    try:
        key = load_pem_public_key(Path(text).read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{text!r} is no key: {error}",
            "give the 64 hexadecimal digits of a key id, or a PEM file with an ed25519 public key",
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(f"{text}: not an ed25519 public key")
    return keyid_of(key.public_bytes_raw().hex())


def _create(path: Path) -> bool:
    """Make a key; false where another process was first.

    The link appears whole and only if no key is there, so that nobody reads half a key and no
    key is ever replaced.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_private(partial, content)
        os.link(partial, path)
    except FileExistsError:
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _load(path: Path) -> CryptoSigner:
    folder_mode = path.parent.stat().st_mode
    if folder_mode & 0o022 and not folder_mode & stat.S_ISVTX:
        raise BadInput(
            f"{path.parent}: others may write to the folder of the signing key",
            f"chmod go-w {path.parent}",
        )
    with path.open("rb") as stream:
        _check_private(path, os.fstat(stream.fileno()))
        content = stream.read(_LARGEST_KEY_FILE)
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path}: not an unencrypted PEM private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{path}: not an ed25519 key", "make one anew, or name another file")
    public = key.public_key()
    return CryptoSigner(key, verifier(public.public_bytes_raw().hex()))


def _check_private(path: Path, facts: os.stat_result) -> None:
    if facts.st_uid != os.geteuid():
        raise BadInput(
            f"{path}: the signing key belongs to user {facts.st_uid}, not to you",
            f"name a key of your own in {KEY_FILE_VARIABLE}",
        )
    if facts.st_mode & 0o077:
        raise BadInput(
            f"{path}: others may read the signing key (mode {stat.S_IMODE(facts.st_mode):04o})",
            f"chmod 600 {path}; if somebody may have copied it, delete it and a new one is made",
        )
