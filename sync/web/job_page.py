"""One push job as its page shows it: how far, what would happen or happened, who decides, the rows and the levers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from mdm import registry
from mdm.types import Document
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter, plural
from mdm.web.page import Badge, Becomes, Callout, Fact, Link, Meta, Page, Part, Rich, Step, Tile
from mdm.web.states import LOOKS
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import is_empty, show
from sync.models import PushJob, PushRow
from sync.models.job import LIMIT, MOVES
from sync.selectors import jobs as views
from sync.selectors import sight
from sync.selectors.sight import Sight
from sync.web import doors, field_words, job_levers, job_words

MOVING = ("building", "planning", "queued", "checking", "running")
NOT_BEGUN = ("building", "planning", "waiting")
ACTS = "acts"  # what a plan is read for: not what holds the same already
_ACTS = (*PushRow.SENT, "refused")
SHOWN_CHANGES = 6
LONGEST = 80  # characters of a value
COLUMNS = (
    Column(label="Record"),
    Column(label="Outcome"),
    Column(label="Version", numeric=True, priority=2),
    Column(label="What it says", priority=1),
)
PLAN_COLUMNS = (
    Column(label="Record"),
    Column(label="Plan", tight=True),
    Column(label="What would change"),
    Column(label="Outcome", priority=1, tight=True),
)
_OUTCOMES = ("posted", "unchanged", "refused", "failed", "overtaken", "cancelled", "moved")


def build(request: HttpRequest, job: PushJob) -> dict[str, Any]:
    filters = _filters(job)
    held = browsing.values_of(request, filters)
    part = browsing.cut(request, _rows(request, job, held), order=("place",), size=50)
    return {
        "page": Page(
            title=job_words.title(job),
            crumbs=[Link("Push jobs", reverse("sync:jobs")), Link(job.target.title, "")],
            badges=_badges(job),
            meta=_meta(job),
            menu=job_levers.menu(request, job),
            primary=job_levers.primary(request, job),
        ),
        "job": {
            "live": job.state in MOVING,
            "done": _looked_up(job) if job.state == "planning" else job.done,
            "total": job.total if job.state != "building" else None,
            "title": LOOKS["job"][job.state].label,
            "note": job_words.NOTES.get(job.state, ""),
        },
        "callouts": _callouts(job, own=job.requested_by_id == request.user.pk),
        "tiles": _tiles(job, held),
        "facts": _facts(job),
        "track": _track(job),
        "filters": browsing.bar(request, "Rows where", filters),
        "table": _table(request, job, part.rows) if part.rows else None,
        "pager": browsing.pager(request, part, "rows"),
        "nothing": _nothing(job, held) if not part.rows else "",
    }


def _rows(request: HttpRequest, job: PushJob, held: Mapping[str, str]) -> Any:
    seen = visitor.entities(request)
    if held.get("effect") != ACTS:
        return views.rows_of(job, seen, held)
    return views.rows_of(job, seen, {"state": held["state"]}).filter(effect__in=_ACTS)


def _nothing(job: PushJob, held: Mapping[str, str]) -> Rich:
    """Why the list under the tiles is empty."""
    if job.state == "building" or (job.kind == "plan" and job.state == "planning"):
        return "Nothing found so far."
    if held.get("effect") == ACTS and not held.get("state"):
        return [
            f"Nothing would change: {job.target.title} holds the same. ",
            Part(text="Every row", url="?effect="),
            ".",
        ]
    return ["No row fits. ", Part(text="Every row", url="?effect="), "."]


def _looked_up(job: PushJob) -> int:
    return sum(job.counts.get(f"plan_{name}", 0) for name in PushRow.EFFECTS)


def _badges(job: PushJob) -> list[Badge]:
    found = [Badge(state=job.state, domain="job")]
    if job.forced:
        found.append(Badge(label="As it was", tone="amber", icon="history", outline=True))
    return found


def _meta(job: PushJob) -> list[Meta]:
    found = [
        Meta(kind="person", text=job.requested_by_name, at=job.created_at),
        Meta(text=f"{job.rate_per_s:g} a second"),
    ]
    if job.parent:
        url = reverse("sync:job", args=[job.parent.uid])
        found.append(Meta(kind="link", text=f"follows {job_words.title(job.parent).lower()}", url=url))
    return found


def _filters(job: PushJob) -> list[Filter]:
    states = tuple((key, one.label) for key, one in LOOKS["push_row"].items())
    found = [Filter(name="state", words="outcome is", options=states)]
    if job.kind == "plan":
        acts = (ACTS, "a change or a refusal")
        found.append(Filter(name="effect", words="plan is", options=(acts, *job_words.EFFECTS.items()), default=ACTS))
    return found


def _callouts(job: PushJob, own: bool) -> list[Callout]:
    if job.state == "stale":
        body: Rich = [
            f"{job.error} Nothing more of this plan is applied. ",
            Part(text="The rows that moved", url="?state=moved"),
            ".",
        ]
        return [Callout(title="The target moved since the plan was made", body=body, tone="amber", icon="drift")]
    if job.state == "failed":
        return [Callout(title="The job stopped", body=job.error, tone="red", icon="alert")]
    if job.state == "refused":
        return [Callout(title="Refused", body=job.comment, tone="grey", icon="no")]
    if job.state == "waiting" and job.needs_approval:
        why = "It sends versions as they were" if job.forced else f"It is more than {LIMIT} deliveries"
        if not job.forced and job.sends <= LIMIT:
            why = f"Together with what was asked for before, it is more than {LIMIT} deliveries"
        body = f"{why}. Nothing was sent yet." + (" You asked for it, so somebody else decides." if own else "")
        return [Callout(title="A second person decides", body=body, tone="amber", icon="half")]
    if job.state == "running" and (word := _stands_still(job)):
        return [Callout(title=word, body="The job goes on by itself when the target does.", tone="amber", icon="pause")]
    return []


def _stands_still(job: PushJob) -> str:
    target = job.target
    if target.paused_at:
        return f"{target.title} is paused"
    return f"{target.title} does not answer" if target.breaker == "open" else ""


def _tiles(job: PushJob, held: Mapping[str, str]) -> list[Tile]:
    """Numbers, and at the same time what the rows below are chosen by."""
    if job.kind == "plan":
        effects = {name: job.counts.get(f"plan_{name}", 0) for name in PushRow.EFFECTS}
        planned = [
            Tile(
                label=words, value=effects.get(name, 0), url=f"?effect={name}", current=held["effect"] == name,
                tone="red" if name == "refused" else "",
            )
            for name, words in job_words.EFFECTS.items()
            if effects.get(name) or name in PushRow.SENT
        ]  # fmt: skip
        return planned if job.state in NOT_BEGUN else [*planned, *_outcomes(job, held)]
    first = [Tile(label="Records", value=job.total, note=_left_out(job))]
    if job.state in NOT_BEGUN:
        return [*first, Tile(label="Would be sent", value=job.sends, note=_needs())]
    return [*first, *_outcomes(job, held)]


def _needs() -> str:
    return f"more than {LIMIT} need a second person"


def _outcomes(job: PushJob, held: Mapping[str, str]) -> list[Tile]:
    waiting = job.total - job.done
    tiles = [Tile(label="Still to come", value=waiting)] if waiting and job.state in MOVING else []
    return tiles + [
        Tile(
            label=LOOKS["push_row"][name].label,
            value=job.counts.get(name, 0),
            url=f"?state={name}",
            current=held["state"] == name,
            tone="red" if name in ("refused", "failed") and job.counts.get(name) else "",
        )
        for name in _OUTCOMES
        if job.counts.get(name) or name == "posted"
    ]


def _left_out(job: PushJob) -> str:
    counts = {name: many for name, many in job.counts.items() if name not in (*_OUTCOMES, "queued") and many}
    return ", ".join(f"{many:,} {job_words.why(name)}" for name, many in counts.items() if not name.startswith("plan_"))


def _facts(job: PushJob) -> list[Fact]:
    found = [Fact(label="Which records", value=_scope(job))]
    if job.reason:
        found.append(Fact(label="Why", value=job.reason))
    found += [
        *([Fact(label="Would be sent", value=job.sends, note=_needs())] if job.state not in MOVING[:2] else []),
        *([Fact(label="Started", value=job.started_at, kind="time")] if job.started_at else []),
        *([Fact(label="Ended", value=job.finished_at, kind="time")] if job.finished_at else []),
        *([Fact(label="Fingerprint", value=job.content_hash, kind="id")] if job.content_hash else []),
        Fact(
            label="Correlation",
            value="Follow it to the answers",
            kind="link",
            url=reverse("sync:chain", args=[job.correlation_id]),
        ),
    ]
    return found


def _scope(job: PushJob) -> str:
    scope = job.scope
    if job.kind == "replay":
        named = {k: v for k, v in scope["filter"].items() if k not in ("target", "uid")}
        words = [f"{name.replace('_', ' ')} {value}" for name, value in named.items()]
        words += (
            [plural(len(scope["filter"]["uid"]), "chosen delivery", "chosen deliveries")]
            if "uid" in scope["filter"]
            else []
        )
        return "Deliveries found by " + (", ".join(words) or "their target")
    if job.kind == "repeat":
        return "What did not arrive of an earlier job"
    what = ", ".join(kind.nouns for one in scope["types"] if (kind := registry.find(one)))
    if scope.get("records"):
        return f"{plural(len(scope['records']), 'chosen record')} ({what})"
    if scope.get("since"):
        return f"All {what} changed since {show(datetime.fromisoformat(scope['since']).date())}"
    return f"All {what}"


def _track(job: PushJob) -> list[Step]:
    asked = Step(title="Asked for", state="done", who=job.requested_by_name, at=job.created_at, quote=job.reason)
    if not job.needs_approval:
        return []
    if job.approved_by:
        who = views.name_of(job.approved_by)
        return [asked, Step(title="Approved", state="done", who=who, at=job.approved_at, quote=job.comment)]
    if job.state == "refused":
        return [asked, Step(title="Refused", state="refused", at=job.finished_at, quote=job.comment)]
    now = "now" if job.state == "waiting" else "lapsed" if not MOVES[job.state] else "open"
    body = "An operator or a data steward, but not who asked"
    return [asked, Step(title="Second person", state=now, body=body)]  # type: ignore[arg-type]


def _table(request: HttpRequest, job: PushJob, rows: list[PushRow]) -> Table:
    if job.kind != "plan":
        return Table(caption="Rows of the job", columns=COLUMNS, rows=[Row(cells=_sent(row)) for row in rows])
    documents = field_words.documents(
        (row.type, row.record) for row in rows if any("/" in one["path"] for one in row.changes)
    )
    seen = views.sight_of(rows, visitor.entities(request))
    # Before anything was sent there is no outcome to show.
    columns = PLAN_COLUMNS[:3] if job.state in NOT_BEGUN else PLAN_COLUMNS
    shown = [Row(cells=_planned(row, documents.get(str(row.record)), seen)[: len(columns)]) for row in rows]
    return Table(caption="Rows of the job", columns=columns, rows=shown)


def _name(row: PushRow) -> Cell:
    url = doors.record_link(row.type, row.record)
    return Cell(value=row.label or str(row.record), kind="title", url=url, sub=row.key)


def _outcome(row: PushRow) -> Cell:
    url = reverse("sync:delivery", args=[row.made.uid]) if row.made else ""
    loud = row.state in ("refused", "failed", "moved")
    return Cell(value=row.state, kind="state", domain="push_row", url=url, loud=loud)


def _sent(row: PushRow) -> list[Cell]:
    version: int | None = row.made.version if row.made else row.version
    note = f"was {row.version}" if row.version and row.made and row.made.version != row.version else ""
    return [_name(row), _outcome(row), Cell(value=version, kind="number", sub=note), Cell(value=_why(row))]


def _planned(row: PushRow, document: Document | None, seen: Sight) -> list[Cell]:
    lines = _changes(row, document, seen)
    effect = Cell(value=row.effect, kind="state", domain="effect", loud=row.effect == "refused")
    more, hidden = len(lines) - SHOWN_CHANGES, len(views.changes_of(row, seen)) < len(row.changes)
    return [
        _name(row),
        effect if row.effect else Cell(value="", note="not looked up yet"),
        Cell(value=lines[:SHOWN_CHANGES], kind="becomes", label=False, sub=_more(more, hidden))
        if lines
        else Cell(value=_why(row) or (sight.HIDDEN if row.changes else ""), muted=True, label=False),
        _outcome(row) if row.state != "left" else Cell(value="", note=""),
    ]


def _more(more: int, hidden: bool) -> str:
    return ", ".join([*([f"and {more} more"] if more > 0 else []), *([sight.HIDDEN.lower()] if hidden else [])])


def _changes(row: PushRow, document: Document | None, seen: Sight) -> list[Becomes]:
    """Each difference once: what a target keeps in two places is one value of ours."""
    kind = registry.get(row.type)
    said = [
        Becomes(
            label=field_words.of_change(kind, one, document), before=_short(one["theirs"]), after=_short(one["ours"])
        )
        for one in views.changes_of(row, seen)
    ]
    return list(dict.fromkeys(said))


def _why(row: PushRow) -> str:
    return job_words.why(row.why).capitalize() if row.state == "left" and " " not in row.why else row.why


def _short(value: Any) -> str:
    text = "nothing" if is_empty(value) else show(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
