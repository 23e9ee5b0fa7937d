"""Owns the file: its name, its columns, and cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from typing import Any

from sync import flat
from sync.errors import FieldProblem, Refused
from sync.mapping import Mapping as FieldMapping
from sync.protocol import Push

HEAD = ("key", "action", "version", "delivery", "correlation_id")
# How many children of a kind one line has columns for.
ROOM = {"tax_registrations": 4, "identifiers": 4, "addresses": 4, "contacts": 3, "bank_accounts": 3}
ROOM |= {"slices": 12, "conditions": 6}
_RUNS = re.compile("'*[=+\\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]")  # the wide forms count too


def file_name(push: Push) -> str:
    """The same for every try of one delivery, in rising order within a line: what the receiver knows a file by."""
    key = re.sub(r"[^A-Za-z0-9-]+", "-", push.idempotency_key)
    front, dash, last = key.rpartition("-")
    number = f"{int(last):08}" if last.isdigit() else last
    return f"{push.type}_{front}{dash}{number}.csv"


def columns(mapping: FieldMapping, parts: Collection[str], room: Mapping[str, int]) -> list[str]:
    """Every column there can be, filled or not, so that all files of a type have the same."""
    names = [*HEAD, *(name for rule in mapping.rules.fields for name in rule.names)]
    for rows in mapping.rules.rows:
        if rows.part in parts:
            leaves = [leaf for rule in rows.fields for leaf in rule.leaves]
            names += [f"{rows.part}_{n}_{leaf}" for n in range(1, room[rows.part] + 1) for leaf in leaves]
    return names


def line(push: Push, mapping: FieldMapping, parts: Collection[str], room: Mapping[str, int]) -> dict[str, Any]:
    """The values of one record by column. Refused when it has more children than there are columns for."""
    key = push.key or push.reference
    head = (key, push.action, push.version, push.idempotency_key, push.correlation_id)
    found: dict[str, Any] = dict(zip(HEAD, head, strict=True))
    found.update(flat.head(push.payload))
    for part in parts:
        children = flat.rows(push.payload, part) if part else {}
        if len(children) > room.get(part, 0) and children:
            words = f"The record has {len(children)} {part.replace('_', ' ')}; a line has columns for {room[part]}."
            raise Refused(words, problems=(FieldProblem(part, "too_many", words),))
        for n, leaves in enumerate(children.values(), 1):
            found.update({f"{part}_{n}_{leaf}": value for leaf, value in leaves.items()})
    return found


def write(names: list[str], values: Mapping[str, Any], delimiter: str) -> bytes:
    """RFC 4180, UTF-8: one line of names, one of values, every cell in quotes."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerow([cell(values.get(name)) for name in names])
    return text.getvalue().encode()


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)  # a number is no formula, whatever its sign
    return f"'{value}" if _RUNS.match(value) else value
