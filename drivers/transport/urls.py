"""Addresses of ports that are no device path, checked before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from hil.errors import BadInput

NETWORK = ("rfc2217", "socket")
SCHEMES = (*NETWORK, "loop", "replay")
_FORMS = "rfc2217://HOST:PORT, socket://HOST:PORT, loop://, replay:///PATH, file:///dev/..."
_OPTIONS = {"rfc2217": {"ign_set_control"}, "replay": {"timing"}}


@dataclass(frozen=True, slots=True)
class PortUrl:
    """A port behind a server of RFC 2217 or plain TCP (`host`, `port`), an echo without a
    device (loop), or a captured session (`path`)."""

    text: str
    scheme: Literal["rfc2217", "socket", "loop", "replay"]
    host: str = ""
    port: int = 0
    path: str = ""
    options: dict[str, str] = field(default_factory=dict)


def is_url(address: str) -> bool:
    """Whether an address is one of these, and not a device path."""
    return urlsplit(address).scheme in SCHEMES


def parse_url(text: str) -> PortUrl:
    """Take an address apart. Errors: BadInput saying which forms there are."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or 0
    except ValueError as error:
        raise BadInput(f"port url {text!r}: {error}", f"forms: {_FORMS}") from error
    if parts.scheme not in SCHEMES:
        raise BadInput(f"port url {text!r}: scheme {parts.scheme!r} is not known", _FORMS)
    if parts.scheme in NETWORK and not (host and port and parts.path in ("", "/")):
        raise BadInput(f"port url {text!r} is not of the form {parts.scheme}://HOST:PORT")
    if parts.scheme == "replay" and not parts.path:
        raise BadInput(f"port url {text!r} names no capture; its form is replay:///PATH")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(options.keys() - _OPTIONS.get(parts.scheme, set()))
    if unknown:
        raise BadInput(f"port url {text!r}: unknown option {', '.join(unknown)}")
    path = unquote(parts.path) if parts.scheme == "replay" else ""
    return PortUrl(text, parts.scheme, host, port, path, options)  # type: ignore[arg-type]
