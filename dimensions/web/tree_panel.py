"""What stands beside a tree: the node that is looked at, the forms that change it, and the draft they gather in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from dimensions.models import Hierarchy, HierarchyNode
from dimensions.web.tree_page import Looked, Where
from mdm import registry
from mdm.models import ChangeRequest
from mdm.registry import RecordType
from mdm.selectors import request_items
from mdm.web import visitor
from mdm.web.page import Fact
from mdm.web.tables import Field, Option
from mdm.web.values import day

OFFERED = 300  # groups and records a field offers; any other may be typed


def facts(hierarchy: Hierarchy, looked: Looked, look: Where) -> list[Fact]:
    member_kind = registry.find(hierarchy.members)
    found = []
    if looked.member and member_kind:
        record = Fact(
            label=member_kind.title,
            value=looked.member.code,
            kind="link",
            url=visitor.record_url(member_kind, looked.member.uid),
        )
        found.append(record)
    way = " › ".join(one.name or one.node for one in looked.way[:-1])
    found.append(Fact(label="Under", value=way or ("the top" if looked.way else "nothing on that day")))
    if looked.standing:
        start, end = looked.standing.valid_from, looked.standing.valid_to
        since = day(start) if start else "ever"
        found.append(Fact(label="There since", value=since if end is None else f"{since}, until {day(end)}"))
    node = registry.get("hierarchy_node")
    if looked.uid and not (looked.pending and looked.pending.was is None and not looked.way):
        history = visitor.record_url(node, looked.uid, "timeline")
        found.append(Fact(label="Node", value="Periods and history", kind="link", url=history))
    if looked.pending:
        change = looked.pending.request
        url = reverse("web:request", args=[request_items.number_of(change)])
        words = "in your draft" if change.state == "draft" else change.get_state_display().lower()
        found.append(Fact(label="Request", value=f"{change.number}, {words}", kind="link", url=url))
    return found


def forms(
    request: HttpRequest, hierarchy: Hierarchy, looked: Looked | None, look: Where, doing: str
) -> list[dict[str, Any]]:
    """What can be done to the node that is looked at, or at the top when there is none."""
    since = look.on if look.on > timezone.localdate() else next_month()
    groups = HierarchyNode.objects.filter(hierarchy=hierarchy.code, kind="group").exclude(status__in=("retired",))
    options = [
        Option(value=code, label=name or code) for code, name in groups.order_by("node").values_list("node", "name")[:OFFERED]
    ]  # fmt: skip
    typed = request.POST if doing else {}

    def field(form: str, name: str, label: str, **more: Any) -> Field:
        value = typed.get(name, "") if doing == form else more.pop("value", "")
        more.pop("value", None)
        return Field(name=name, label=label, id=f"{form}-{name}", value=value, **more)

    def from_day(form: str, label: str, help_: str = "") -> Field:
        return field(form, "from", label, kind="date", value=since.isoformat(), help=help_)

    found = []
    new = looked is not None and looked.pending is not None and looked.pending.was is None
    if looked and looked.standing:
        target = request.GET.get("to", "")
        move = [
            field("move", "parent", "Under", kind="combo", mono=True, options=options, value=target, help="Empty: at the top."),
            from_day("move", "From"),
        ]  # fmt: skip
        found.append(_form("move", "Move", "Move it", "move", move, looked.uid, doing or ("move" if target else "")))
        if looked.kind == "group":
            rename = [field("rename", "name", "Name", value=looked.name), from_day("rename", "From")]
            found.append(_form("rename", "Rename", "Rename it", "pencil", rename, looked.uid, doing))
        if not new:
            close = [from_day("close", "From this day on it stands nowhere")]
            found.append(_form("close", "Close", "Close it", "minus", close, looked.uid, doing))
    if looked is None or looked.kind == "group":
        found.append(_add(hierarchy, looked, field, doing))
    return found


def _add(hierarchy: Hierarchy, looked: Looked | None, field: Any, doing: str) -> dict[str, Any]:
    kinds = [("group", "A group"), ("member", _one_of(hierarchy))]
    chosen = "member" if looked else "group"
    fields = [
        field("add", "kind", "What", kind="radio", options=[Option(value=v, label=w, selected=v == chosen) for v, w in kinds]),
        field("add", "code", "Code", mono=True, help="Of a member: the code of its record."),
        field("add", "name", "Name of a group", optional=True),
        field("add", "from", "From", kind="date", optional=True, help="Empty: since ever."),
        Field(name="parent", label="", kind="hidden", value=looked.node if looked else ""),
    ]  # fmt: skip
    title = f"Add under {looked.node}" if looked else "Add at the top"
    return _form("add", title, "Add it", "plus", fields, "", doing, opened=looked is None)


def _one_of(hierarchy: Hierarchy) -> str:
    kind: RecordType | None = registry.find(hierarchy.members)
    words = kind.one if kind else "a member"
    return f"{words[0].upper()}{words[1:]}"


def _form(
    do: str, title: str, button: str, icon: str, fields: Sequence[Field], uid: str, doing: str, *, opened: bool = False
) -> dict[str, Any]:
    return {
        "do": do, "title": title, "button": button, "icon": icon, "fields": fields, "uid": uid,
        "open": doing == do or (opened and not doing), "failed": doing == do,
    }  # fmt: skip


def next_month() -> date:
    return (timezone.localdate().replace(day=1) + timedelta(days=32)).replace(day=1)


def draft(hierarchy: Hierarchy, draft: ChangeRequest) -> dict[str, Any]:
    items = []
    for item in draft.items.all():
        paths = {change["path"]: change["after"] for change in item.changes}
        node = str(paths.get("node") or item.label)
        words = "new" if item.action == "create" else "changed"
        items.append({"node": node, "words": words, "uid": str(item.uid)})
    url = reverse("web:request", args=[request_items.number_of(draft)])
    return {"items": items, "number": draft.number, "url": url}
