"""The preview of an unmerge: who comes back with what, what stays and why, what the targets do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict

from mdm import registry
from mdm.models import ChangeRequest, System
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import merge_links, policy
from mdm.services.policy import Facts
from mdm.types import Document
from mdm.web import diffs, merge_page
from mdm.web.browsing import plural
from mdm.web.page import Fact, Part, Rich
from mdm.web.pointers import record, source
from mdm.web.tables import Field
from mdm.web.values import is_empty, show
from mdm.web.visitor import link

_HOLDER = "holder-"


def holders(posted: QueryDict, uids: Sequence[str]) -> dict[str, str]:
    """{path: uid} of who keeps a value changed since, as the radio buttons say."""
    return {
        name.removeprefix(_HOLDER): str(value)
        for name, value in posted.items()
        if name.startswith(_HOLDER) and value in uids
    }


def build(merge: ChangeRequest, seen: Mapping[str, Any], left: Sequence[str], *, reason: str) -> dict[str, Any]:
    kind = registry.get(merge_links.head_of(list(merge.items.all())).type)
    back = {row["document"]["uid"]: row for row in seen["restored"]}
    names = records.names(kind.key, [seen["survivor"]["uid"], *left, *_others(seen)])
    asked = _decision(kind, seen)
    return {
        "survivor": _named(kind, seen["survivor"]["uid"], names),
        "members": [{**_named(kind, uid, names), "ticked": uid in back} for uid in left],
        "gives": diffs.arrange(kind, seen["changes"], before=seen["survivor"], after=seen["result"]),
        "gives_any": bool(seen["changes"]),
        "restored": [_restored(kind, row, names) for row in seen["restored"]],
        "since": _since(kind, seen, names),
        "keys": _keys(kind, seen, names),
        "references": _references(seen, names),
        "decisions": [_decision_line(kind, row, names) for row in seen["decisions"]],
        "effects": [merge_page.effect_of(effect) for effect in seen["targets"]],
        "reason": Field(
            name="reason", label="Why are they different?", kind="textarea", value=reason,
            optional=not asked.require_reason, help="It also says why they are not merged again.",
        ),
        "after": merge_page.after(asked, "You propose the unmerge", "keys and references go back, targets are told"),
    }  # fmt: skip


def _others(seen: Mapping[str, Any]) -> list[str]:
    return [row["uid"] for row in seen["elsewhere"]] + [row["other"] for row in seen["decisions"]]


def _named(kind: RecordType, uid: str, names: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    code, name = names.get(uid, ("", "a record"))
    return {"uid": uid, "code": code, "title": name, "url": record(kind.key, uid)}


def _restored(kind: RecordType, row: Mapping[str, Any], names: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """A record that comes back: as it was, but for what it takes over from the survivor."""
    document: Document = row["document"]
    taken = [change for change in row["changes"] if change["path"] != "status"]
    before = {**document, **{change["path"]: change["before"] for change in taken if "/" not in change["path"]}}
    rows = sum(len(document.get(child.name) or []) for child in kind.children)
    return {
        **_named(kind, document["uid"], names),
        "note": f"{document['status']}, {plural(rows, 'row')} of its own"
        + (", as it was before the merge" if not taken else ""),
        "diff": diffs.arrange(kind, taken, before=before, after=document) if taken else None,
    }


# --- what happened since ----------------------------------------------------------------------------------------------


def _since(kind: RecordType, seen: Mapping[str, Any], names: Mapping[str, tuple[str, str]]) -> list[dict[str, Any]]:
    able = [seen["survivor"]["uid"], *(row["document"]["uid"] for row in seen["restored"])]
    systems = {system.code: system for system in System.objects.all()} if seen["since"] else {}
    return [
        {
            "path": row["path"],
            "label": row["label"],
            "merged": _words(kind, row["path"], row["merged"]),
            "value": _words(kind, row["path"], row["value"]),
            "source": source(systems[row["system"]]) if row["system"] in systems else None,
            "note": "follows its source" if row["default"] != seen["survivor"]["uid"] else "",
            "choices": [
                {
                    "uid": uid,
                    "label": ("Stays with " if not place else "Goes to ") + names.get(uid, ("it", ""))[0],
                    "chosen": row["holder"] == uid,
                }
                for place, uid in enumerate(able)
            ],
        }
        for row in seen["since"]
    ]


def _words(kind: RecordType, path: str, value: Any) -> str:
    if is_empty(value):
        return ""
    return merge_page.words(kind.child(path.split("/")[0]), value) if "/" in path else show(value)


# --- keys, references, decisions --------------------------------------------------------------------------------------


def _keys(kind: RecordType, seen: Mapping[str, Any], names: Mapping[str, tuple[str, str]]) -> list[Fact]:
    by_system: dict[str, list[str | Part]] = {}

    def say(row: Mapping[str, Any], uid: str, words: str) -> None:
        said = by_system.setdefault(row["title"], [])
        said += [*([", "] if said else []), Part(text=row["key"], mono=True), f" {words} "]
        said.append(Part(text=names.get(uid, ("a record", ""))[0], url=record(kind.key, uid)))

    since = {(row["system"], row["key"]) for row in seen["linked_since"]}
    for row in seen["crosswalks"]:
        if row["uid"] != row["after"]:
            say(row, row["after"], "goes back to")
        elif (row["system"], row["key"]) in since:
            say(row, row["after"], "was linked since and stays with")
        else:
            say(row, row["after"], "stays with")
    for row in seen["elsewhere"]:
        say(row, row["uid"], "was moved since and stays with")
    return [Fact(label=title, value=said, kind="rich") for title, said in by_system.items()]


def _references(seen: Mapping[str, Any], names: Mapping[str, tuple[str, str]]) -> list[Fact]:
    facts = [_reference(row, "goes back") for row in seen["references"]]
    facts += [_reference(row, f"stays: {row['why']}") for row in seen["left"]]
    for row in seen["followed"]:
        code = names.get(row["uid"], ("the record", ""))[0]
        label = row["path"].replace("_", " ").capitalize()
        facts.append(Fact(label=label, value=f"of {code} leads on: what it named was merged meanwhile"))
    return facts


def _reference(row: Mapping[str, Any], note: str) -> Fact:
    label = row["path"].replace("_", " ").capitalize()
    return Fact(label=label, value=row["label"], url=record(row["type"], row["uid"]), note=note)


def _decision_line(kind: RecordType, row: Mapping[str, Any], names: Mapping[str, tuple[str, str]]) -> Rich:
    other = names.get(row["other"], ("a record", ""))[0]
    said = {"open": "reopened the pair with", "unsure": "was unsure about"}.get(row["judgement"], "")
    words = said or f"judged it {'the same as' if row['judgement'] == 'same' else 'different from'}"
    return [f"{row['by']} {words} ", Part(text=other, url=link("web:duplicate", row["pair"]))]


def _decision(kind: RecordType, seen: Mapping[str, Any]) -> policy.Decision:
    """What the policies of today ask of this unmerge."""
    paths = tuple(change["path"] for change in seen["changes"])
    countries = frozenset(filter(None, [seen["survivor"].get("country"), seen["result"].get("country")]))
    return policy.decide([Facts(type=kind.key, action="unmerge", paths=paths, origin="merge", countries=countries)])
