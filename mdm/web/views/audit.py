"""The audit log: who did what, when; and the proof that nobody edited it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from mdm import permissions, registry
from mdm.errors import NotAllowed
from mdm.models import AuditEntry
from mdm.selectors import audit_log
from mdm.services import audit
from mdm.web import visitor
from mdm.web.page import Action, Callout, Empty, Page
from mdm.web.tables import Cell, Chip, Column, Field, FilterBar, Pager, Row, Table

COLUMNS = (
    Column(label="When"),
    Column(label="Who"),
    Column(label="What"),
    Column(label="About"),
    Column(label="Details", priority=2),
    Column(label="Number", priority=3, numeric=True),
)
LABELS = {"actor": "who", "action": "what", "type": "kind", "object": "object", "correlation": "correlation id"}


@visitor.page
def log(request: HttpRequest) -> HttpResponse:
    """The page; a POST runs the proof and shows its result above the list."""
    if not permissions.may(visitor.actor(request), "audit"):
        raise NotAllowed("The audit log is for auditors and governance leads.")
    rows = audit_log.find(request.GET.dict())
    entries, newer, older = audit_log.page(rows, _number(request, "before"), _number(request, "after"))
    context = {
        "page": Page(title="Audit log", note="Every entry is chained to the one before it", primary=_verify()),
        "filters": _filters(request),
        "table": Table(caption="Audit log", columns=COLUMNS, rows=[_row(entry) for entry in entries], data=True),
        "pager": _pager(request, entries, newer, older),
        "proof": _proof() if request.method == "POST" else None,
        "empty": Empty(title="No entry fits", text="Take a filter away.", icon="search"),
    }
    return render(request, "web/audit.html", context)


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isdigit() and len(text) < 19 else None


def _verify() -> Action:
    return Action(
        label="Verify the log", name="verify", url=reverse("web:audit"), method="post", icon="shield", style="primary"
    )


def _proof() -> Callout:
    """Re-computes the whole chain now; what is not sealed yet is sealed first."""
    while audit.seal():
        pass
    breaks = audit.verify()
    count = AuditEntry.objects.exclude(seq=None).count()
    if not breaks:
        last = AuditEntry.objects.exclude(seq=None).order_by("-seq").first()
        body = f"{count:,} entries, the last one has the hash {last.hash[:16]}…" if last else "There is no entry yet."
        return Callout(
            title="The log is whole: nothing was changed, removed or put in", body=body, tone="green", icon="ok"
        )
    first = breaks[0]
    body = f"First at number {first['seq']}: {first['what']}. Keep a copy of the database and tell security now."
    return Callout(title=f"The chain is broken at {len(breaks)} places", body=body, tone="red", icon="no")


def _row(entry: AuditEntry) -> Row:
    kind = registry.find(entry.object_type)
    url = visitor.record_url(kind, entry.object_uid) if kind else ""
    if entry.object_type == "change_request" and entry.object_label.startswith("CR-"):
        url = visitor.link("web:request", int(entry.object_label.split()[0].removeprefix("CR-")))
    said = ", ".join(
        f"{name} {_short(value)}" for name, value in entry.detail.items() if value not in (None, "", [], {})
    )
    return Row(
        cells=[
            Cell(value=entry.at, kind="time"),
            Cell(value=entry.actor_name, kind="person"),
            Cell(value=entry.action.replace(".", " ").replace("_", " ")),
            Cell(value=entry.object_label or entry.object_uid, kind="link" if url else "", url=url),
            Cell(value=said[:160], muted=True),
            Cell(value=entry.seq, kind="number", muted=True),
        ],
        title=entry.object_label,
    )


def _short(value: object) -> str:
    if isinstance(value, list):
        return f"{len(value)}" if len(value) > 3 else ", ".join(str(item).split("/")[0] for item in value)
    text = str(value)
    return text if len(text) <= 40 else f"{text[:16]}…"


def _filters(request: HttpRequest) -> FilterBar:
    held = {name: request.GET.get(name, "") for name in LABELS}
    return FilterBar(
        subject="Entries where",
        chips=[
            Chip(words=f"{LABELS[name]} is", value=value, remove_url=visitor.changed_query(request, **{name: None}))
            for name, value in held.items()
            if value
        ],
        fields=[
            Field(name="actor", label="Who", value=held["actor"]),
            Field(name="action", label="What", value=held["action"], placeholder="request.approved"),
            Field(name="correlation", label="Correlation id", value=held["correlation"], mono=True),
        ],
        url=reverse("web:audit"),
        q=request.GET.get("q", ""),
        placeholder="Name, code or person",
        clear_url=reverse("web:audit") if any(held.values()) or request.GET.get("q") else "",
    )


def _pager(request: HttpRequest, entries: list[AuditEntry], newer: bool, older: bool) -> Pager | None:
    if not entries:
        return None
    clear = {"before": None, "after": None}
    return Pager(
        summary=f"{len(entries)} entries",
        previous=visitor.changed_query(request, **(clear | {"after": str(entries[0].pk)})) if newer else "",
        next=visitor.changed_query(request, **(clear | {"before": str(entries[-1].pk)})) if older else "",
    )
