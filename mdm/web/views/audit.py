"""The audit log: who did what, when; and the proof that nobody edited it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from mdm import crypto, permissions, registry
from mdm.errors import NotAllowed
from mdm.models import AuditEntry
from mdm.selectors import audit_log
from mdm.services import audit
from mdm.web import audit_words, browsing, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Action, Callout, Empty, Page, Part
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import number

COLUMNS = (
    Column(label="When", tight=True),
    Column(label="Who"),
    Column(label="What"),
    Column(label="About"),
    Column(label="Details", priority=1),
    Column(label="Correlation", priority=2),
    Column(label="Number", priority=3, numeric=True),
)
TYPES = (
    ("change_request", "Requests"), ("import", "Imports"), ("duplicate_pair", "Pairs"), ("target", "Targets"),
    ("token", "Tokens"), ("person", "People"),
)  # fmt: skip
BREAKS = 5  # places of a broken chain that are listed


@require_http_methods(["GET", "POST"])
@visitor.page
def log(request: HttpRequest) -> HttpResponse:
    """The page; a POST runs the proof and shows its result above the list."""
    if not permissions.may(visitor.actor(request), "audit"):
        raise NotAllowed("The audit log is for auditors and governance leads.")
    filters = _filters()
    held = browsing.values_of(request, filters) | {"q": request.GET.get("q", "").strip()[:200]}
    held["action"] = held["action"].replace(" ", ".", 1).replace(" ", "_") or held.pop("area")
    part = browsing.cut(request, audit_log.find(held, visitor.actor(request), visitor.entities(request)))
    about = audit_words.urls(part.rows)
    context = {
        "page": Page(title="Audit log", note="Every entry is chained to the one before it", primary=_verify(request)),
        "filters": browsing.bar(request, "Entries where", filters, placeholder="Name, code or person"),
        "table": Table(
            caption="Audit log", columns=COLUMNS, rows=[_row(request, entry, *about[entry.pk]) for entry in part.rows]
        ),
        "pager": browsing.pager(request, part, "entries"),
        "proof": _proof() if request.method == "POST" else None,
        "empty": _empty(any(held.values())),
    }
    return render(request, "web/audit.html", context)


def _filters() -> list[Filter]:
    types = [*((kind.key, kind.plural) for kind in registry.all_types()), *TYPES]
    return [
        Filter(name="actor", words="who is", label="Who", kind="text"),
        Filter(name="action", words="what is", label="What", kind="text"),
        Filter(name="area", words="area is", options=audit_words.AREAS),
        Filter(name="type", words="about", label="About", options=types),
        Filter(name="object", words="object is", label="Object (uid)", kind="text"),
        Filter(name="correlation", words="correlation id is", label="Correlation id", kind="text"),
        Filter(name="from", words="from", label="From", kind="date"),
        Filter(name="to", words="to", label="To", kind="date"),
    ]


def _empty(filtered: bool) -> Empty:
    if filtered:
        return Empty(title="No entry fits", text="Take a filter away.", icon="filter")
    return Empty(
        title="Nothing is on record yet",
        text="Every action of a person or of the hub itself stands here.",
        icon="shield",
    )


def _verify(request: HttpRequest) -> Action:
    return Action(label="Verify the log", name="verify", url=request.get_full_path(), method="post", icon="shield")


def _proof() -> Callout:
    """Re-computes the whole chain now; what is not sealed yet is sealed first."""
    while audit.seal():
        pass
    breaks = audit.verify()
    sealed = AuditEntry.objects.exclude(seq=None)
    if not breaks:
        last = sealed.order_by("-seq").first()
        body: Any = "There is no entry yet."
        if last is not None:
            checked = f"{number(last.seq)} entries were checked one by one. The last one has the fingerprint "
            body = [checked, Part(text=last.hash[:16], mono=True), ": compare it with the one you noted."]
        return Callout(
            title="The log is whole: nothing was changed, removed or put in", body=body, tone="green", icon="ok"
        )
    listed = [f"At number {found['seq']}, {found['what']}." for found in breaks[:BREAKS]]
    rest = f" And {len(breaks) - BREAKS} more places." if len(breaks) > BREAKS else ""
    body = f"{' '.join(listed)}{rest} Keep a copy of the database and tell security now."
    return Callout(
        title=f"The chain is broken at {browsing.plural(len(breaks), 'place')}", body=body, tone="red", icon="no"
    )


def _row(request: HttpRequest, entry: AuditEntry, label: str, url: str) -> Row:
    same = visitor.changed_query(request, correlation=entry.correlation_id)
    return Row(
        cells=[
            Cell(value=entry.at, kind="time"),
            Cell(value=entry.actor_name if entry.actor_kind != "system" else None, kind="person", sub=_acting(entry)),
            Cell(value=audit_words.said(entry.action).words),
            Cell(value=label, url=url),
            Cell(value=_details(entry), muted=True),
            Cell(value=f"{entry.correlation_id[:8]}…" if entry.correlation_id else "", kind="id", url=same),
            Cell(value=entry.seq, kind="number", muted=True) if entry.seq else Cell(value="", note="soon"),
        ],
        title=label,
    )


def _acting(entry: AuditEntry) -> str:
    return {"token": "by token", "system": entry.actor_name}.get(entry.actor_kind, "")


def _details(entry: AuditEntry) -> str:
    """The action as filters know it, then the telling parts; never more of a bank number than its mask."""
    shown = crypto.mask_tree(entry.detail)
    said = [
        f"{name.replace('_', ' ')} {_short(value)}" for name, value in shown.items() if value not in (None, "", [], {})
    ]
    action = entry.action.replace(".", " ").replace("_", " ")
    text = f"{action}: {', '.join(said)}" if said else action
    return text if len(text) <= 140 else f"{text[:140]}…"


def _short(value: object) -> str:
    if isinstance(value, list):
        return f"{len(value)}" if len(value) > 3 else ", ".join(str(item).split("/")[0] for item in value)
    text = str(value)
    return text if len(text) <= 40 else f"{text[:16]}…"
