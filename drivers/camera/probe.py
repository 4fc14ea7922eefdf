"""Why a camera's URL cannot be opened, in words: FFmpeg keeps the server's answer to itself."""

from __future__ import annotations

import base64
import http.client
from urllib.parse import SplitResult, unquote, urlsplit

_PICTURES = ("multipart/", "image/", "video/", "application/octet-stream")


def explain(url: str, timeout_s: float) -> str:
    """What an HTTP server says to a request for `url`; empty where that explains nothing.

    Blocks for as long as names take to resolve, and `timeout_s` for each step after that.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        path = parts.path or "/"
        connection.request(
            "GET", f"{path}?{parts.query}" if parts.query else path, headers=_user(parts)
        )
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            return f"the server answers {answer.status} {answer.reason}"
        content = answer.getheader("Content-Type", "nothing that says what it is")
        return "" if content.startswith(_PICTURES) else f"the server sends {content}"
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()


def _user(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    plain = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(plain.encode()).decode()}
