"""The frame of a record's pages: head with state and actions, tabs, and what has to be said before anything else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from mdm import permissions, ports
from mdm.models import ChangeRequest, DuplicatePair, SourceRecord
from mdm.models.change import OPEN_STATES
from mdm.registry import RecordType
from mdm.selectors import records, request_items, visibility
from mdm.services import changes, unmerging
from mdm.types import Document
from mdm.web import visitor
from mdm.web.page import Action, Badge, Callout, Confirm, Link, Meta, Page
from mdm.web.review import words
from mdm.web.values import day

TABS = (
    ("", "Overview"),
    ("sources", "Sources"),
    ("timeline", "Timeline"),
    ("sync", "Sync"),
    ("where-used", "Where used"),
    ("requests", "Requests"),
    ("audit", "Audit"),
)
TROUBLE = ("refused", "failed", "in_part")


@dataclass
class Frame:
    """One record as this person may see it, with what every tab needs of it."""

    request: HttpRequest
    kind: RecordType
    row: Any
    document: Document
    whole: bool  # no period of it is of another company
    elsewhere: bool  # a dated record that was theirs and is of another company today
    open: list[ChangeRequest]
    twins: int
    targets: list[dict[str, Any]]
    survivor: Link | None

    def url(self, part: str = "") -> str:
        if part == "cluster":
            return visitor.link("web:cluster", self.kind.path, self.row.uid)
        return visitor.record_url(self.kind, self.row.uid, part)

    def context(self, part: str) -> dict[str, Any]:
        return {
            "page": head(self),
            "tabs": tabs(self, part),
            "callouts": callouts(self),
            "me": self.request.user,
        }


def load(request: HttpRequest, type_path: str, uid: Any) -> Frame:
    kind = visitor.kind_at(request, type_path)
    row = visitor.record_at(request, kind, uid)
    seen, whole = visitor.entities(request), records.current_document(kind.key, uid)
    document = visibility.strip(kind, whole, seen)
    touching = request_items.touching(visitor.requests_seen(request), kind, uid)
    pairs = DuplicatePair.objects.filter(Q(left=uid) | Q(right=uid), state="open") if kind.match else None
    return Frame(
        request=request,
        kind=kind,
        row=row,
        document=document,
        whole=not kind.entity_field or document == whole,
        elsewhere=not visibility.sees_today(kind, whole, seen),
        open=list(
            touching.filter(state__in=OPEN_STATES).prefetch_related("participants", "steps", "approvals__participant")
        ),
        twins=pairs.count() if pairs is not None else 0,
        targets=statuses(kind, uid, whole=document == whole),
        survivor=_survivor(kind, row),
    )


def statuses(kind: RecordType, uid: Any, *, whole: bool) -> list[dict[str, Any]]:
    """Where it stands at every target; what a target said only to those who see the whole record."""
    found = ports.collect(ports.delivery_status, kind.key, uid)
    return found if whole else [{**line, "message": ""} for line in found]


def _survivor(kind: RecordType, row: Any) -> Link | None:
    if not row.merged_into:
        return None
    onward = records.survivor_uid(kind, row.uid)
    code, name = records.names(kind.key, [onward]).get(onward, ("", "another record"))
    return Link(f"{name} ({code})" if code else name, visitor.record_url(kind, onward))


# --- head -----------------------------------------------------------------------------------------------------


def head(frame: Frame) -> Page:
    kind, document = frame.kind, frame.document
    meta = [Meta(kind="id", text=document["code"]), Meta(text=f"version {document['version']}")]
    for name in ("country", "group", "currency"):
        if document.get(name) and name in kind.document.model_fields:
            meta.append(Meta(text=str(document[name])))
    meta.append(Meta(kind="time", at=frame.row.updated_at, prefix="changed"))
    return Page(
        title=kind.name_of(document),
        crumbs=[Link(kind.plural, reverse("web:records", args=[kind.path])), Link(document["code"], "")],
        badges=badges(frame),
        meta=meta,
        menu=menu(frame),
        primary=_propose(frame),
    )


def badges(frame: Frame) -> list[Badge]:
    found = [Badge(state=frame.row.status, domain="record")]
    if frame.kind.periods and frame.document.get("validity") != "current":
        found.append(_validity(frame))
    if frame.open:
        many = len(frame.open) > 1
        url = frame.url("requests") if many else _request_url(frame.open[0])
        label = f"{len(frame.open)} open requests" if many else "Open request"
        found.append(Badge(label=label, tone="amber", icon="half", url=url, outline=True))
    if frame.twins:
        found.append(
            Badge(label="Possible duplicate", tone="amber", icon="duplicate", outline=True, url=_pairs_url(frame))
        )
    return [*found, *_sync_badges(frame)]


def _validity(frame: Frame) -> Badge:
    document, url = frame.document, frame.url("timeline")
    if document["validity"] == "planned":
        return Badge(
            label=f"Begins {_day(document['valid_from'])}", tone="purple", icon="future", outline=True, url=url
        )
    return Badge(label=f"Ended {_day(document['valid_to'])}", tone="grey", icon="minus", outline=True, url=url)


def _day(text: str) -> str:
    return day(date.fromisoformat(text))


def _sync_badges(frame: Frame) -> list[Badge]:
    states = [line["state"] for line in frame.targets if line["state"] != "not_pushable"]
    troubled = len({line["target"] for line in frame.targets if line["state"] in TROUBLE})
    if troubled:
        label = f"Refused by {troubled} target{'s' * (troubled > 1)}"
        return [Badge(label=label, tone="red", icon="no", url=frame.url("sync"), outline=True)]
    if "drift" in states:
        where = ", ".join(dict.fromkeys(line["title"] for line in frame.targets if line["state"] == "drift"))
        return [Badge(label=f"Drift in {where}", tone="amber", icon="drift", url=frame.url("sync"), outline=True)]
    behind = sum(state in ("behind", "sending", "held", "unknown") for state in states)
    if behind:
        label = f"{behind} target{'s' * (behind > 1)} behind"
        return [Badge(label=label, tone="blue", icon="clock", url=frame.url("sync"), outline=True)]
    unseen = {"told", "acknowledged"} & set(states)
    if states and all(state in ("in_sync", "blocked", *unseen) for state in states):
        label = "In sync where it can be seen" if unseen else "In sync everywhere"
        return [Badge(label=label, tone="green", icon="ok", url=frame.url("sync"), outline=True)]
    return []


def _request_url(change: ChangeRequest) -> str:
    return reverse("web:request", args=[request_items.number_of(change)])


def _pairs_url(frame: Frame) -> str:
    base = visitor.link("web:duplicates")
    return f"{base}?record={frame.row.uid}" if base else ""


def _may_propose(frame: Frame) -> tuple[bool, str]:
    if frame.row.status == "merged":
        return False, "This record was merged: change the surviving one."
    if not permissions.may(visitor.actor(frame.request), f"propose:{frame.kind.path}"):
        return False, "Your role may read these records only."
    if frame.elsewhere:
        return False, "It belongs to another company now."
    return True, ""


def _propose(frame: Frame) -> Action:
    allowed, why_not = _may_propose(frame)
    return Action(
        label="Propose change", url=frame.url("edit"), icon="pencil", key="p", allowed=allowed, why_not=why_not
    )


# What each change of status asks first: (label, icon, from which states, what will happen).
STATUS_ACTIONS = {
    "block": ("Block", "lock", ("active",), "Once approved, it stays readable and every target is told to block it."),
    "unblock": ("Unblock", "ok", ("blocked",), "Once approved, every target may use it again."),
    "retire": (
        "Retire",
        "minus",
        ("active", "blocked"),
        "Once approved, nobody can choose it any more. It is never deleted.",
    ),
}


def menu(frame: Frame) -> list[Action]:
    allowed, why_not = _may_propose(frame)
    found = []
    for name, (label, icon, states, what) in STATUS_ACTIONS.items():
        if frame.row.status not in states:
            continue
        confirm = Confirm(
            title=f"{label} {frame.kind.name_of(frame.document)}?",
            body=what + _reach(frame),
            button=f"Propose {label.lower()}",
            reason_label="Why?",
            danger=name == "retire",
        )
        found.append(
            Action(
                label=label,
                name=name,
                url=reverse("web:record-status", args=[frame.kind.path, frame.row.uid, name]),
                icon=icon,
                method="post",
                allowed=allowed,
                why_not=why_not,
                confirm=confirm,
                style="danger" if name == "retire" else "",
            )
        )
    if frame.row.merged_into and (merge := unmerging.merge_of(frame.kind, str(frame.row.uid))):
        url = f"{reverse('web:unmerge', args=[request_items.number_of(merge)])}?member={frame.row.uid}"
        may = permissions.may(visitor.actor(frame.request), f"propose:{frame.kind.path}")
        reads = "" if may else "Your role may read these records only."
        found.append(Action(label="Undo the merge", url=url, icon="undo", allowed=may, why_not=reads))
    if frame.kind.match:
        if frame.twins and (url := _pairs_url(frame)):
            found.append(Action(label="Compare and merge", url=url, icon="duplicate"))
            found.append(Action(label="See the whole cluster", url=frame.url("cluster"), icon="tree"))
        compare = f"{visitor.link('web:compare', frame.kind.path)}?uid={frame.row.uid}"
        found.append(Action(label="Compare with any other", url=compare, icon="columns"))
    return found


def _reach(frame: Frame) -> str:
    titles = list(
        dict.fromkeys(line["title"] for line in frame.targets if line["state"] not in ("not_sent", "not_pushable"))
    )
    return f" It stands in {', '.join(titles)}." if titles else ""


# --- tabs and callouts ----------------------------------------------------------------------------------------


def tabs(frame: Frame, current: str) -> list[Link]:
    uid = frame.row.uid
    counts = {
        "sources": SourceRecord.objects.filter(golden_uid=uid, type=frame.kind.key, active=True).count(),
        "sync": len({line["target"] for line in frame.targets}),
        "requests": request_items.touching(visitor.requests_seen(frame.request), frame.kind, uid).count(),
    }
    return [Link(title, frame.url(part), counts.get(part) or None, part == current) for part, title in TABS]


def callouts(frame: Frame) -> list[Callout]:
    found = []
    if frame.survivor:
        see = Action(label="Open it", url=frame.survivor.url)
        text = "Its keys and its history lead there; this page shows how it stood."
        found.append(Callout(title=f"Merged into {frame.survivor.label}", body=text, icon="duplicate", action=see))
    by = visitor.actor(frame.request)
    for change in frame.open[:3]:
        found.append(_open_callout(change, by))
    return found


def _open_callout(change: ChangeRequest, by: Any) -> Callout:
    mine = changes.why_not(change, "approve", by) is None
    flags = len(change.risk_flags)
    parts = [f"{flags} risk flag{'s' * (flags > 1)}" if flags else "", words.step_words(list(change.steps.all()))]
    return Callout(
        title=f"{change.title} {'waits for you' if mine else f'is {change.get_state_display().lower()}'}",
        body=", ".join(part for part in parts if part).capitalize(),
        tone="amber" if mine else "grey",
        icon=words.KINDS.get(change.kind, ("", "half"))[1],
        action=Action(label=f"{'Review' if mine else 'Open'} {change.number}", url=_request_url(change)),
    )
