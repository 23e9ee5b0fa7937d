"""Search everything: records by words, code, tax id or local key; requests by number or title; the rest through ports."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Q

from mdm import permissions, ports, registry
from mdm.folding import fold
from mdm.models import Crosswalk
from mdm.registry import RecordType
from mdm.selectors import request_items, visibility
from mdm.selectors.search_records import found_by
from mdm.types import Actor

MOST = 6  # hits of one group; who wants more opens the list


@dataclass(frozen=True)
class Hit:
    """One find. `kind` and `uid` name a record, `number` a request; everything else brings its own address."""

    title: str
    hint: str = ""
    icon: str = ""
    kind: str = ""
    uid: str = ""
    number: int = 0
    url: str = ""


def everything(query: str, by: Actor) -> list[tuple[str, list[Hit]]]:
    """Groups of hits, best group first; a few queries whatever the size of the hub."""
    text = " ".join(query.split())[:200]
    if not text:
        return []
    entities = permissions.entities_of(by.user)
    keyed: dict[str, list[UUID]] = {}
    for key, uid in Crosswalk.objects.filter(key=text, active=True).values_list("type", "uid")[:100]:
        keyed.setdefault(key, []).append(uid)
    groups = [
        (kind.plural, _records(kind, text, entities, keyed.get(kind.key, [])))
        for kind in registry.all_types()
        if permissions.may(by, f"read:{kind.path}")
    ]
    groups.append(("Requests", _requests(text, by, entities)))
    for group in ports.collect(ports.search, text, by.user):
        found = [Hit(title=r["title"], hint=r["hint"], icon=r["icon"], url=r["url"]) for r in group["results"]]
        groups.append((group["title"], found))
    return [(title, hits) for title, hits in groups if hits]


def _records(kind: RecordType, text: str, entities: visibility.Entities, keyed: list[UUID]) -> list[Hit]:
    rows = visibility.visible(kind, kind.model._default_manager.exclude(status="merged"), entities)
    name = F(kind.name_field)
    exact = rows.filter(uid__in=keyed[:MOST]) | rows.filter(code__iexact=text)
    found = list(exact.values_list("uid", "code", name, "status")[:MOST])
    if len(found) < MOST:
        words = found_by(rows, fold(text).split()).exclude(uid__in=[row[0] for row in found])
        found += list(words.order_by("code").values_list("uid", "code", name, "status")[: MOST - len(found)])
    return [
        Hit(
            title=str(title),
            hint=code if status == "active" else f"{code} · {status}",
            icon=kind.icon,
            kind=kind.key,
            uid=str(uid),
        )
        for uid, code, title, status in found
    ]


def _requests(text: str, by: Actor, entities: visibility.Entities) -> list[Hit]:
    rows = request_items.seen_by(by, entities)
    number = re.fullmatch(r"(?:CR-)?(\d{5,9})", text, re.IGNORECASE)
    if number:
        rows = rows.filter(pk=int(number[1]) - 10_000)
    else:
        rows = rows.filter(Q(title__icontains=text) | Q(correlation_id=text))
    return [
        Hit(title=row.title, hint=f"{row.number} · {row.state.replace('_', ' ')}", icon="inbox", number=row.pk + 10_000)
        for row in rows.order_by("-pk")[:MOST]
    ]
