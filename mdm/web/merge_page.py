"""The preview of a merge: the result beside the records, a pick per field, what moves along, what the targets do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict

from mdm.models import Crosswalk
from mdm.registry import ChildType, RecordType
from mdm.selectors import visibility
from mdm.selectors.visibility import Entities
from mdm.services import documents, policy
from mdm.services.policy import Facts
from mdm.types import Document, same
from mdm.web.browsing import plural
from mdm.web.page import Fact, Part, Step
from mdm.web.pointers import record, source
from mdm.web.tables import Field
from mdm.web.values import is_empty, show

_PICK = "choice-"
_SHOWN = 20  # references listed by name


def picks(posted: QueryDict, uids: Sequence[str]) -> dict[str, str]:
    """{field: uid} as the radio buttons say; what is not picked follows the rule of the merge."""
    return {
        name.removeprefix(_PICK): str(value)
        for name, value in posted.items()
        if name.startswith(_PICK) and value in uids
    }


def wanted(kind: RecordType, seen: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, str]:
    """Only picks of fields on which the records differ: a pick of an equal value says nothing."""
    differing = {row["path"] for row in seen["fields"] if row["differs"]} | {child.name for child in kind.children}
    return {path: uid for path, uid in chosen.items() if path in differing}


def build(
    kind: RecordType, seen: Mapping[str, Any], chosen: Mapping[str, str], *, entities: Entities, reason: str = ""
) -> dict[str, Any]:
    sources = [seen["survivor"], *seen["losers"]]
    shown = [visibility.strip(kind, document, entities) for document in sources]
    keys: dict[str, list[Mapping[str, Any]]] = {}
    for row in seen["crosswalks"]:
        keys.setdefault(row["uid"], []).append(row)
    marks, asked = _marks(sources), _decision(kind, seen)
    return {
        "records": [_record(kind, document, seen["survivor"]["uid"], keys, marks) for document in sources],
        "rows": [_row(row, chosen) for row in seen["fields"]],
        "children": [group for child in kind.children if (group := _children(child, shown, chosen.get(child.name, "")))],
        "keys": _keys(seen),
        "references": _references(seen),
        "effects": [_effect(effect) for effect in seen["targets"]],
        "reason": Field(
            name="reason", label="Why are they the same?", kind="textarea", value=reason, optional=not asked.require_reason,
            help="Whoever approves reads this first.",
        ),
        "after": _after(asked),
    }  # fmt: skip


def _marks(sources: Sequence[Document]) -> dict[str, Any]:
    """The most trusted system of each record; one query."""
    rows = Crosswalk.objects.filter(uid__in=[d["uid"] for d in sources], active=True).select_related("system")
    found: dict[str, Any] = {}
    for row in rows.order_by("-system__rank"):
        found[str(row.uid)] = source(row.system)
    return found


def _record(
    kind: RecordType, document: Document, survivor: str, keys: Mapping[str, Sequence[Any]], marks: Mapping[str, Any]
) -> dict[str, Any]:
    uid = document["uid"]
    note = f"version {document['version']}, {plural(len(keys.get(uid, ())), 'key')}"
    return {
        "uid": uid,
        "title": kind.name_of(document),
        "code": document["code"],
        "url": record(kind.key, uid),
        "source": marks.get(uid),
        "note": note,
        "survivor": uid == survivor,
    }


def _row(row: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, Any]:
    """The pick holds; without one the first value that equals the result is marked."""
    pick = chosen.get(row["path"])
    if pick is None:
        pick = next(
            (v["uid"] for v in row["values"] if not is_empty(v["value"]) and same(v["value"], row["result"])), ""
        )
    return {
        "path": row["path"],
        "label": row["label"],
        "result": row["result"],
        "choices": [{**value, "chosen": value["uid"] == pick, "same": not row["differs"]} for value in row["values"]],
    }


def _children(child: ChildType, sources: Sequence[Document], only: str) -> dict[str, Any] | None:
    """Every row of every record: what is taken over, and what is there already or was not picked."""
    items = []
    first: dict[str, str] = {}
    for document in sources:
        for row in document.get(child.name) or []:
            chosen = only in ("", document["uid"])
            identity = documents.identity(child, row)
            kept = chosen and identity not in first
            note = "" if kept else f"the one of {first[identity]} stays" if identity in first else "not picked"
            if chosen:
                first.setdefault(identity, document["code"])
            items.append({"label": _words(child, row), "origin": document["code"], "kept": kept, "note": note})
    if not items:
        return None
    choices = [{"uid": "", "label": "Of all", "chosen": not only}]
    choices += [{"uid": d["uid"], "label": f"Only of {d['code']}", "chosen": only == d["uid"]} for d in sources]
    return {"title": child.title, "name": f"{_PICK}{child.name}", "choices": choices, "items": items}


def _words(child: ChildType, row: Document) -> str:
    """The row in one line, bank numbers as their mask."""
    values = [row.get(name) for name in child.columns]
    return ", ".join(show(value).replace("_", " ") for value in values if value is not False and not is_empty(value))


def _keys(seen: Mapping[str, Any]) -> list[Fact]:
    by_system: dict[str, list[str]] = {}
    for row in seen["crosswalks"]:
        by_system.setdefault(row["title"], []).append(row["key"])
    return [Fact(label=title, value=", ".join(keys), kind="mono") for title, keys in by_system.items()]


def _references(seen: Mapping[str, Any]) -> list[Fact]:
    listed = seen["references"]
    facts = [
        Fact(label=ref["path"].replace("_", " ").capitalize(), value=ref["label"], url=record(ref["type"], ref["uid"]))
        for ref in listed[:_SHOWN]
    ]
    if len(listed) > _SHOWN:
        facts.append(Fact(label="And", value=f"{len(listed) - _SHOWN} more"))
    return facts


def _effect(effect: Mapping[str, Any]) -> dict[str, Any]:
    said: list[str | Part] = ["updates ", Part(text=effect["updates"], mono=True)]
    for place, key in enumerate(effect["blocks"]):
        said += [", blocks " if not place else ", ", Part(text=key, mono=True)]
    return {
        "title": effect["title"], "url": "", "receives": said, "when": "once applied", "accepts": "unknown", "reason": "",
    }  # fmt: skip


def _decision(kind: RecordType, seen: Mapping[str, Any]) -> policy.Decision:
    """What the policies of today ask of this merge."""
    paths = tuple(change["path"] for change in seen["changes"])
    countries = frozenset(filter(None, [seen["survivor"].get("country"), seen["result"].get("country")]))
    facts = Facts(type=kind.key, action="merge", paths=paths, origin="merge", countries=countries)
    return policy.decide([facts])


def _after(decision: policy.Decision) -> list[Step]:
    """Who will have to approve."""
    steps = [Step(title="You propose the merge", state="now")]
    if decision.auto:
        return [*steps, Step(title="Applied at once", body="by policy", state="open")]
    for (_, role), rule in sorted(decision.steps.items()):
        people = f"{rule[0]} people" if rule[0] > 1 else "one person"
        steps.append(Step(title=f"Approval by {role.replace('_', ' ')}", body=f"{people}, not you", state="open"))
    return [*steps, Step(title="Applied", body="keys and references follow, targets are told", state="open")]
