"""The review put together: everything a template shows of one request."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from mdm import ports
from mdm.models import ChangeRequest
from mdm.models.change import OPEN_STATES
from mdm.selectors import request_items
from mdm.selectors.request_items import Looked
from mdm.web import charts, visitor
from mdm.web.deadlines import due
from mdm.web.page import Action, Callout, Fact, Link, Tile, Tone
from mdm.web.review import approval, differences, surroundings, words
from mdm.web.tables import Pager
from mdm.web.values import day

_OF_RULES = (("asked", "are left to people"), ("refused", "cannot follow"))
ITEMS = 10  # of a request with many records, on one page
OUTCOMES: tuple[tuple[str, str, Tone], ...] = (
    ("linked", "Linked", "green"),
    ("new", "New", "blue"),
    ("updated", "Changed", "purple"),
    ("unchanged", "Same", "grey"),
    ("candidate", "Candidate", "amber"),
    ("quarantined", "Quarantine", "red"),
)


def review(
    request: HttpRequest,
    change: ChangeRequest,
    *,
    brief: bool = False,
    error: str = "",
    comment: str = "",
    after_url: str = "",
) -> dict[str, Any]:
    """`brief`: beside the inbox, where only the first records of a long request are shown."""
    by, seen = visitor.actor(request), visitor.entities(request)
    looked, more = request_items.page(
        change, entities=seen, after=0 if brief else _after(request), size=3 if brief else ITEMS
    )
    permits = approval.permitted(change, by, sees_all=request_items.sees_all(change, seen))
    listed = differences.items(change, looked)
    total = _total(change, looked, more)
    first = looked[0] if total == 1 and looked else None
    return {
        **_basics(change, permits),
        "record": _record(first),
        "callouts": [*_error(error), *_callouts(change), *differences.clash_callouts(looked)],
        "load": _load(change),
        "items": listed,
        "more_items": max(total - len(looked), 0) if brief else 0,
        "items_pager": None if brief or total <= ITEMS else _pager(request, looked, more, total),
        "diff_summary": differences.summary(looked, listed, total),
        "conflicts": differences.conflicts(change, looked),
        "targets": [] if any(part.hidden or part.unseen for part in looked) else surroundings.targets(change),
        "duplicates": surroundings.duplicates(change, looked),
        "panels": [] if brief else _panels(change, looked),
        "used_by": [] if brief else surroundings.used_by(change, looked, _others(request, change, first), seen),
        "track": approval.track(change, by),
        "decision": approval.decision(change, permits, url=_url(change, "decide"), comment=comment),
        "permits": permits,
        "after_url": after_url,
    }


def _panels(change: ChangeRequest, looked: list[Looked]) -> list[str]:
    """Parts that other packages add, by the types of the records shown."""
    types = {part.item.type for part in looked}
    return [url for panels in ports.request_panels for url in panels(change, types)]


def _basics(change: ChangeRequest, permits: dict[str, tuple[bool, str]]) -> dict[str, Any]:
    """What stands in the request itself, whoever looks and whatever its items are."""
    return {
        "ref": change.number,
        "number": request_items.number_of(change),
        "url": _url(change),
        "title": change.title,
        "state": "needs_you" if permits["approve"][0] else change.state,
        "by": words.requester(change),
        "at": change.submitted_at or change.created_at,
        "due": due(change.due_at) if change.state == "in_review" else None,
        "step": words.step_words(list(change.steps.all())),
        "next": approval.next_words(change, permits),
        "risks": words.risks(change),
        "risk_summary": words.risk_summary(change),
        "risk_tone": words.worst(change)[0] or "grey",
        "resolve_url": _url(change, "resolve"),
        "comments": [{"by": c.author, "at": c.at, "text": c.text} for c in change.comments.all()],
        "comment_url": _url(change, "comment"),
        "policy": f"Policy “{change.policies[0]}”" if len(change.policies) == 1 else "",
        "facts": _facts(change),
    }


def _url(change: ChangeRequest, part: str = "") -> str:
    return reverse(f"web:request-{part}" if part else "web:request", args=[request_items.number_of(change)])


def _after(request: HttpRequest) -> int:
    text = request.GET.get("after", "")
    return int(text) if text.isdigit() and len(text) < 18 else 0


def _total(change: ChangeRequest, looked: list[Looked], more: int) -> int:
    return change.items.count() if more or not looked or len(looked) >= ITEMS else len(looked)


def _pager(request: HttpRequest, looked: list[Looked], more: int, total: int) -> Pager:
    onward = visitor.changed_query(request, after=str(more)) if more else ""
    first = visitor.changed_query(request, after=None) if _after(request) else ""
    return Pager(summary=f"{len(looked)} of {total:,} records", previous=first, next=onward)


def _record(part: Looked | None) -> Link | None:
    if part is None or part.unseen or (part.before is None and part.item.result_version is None):
        return None
    version = f", version {part.item.base_version}" if part.item.base_version else ""
    return Link(f"{part.code or part.label}{version}", visitor.record_url(part.kind, part.item.uid))


def _others(request: HttpRequest, change: ChangeRequest, part: Looked | None) -> list[ChangeRequest]:
    if part is None:
        return []
    rows = request_items.touching(visitor.requests_seen(request), part.kind, part.item.uid)
    return list(rows.filter(state__in=OPEN_STATES).exclude(pk=change.pk).order_by("-pk")[:5])


def _error(error: str) -> list[Callout]:
    kept = "Nothing was changed, and what you wrote is kept below."
    return [Callout(title=error, body=kept, tone="red", icon="alert")] if error else []


def _callouts(change: ChangeRequest) -> list[Callout]:
    made = []
    if change.kind == "rules":
        made.append(_rules_callout(change))
    if change.reverts:
        url = reverse("web:request", args=[request_items.number_of(change.reverts)])
        see = Action(label=f"Open {change.reverts.number}", url=url)
        made.append(
            Callout(title=f"This undoes {change.reverts.number}", body=change.reverts.title, icon="undo", action=see)
        )
    if change.kind == "merge" and change.state == "applied":
        for undone in change.reverted_by.filter(kind="unmerge", state="applied").order_by("pk"):
            see = Action(label=f"Open {undone.number}", url=_url(undone))
            made.append(Callout(title=f"Undone by {undone.number}", body=undone.title, icon="undo", action=see))
    if change.state == "conflicted":
        body = "While this request waited, somebody else changed the same fields. Choose row by row which value holds."
        made.append(
            Callout(title="Not applied: two people changed the same fields", body=body, tone="amber", icon="alert")
        )
    return made


def _rules_callout(change: ChangeRequest) -> Callout:
    counts = change.rule_change.counts
    see = Action(label="See the rehearsal", url=visitor.link("web:rule-change", change.rule_change.uid))
    parts = [f"{counts.get('changed', 0):,} change"]
    parts += [f"{counts[name]:,} {words_}" for name, words_ in _OF_RULES if counts.get(name)]
    body = f"Of {counts.get('records', 0):,} records {', '.join(parts)}. Look at the rules and at single values before you sign."
    return Callout(title="Other survivorship rules, rehearsed on every record", body=body, icon="gear", action=see)


def _load(change: ChangeRequest) -> dict[str, Any] | None:
    """A load shows what became of its rows; its records follow page by page."""
    job = change.import_job
    if job is None:
        return None
    counts = job.counts
    parts = [charts.Proportion(label, counts[name], tone) for name, label, tone in OUTCOMES]
    url = visitor.link("web:import", job.uid)
    return {
        "proportions": charts.proportions(parts),
        "tiles": [
            Tile(label=label, value=counts[name], tone=tone, url=f"{url}?outcome={name}" if url else "")
            for name, label, tone in OUTCOMES
        ],
        "balance": f"{counts['in']:,} rows in, {sum(counts[name] for name, _, _ in OUTCOMES):,} outcomes",
        "link": Link(job.file_name, url),
    }


def _facts(change: ChangeRequest) -> list[Fact]:
    facts = [
        Fact(label="Effective", value=day(change.effective_on) if change.effective_on else "as soon as approved"),
        Fact(label="Priority", value=change.get_priority_display()),
        Fact(label="Origin", value=words.ORIGINS.get(change.origin, change.origin)),
    ]
    if change.edits:
        facts.append(Fact(label="Edited", value=f"{change.edits} time{'s' * (change.edits > 1)}"))
    if len(change.policies) > 1:
        facts.append(Fact(label="Policies", value=change.policies))
    return [
        *facts,
        Fact(label="Content hash", value=change.content_hash, kind="id"),
        Fact(label="Correlation", value=change.correlation_id, kind="id"),
    ]
