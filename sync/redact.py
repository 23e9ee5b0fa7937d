"""Owns what evidence may show: secrets are removed, bank numbers masked, long bodies cut."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

EXCERPT = 2000  # characters kept of a body
_SECRET = frozenset(
    {"authorization", "password", "secret", "clientsecret", "token", "accesstoken", "refreshtoken", "idtoken"}
    | {"assertion", "apikey"}
)
_NUMBER = frozenset({"iban", "bankaccount", "accountnumber", "bankaccountnumber", "accountno", "bankaccountno"})
_START = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))[A-Za-z]{2}\d{2}")
_IN_ONE = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}(?![A-Za-z0-9])")
_JSON_FIELD = re.compile(r'(?P<before>"(?P<name>[\w\- ]+)"\s*:\s*)(?P<value>"(?:[^"\\]|\\.)*"|\d+)')
_XML_FIELD = re.compile(r"(?P<before><(?P<name>[\w\-]+)>)(?P<value>[^<]+)")
_PAIR = re.compile(r"(?i)\b(access_token|refresh_token|client_secret|password|secret)(=|%3D)[^&\s]+")


def mask_number(text: str) -> str:
    """`DE89370400440532013000` -> `DE89…3000`; short numbers keep their last two digits at most."""
    squeezed = re.sub(r"[\s\-]", "", text)
    if len(squeezed) >= 12:
        return f"{squeezed[:4]}…{squeezed[-4:]}"
    return f"…{squeezed[-2:]}" if len(squeezed) > 4 else "…"


def without(text: str, secrets: Iterable[str], user: str = "") -> str:
    """The text with no secret in it, however a target spells what it was sent."""
    for secret in sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True):
        pair = f"{user}:{secret}".encode()
        spelt = {secret, quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]}
        spelt |= {base64.b64encode(pair).decode(), base64.b64encode(secret.encode()).decode()}
        for form in sorted(spelt, key=len, reverse=True):
            text = text.replace(form, "…")
    return text


class Redactor:
    """Knows which leaf names are sensitive and which exact values must never be shown."""

    def __init__(self, sensitive: Iterable[str] = ()) -> None:
        self._numbers = _NUMBER | {_plain(name) for name in sensitive}
        self._values: dict[str, str] = {}

    def conceal(self, values: Iterable[Any]) -> None:
        """Mask these exact values wherever they turn up, in bodies, addresses and messages."""
        for value in values:
            text = str(value or "")
            if len(text) >= 4:
                masked = mask_number(text)
                self._values.update({text: masked, quote(text): masked, quote_plus(text): masked})

    def forget(self) -> None:
        self._values.clear()

    def text(self, text: str) -> str:
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, self._values[value])
        text = _mask_ibans(text)
        return _PAIR.sub(r"\1\2…", text)

    def body(self, content: bytes | str | None, *, limit: int = EXCERPT) -> str:
        """The beginning of a body, JSON, XML or form, masked by field names and by known values.

        By pattern, not by parsing: a page of a drift run is large, and only its beginning is kept.
        """
        start = (content or "")[: 4 * limit]
        text = start.decode("utf-8", "replace") if isinstance(start, bytes) else start
        if content is not None and len(start) < len(content):
            text = text[:-80]  # a number cut in half would not be known as one
        text = _JSON_FIELD.sub(self._mask_field, text)
        text = self.text(_XML_FIELD.sub(self._mask_field, text))
        return text if len(text) <= limit else text[: limit - 1] + "…"

    def _mask_field(self, found: re.Match[str]) -> str:
        before, name, value = found["before"], _plain(found["name"]), found["value"].strip('"')
        if not value:
            return found[0]
        quote_mark = '"' if before.startswith('"') else ""
        if name in _SECRET:
            return f"{before}{quote_mark}…{quote_mark}"
        if name in self._numbers:
            return f"{before}{quote_mark}{mask_number(value)}{quote_mark}"
        return found[0]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.rpartition(".")[2].lower())


def _mask_ibans(text: str) -> str:
    """Every IBAN in running text, grouped or not, however the sentence goes on."""
    pieces, done = [], 0
    for found in _START.finditer(text):
        end = _end_of_iban(text, found.start()) if found.start() >= done else 0
        if end:
            pieces += [text[done : found.start()], mask_number(text[found.start() : end])]
            done = end
    return "".join(pieces) + text[done:]


def _end_of_iban(text: str, start: int) -> int:
    """Where the IBAN that starts here ends, 0 when none does; ids and keys must stay readable."""
    marks, ends = "", []
    for position in range(start, min(start + 68, len(text))):
        mark = text[position]
        if mark.isascii() and mark.isalnum():
            marks += mark
            ends.append(position + 1)
        elif mark not in " -" or text[position - 1] in " -":
            break
    for length in range(min(34, len(marks)), 14, -1):
        end = ends[length - 1]
        if not text[end : end + 1].isalnum() and _mod97(marks[:length].upper()):
            return end
    # A mistyped one is somebody's account all the same.
    whole = _IN_ONE.match(text, start)
    return whole.end() if whole and sum(mark.isdigit() for mark in whole[0]) >= 10 else 0


def _mod97(iban: str) -> bool:
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1
