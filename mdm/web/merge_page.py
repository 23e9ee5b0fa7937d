"""The preview of a merge: the result beside the records, a pick per field, what moves along, what the targets do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict

from mdm.errors import HubError
from mdm.models import Crosswalk
from mdm.permissions import may
from mdm.registry import ChildType, RecordType
from mdm.selectors import records, visibility
from mdm.selectors.visibility import Entities
from mdm.services import documents, key_moves, policy
from mdm.services.policy import Facts
from mdm.types import Actor, Document, same
from mdm.web.browsing import plural
from mdm.web.page import Action, Callout, Confirm, Fact, Part, Step
from mdm.web.pointers import record, source
from mdm.web.tables import Field
from mdm.web.values import is_empty, show
from mdm.web.visitor import link

_PICK = "choice-"
_SHOWN = 20  # references listed by name


def picks(posted: QueryDict, uids: Sequence[str]) -> dict[str, str]:
    """{field: uid} as the radio buttons say; what is not picked follows the rule of the merge."""
    return {
        name.removeprefix(_PICK): str(value)
        for name, value in posted.items()
        if name.startswith(_PICK) and value in uids
    }


def wanted(seen: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, str]:
    """Only picks of fields on which the records differ: a pick of an equal value says nothing."""
    differing = {row["path"] for row in seen["fields"] if row["differs"]}
    return {path: uid for path, uid in chosen.items() if path in differing}


def drops(kind: RecordType, posted: QueryDict, members: Sequence[str]) -> list[str]:
    """Rows that were shown and are not ticked; rows of a record that was added just now are kept."""
    off = set(posted.getlist("row")) - set(posted.getlist("keep"))
    if not off:
        return []
    found = records.current_documents(kind.key, members).values()
    own = {f"{c.name}/{row['uid']}" for c in kind.children for d in found for row in d.get(c.name) or []}
    return sorted(off & own)


def errors(error: HubError | None) -> list[dict[str, str]]:
    if error is None:
        return []
    return [{"id": "reason" if "why" in error.message.lower() else "", "text": error.message}]


def build(
    kind: RecordType,
    seen: Mapping[str, Any],
    chosen: Mapping[str, str],
    *,
    drops: Sequence[str],
    order: Sequence[str],
    near: Sequence[str],
    entities: Entities,
    reason: str,
    by: Actor,
) -> dict[str, Any]:
    """The records stand in `order` whoever stays, so that nothing jumps when another one is chosen."""
    survivor = seen["survivor"]["uid"]
    documents_ = {document["uid"]: document for document in (seen["survivor"], *seen["losers"])}
    sources = [documents_[uid] for uid in order]
    keys: dict[str, list[Mapping[str, Any]]] = {}
    for row in seen["crosswalks"]:
        keys.setdefault(row["uid"], []).append(row)
    marks, asked = _marks(sources), _decision(kind, seen)
    shown = [visibility.strip(kind, document, entities) for document in sources]
    shown.sort(key=lambda document: document["uid"] != survivor)  # rows of the one that stays come first
    return {
        "records": [_record(kind, document, survivor, keys, marks) for document in sources],
        "several": len(sources) > 2 or bool(near),
        "near": _near(kind, near),
        "rows": [_row(row, chosen, order) for row in seen["fields"]],
        "children": [group for child in kind.children if (group := _children(child, shown, drops))],
        "keys": _keys(seen),
        "references": _references(seen),
        "effects": [effect_of(effect) for effect in seen["targets"]],
        "blocks": [_block(kind, block, by) for block in seen["blocks"]],
        "reason": Field(
            name="reason", label="Why are they the same?", kind="textarea", value=reason, optional=not asked.require_reason,
            help="Whoever approves reads this first.",
        ),
        "after": after(asked, "You propose the merge", "keys and references follow, targets are told"),
    }  # fmt: skip


def _near(kind: RecordType, uids: Sequence[str]) -> list[dict[str, str]]:
    """Others that may be the same as one of these, to be added."""
    names = records.names(kind.key, uids)
    return [
        {"uid": uid, "code": names[uid][0], "title": names[uid][1], "url": record(kind.key, uid)}
        for uid in uids
        if uid in names
    ]


def _block(kind: RecordType, block: Mapping[str, Any], by: Actor) -> Callout:
    names = records.names(kind.key, [block["left"], block["right"]])
    left, right = (names.get(block[side], ("A record", ""))[0] for side in ("left", "right"))
    allowed = may(by, "steward")
    confirm = Confirm(
        title=f"Let {left} and {right} be merged again?",
        body="Their merge was undone. Lifting the block keeps that on record, and puts the pair back into the queue.",
        button="Lift the block",
        reason_label="Why may they be merged after all?",
    )
    return Callout(
        title=f"{left} and {right} are kept apart",
        body=f"{block['by']} undid their merge with {block['change_request']}. {block['reason']}".strip(),
        tone="amber",
        icon="no",
        action=Action(
            label="Lift the block",
            name=f"lift-{block['uid']}",
            url=link("web:merge-block-lift", block["uid"]),
            method="post",
            icon="undo",
            confirm=confirm,
            allowed=allowed,
            why_not="" if allowed else "Only data stewards lift a block.",
        ),
    )


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


def _row(row: Mapping[str, Any], chosen: Mapping[str, str], order: Sequence[str]) -> dict[str, Any]:
    """The pick holds; without one the first value that equals the result is marked."""
    pick = chosen.get(row["path"])
    if pick is None:
        pick = next(
            (v["uid"] for v in row["values"] if not is_empty(v["value"]) and same(v["value"], row["result"])), ""
        )
    values = sorted(row["values"], key=lambda value: order.index(value["uid"]))
    return {
        "path": row["path"],
        "label": row["label"],
        "result": row["result"],
        "choices": [{**value, "chosen": value["uid"] == pick, "same": not row["differs"]} for value in values],
    }


def _children(child: ChildType, sources: Sequence[Document], dropped: Sequence[str]) -> dict[str, Any] | None:
    """Every row of every record with its tick; of two ticked rows of one identity the first one survives."""
    items = []
    first: dict[str, str] = {}
    for document in sources:
        for row in document.get(child.name) or []:
            path = f"{child.name}/{row['uid']}"
            identity, ticked = documents.identity(child, row), path not in dropped
            note = ""
            if ticked and identity in first:
                note = f"the one of {first[identity]} stays; untick that one to keep this"
            elif ticked:
                first[identity] = document["code"]
            items.append(
                {"path": path, "label": words(child, row), "origin": document["code"], "ticked": ticked, "note": note}
            )
    kept = sum(item["ticked"] and not item["note"] for item in items)
    note = f"{kept} of {plural(len(items), 'row')} kept"
    return {"title": child.title, "items": items, "note": note} if items else None


def words(child: ChildType, row: Document) -> str:
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


def effect_of(effect: Mapping[str, Any]) -> dict[str, Any]:
    """What a target does with the keys it knows, in the order of weight."""
    said: list[str | Part] = []
    for word in key_moves.WORDS:
        for place, key in enumerate(effect[word]):
            said += [f"{', ' if said else ''}{word} " if not place else ", ", Part(text=key, mono=True)]
    accepts = "none" if not said else "unknown"
    when = "once applied" if effect["told"] else "by hand: nobody delivers there"
    return {
        "title": effect["title"], "url": "", "receives": said or "Nothing changes there", "when": when if said else "",
        "accepts": accepts, "reason": "",
    }  # fmt: skip


def _decision(kind: RecordType, seen: Mapping[str, Any]) -> policy.Decision:
    """What the policies of today ask of this merge."""
    paths = tuple(change["path"] for change in seen["changes"])
    countries = frozenset(filter(None, [seen["survivor"].get("country"), seen["result"].get("country")]))
    facts = Facts(type=kind.key, action="merge", paths=paths, origin="merge", countries=countries)
    return policy.decide([facts])


def after(decision: policy.Decision, first: str, last: str) -> list[Step]:
    """Who will have to approve."""
    steps = [Step(title=first, state="now")]
    if decision.auto:
        return [*steps, Step(title="Applied at once", body="by policy", state="open")]
    for (_, role), rule in sorted(decision.steps.items()):
        people = f"{rule[0]} people" if rule[0] > 1 else "one person"
        steps.append(Step(title=f"Approval by {role.replace('_', ' ')}", body=f"{people}, not you", state="open"))
    return [*steps, Step(title="Applied", body=last, state="open")]
