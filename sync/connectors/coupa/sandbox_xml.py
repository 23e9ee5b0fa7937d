"""Owns the XML form of the sandbox's answers, for clients that ask for it."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SINGULAR = {"suppliers": "supplier", "remit-to-addresses": "remit-to-address", "tags": "tag"}


def to_xml(name: str, value: Any) -> str:
    """One element: `<id type="integer">6</id>`, `<name nil="true"/>`, `<suppliers type="array">…`."""
    if value is None:
        return f'<{name} nil="true"/>'
    if isinstance(value, dict):
        return f"<{name}>{''.join(to_xml(key, held) for key, held in value.items())}</{name}>"
    if isinstance(value, list):
        inside = "".join(to_xml(_SINGULAR.get(name, "item"), item) for item in value)
        return f'<{name} type="array">{inside}</{name}>'
    if isinstance(value, bool):
        return f'<{name} type="boolean">{str(value).lower()}</{name}>'
    kind = ' type="integer"' if isinstance(value, int) else ' type="float"' if isinstance(value, float) else ""
    return f"<{name}{kind}>{escape(str(value))}</{name}>"


def errors_to_xml(body: Any) -> str:
    """compass.coupa.com, “Special Actions and API Notes”: `<errors><error>…</error></errors>`."""
    words = [text for texts in body["errors"].values() for text in texts]
    return HEADER + "<errors>" + "".join(f"<error>{escape(text)}</error>" for text in words) + "</errors>"
