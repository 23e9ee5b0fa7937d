"""References typed by people: the uid behind a code or a part of a name, and the records to choose from when several fit."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import F

from mdm import registry
from mdm.folding import fold
from mdm.registry import RecordType
from mdm.selectors import records, search_records
from mdm.types import Problem
from mdm.web.propose_fields import by_uid
from mdm.web.propose_form import Draft

APART = " · "  # between code and name, as the field shows the record
MOST = 8


@dataclass
class Resolved:
    """`draft` holds uids; `shown` is what the fields say now; `offers` are records to choose from, by field."""

    draft: Draft
    problems: list[Problem] = field(default_factory=list)
    offers: dict[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


def _spots(kind: RecordType, draft: Draft) -> Iterator[tuple[str, dict[str, str], str, str, str]]:
    """(type, values, name of the field, its name on the form, its path in the document) of references by uid."""
    for path, key in kind.references.items():
        name, _, column = path.partition(".")
        if not by_uid(kind, path):
            continue
        if not column:
            yield key, draft.values, name, name, name
            continue
        for place, line in enumerate(draft.lines.get(name, [])):
            yield key, line.values, column, f"{name}-{place}-{column}", f"{name}/#{place}/{column}"


def show(kind: RecordType, *drafts: Draft) -> None:
    """Put code and name where the uid stands; one query per referenced type."""
    spots = [spot for draft in drafts for spot in _spots(kind, draft)]
    for key in {spot[0] for spot in spots}:
        mine = [(values, name) for type_key, values, name, _, _ in spots if type_key == key and values.get(name)]
        names = records.names(key, {values[name] for values, name in mine}) if mine else {}
        for values, name in mine:
            if values[name] in names:
                values[name] = APART.join(names[values[name]])


def resolve(kind: RecordType, shown: Draft) -> Resolved:
    """The uids behind what was typed. What fits one record is completed in `shown` too."""
    found = Resolved(copy.deepcopy(shown))
    for (key, typed, name, spot, path), (_, values, *_) in zip(
        _spots(kind, shown), _spots(kind, found.draft), strict=True
    ):
        text = typed.get(name, "").strip()
        if not text:
            continue
        fitting = _find(registry.get(key), text)
        if len(fitting) == 1:
            uid, code, title = fitting[0]
            values[name], typed[name] = uid, f"{code}{APART}{title}"
            continue
        found.offers[spot] = [(f"{code}{APART}{title}", title) for _, code, title in fitting]
        words = registry.get(key)
        message = f"There is no {words.noun} with this code or name."
        if fitting:
            many = f"{len(fitting)}" if len(fitting) < MOST else f"At least {MOST}"
            listed = "; ".join(f"{code} {title}" for _, code, title in fitting[:3])
            more = "; …" if len(fitting) > 3 else ""
            message = f"{many} {words.nouns} fit, choose one: {listed}{more}."
        found.problems.append(Problem(path, "unknown_reference", message))
    return found


def _find(kind: RecordType, text: str) -> list[tuple[str, str, str]]:
    """(uid, code, name): by uid, by code, else by words of the name."""
    rows = kind.model._default_manager.exclude(status__in=("retired", "merged"))
    fields = ("uid", "code", F(kind.name_field))
    code = text.partition(APART)[0].strip()
    exact = rows.filter(uid=code) if _is_uid(code) else rows.filter(code=code)
    found = list(exact.values_list(*fields))
    if not found:
        near = search_records.found_by(rows, fold(text).split()).order_by(kind.name_field)
        found = list(near.values_list(*fields)[:MOST])
    return [(str(uid), code, name) for uid, code, name in found]


def _is_uid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False
