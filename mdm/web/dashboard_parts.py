"""The parts of the dashboard that the kernel itself knows: tiles, what is stuck, quality, cycle times, what changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from mdm import permissions, registry
from mdm.models import AuditEntry, DuplicatePair, ImportJob, QuarantinedRow
from mdm.registry import RecordType
from mdm.selectors import metrics
from mdm.web import charts, memory, visitor
from mdm.web.page import Event, Link, Notice, Part, Rich, Tile
from mdm.web.review import words

KEEP = 60  # seconds the measurements are kept
DAYS = 30
RECENT = 5000  # entries of the audit log looked through for what changed: a load writes one for every record


# --- measurements ---------------------------------------------------------------------------------------------


def quality(kind: RecordType) -> metrics.Quality:
    return memory.remember(f"dashboard:quality:{kind.key}", KEEP, lambda: metrics.quality(kind, DAYS))


def quality_chart(measured: metrics.Quality | None) -> charts.LineChart | None:
    if measured is None or measured.score is None:
        return None
    known = [point for point in measured.days if point[1] is not None]
    days = measured.days[-max(len(known), 7) :]
    points = [(f"{day.day} {day:%b}", score) for day, score in days]
    return charts.line(points, title="Quality score by day", value_name="Score", unit=" %", floor_zero=len(known) < 2)


def quality_link(kind: RecordType | None, measured: metrics.Quality | None) -> Link | None:
    """The list of records that lose most: without the part that most records lack."""
    if kind is None or measured is None or not measured.weakest:
        return None
    part = measured.weakest
    lacking = measured.records - measured.holds[part]
    if not lacking:
        return None
    label = kind.label(part)
    noun = kind.noun if lacking == 1 else kind.nouns
    url = f"{reverse('web:records', args=[kind.path])}?status=active&missing={part}"
    return Link(f"{lacking:,} {noun} without {label[0].lower()}{label[1:]}", url)


def cycle() -> charts.HBars | None:
    """Medians of the last thirty days beside those of the thirty days before."""
    now = timezone.now()
    since, before = now - timedelta(days=DAYS), now - timedelta(days=2 * DAYS)
    recent, earlier = memory.remember(
        "dashboard:cycle", KEEP, lambda: (metrics.cycle_times(since, now), metrics.cycle_times(before, since))
    )
    order = [kind for kind in (*words.KINDS, *recent) if kind in recent]
    rows = [
        charts.HBarRow(words.kind_title(kind), recent[kind] / 3600, _hours(earlier.get(kind)), duration(recent[kind]))
        for kind in dict.fromkeys(order)
    ]
    name = "30 days before" if any(row.before for row in rows) else ""
    return charts.hbars(rows, title="Median time from request to applied", value_name="Last 30 days", before_name=name)


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 3600, 2)


def duration(seconds: float) -> str:
    """“31 h”, “7.5 h”, “12 min”, “4 s”."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    hours = seconds / 3600
    return f"{hours:.1f} h" if hours < 10 else f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"


# --- tiles ----------------------------------------------------------------------------------------------------


def waiting_tile(counted: dict[str, int]) -> Tile:
    late, today = counted["late"], counted["today"]
    notes = [f"{late} late"] if late else []
    notes += [f"{today} due today"] if today else []
    return Tile(
        label="Waiting for you",
        value=counted["all"],
        url=reverse("web:inbox"),
        note=", ".join(notes) or ("none late" if counted["all"] else "all done"),
        note_tone="red" if late else "amber" if today else "",
    )


def pairs_tile() -> Tile:
    found = DuplicatePair.objects.filter(state="open").aggregate(
        all=Count("pk"), money=Count("pk", filter=Q(flags__contains=["shared_bank_account"]))
    )
    note = f"{found['money']:,} share a bank account" if found["money"] else "none shares a bank account"
    return Tile(label="Pairs to judge", value=found["all"], url=visitor.link("web:duplicates"), note=note)


def quality_tile(kind: RecordType, measured: metrics.Quality) -> Tile:
    known = [score for _, score in measured.days if score is not None]
    week = known[-8:]
    moved = round(week[-1] - week[0], 1) if len(week) > 1 else 0.0
    note = f"{'up' if moved > 0 else 'down'} {abs(moved)} this week" if moved else f"of {measured.records:,} active"
    if measured.score is None:
        note = f"no active {kind.nouns} yet"
    link = quality_link(kind, measured)
    return Tile(
        label="Quality score",
        value=measured.score if measured.score is not None else "–",
        note=note,
        url=link.url if link else reverse("web:records", args=[kind.path]),
        spark=charts.spark(known, "Quality score by day"),
    )


# --- stuck ----------------------------------------------------------------------------------------------------


def stuck(request: HttpRequest) -> list[Notice]:
    return [*_imports(), *_requests(request)]


def _imports() -> list[Notice]:
    """Files with rows that wait for a correction, and loads that stopped in the last week."""
    rows = QuarantinedRow.objects.filter(state="open").order_by()
    waiting: dict[int, int] = dict(rows.values_list("job").annotate(number=Count("pk")))
    stopped = Q(state="failed", created_at__gt=timezone.now() - timedelta(days=7))
    jobs = list(ImportJob.objects.filter(Q(pk__in=waiting) | stopped).select_related("system").order_by("-pk")[:20])
    held = [job for job in jobs if job.pk in waiting]
    found = [_stopped(job) for job in jobs if job.pk not in waiting][:2]
    if len(held) == 1:
        number = waiting[held[0].pk]
        title = f"Import “{held[0].file_name}” has {number:,} row{'s' * (number > 1)} in quarantine"
        action = Link("Fix rows", visitor.link("web:import-problems", held[0].uid))
        found.append(Notice(title=title, evidence=f"From {held[0].system.title}.", icon="upload", action=action))
    elif held:
        title = f"{len(waiting)} imports have {sum(waiting.values()):,} rows in quarantine"
        listed: list[Part | str] = []
        for job in held[:4]:
            url = visitor.link("web:import-problems", job.uid)
            listed += [", " if listed else "", Part(text=job.file_name, url=url), f" {waiting[job.pk]:,}"]
        action = Link("Fix rows", visitor.link("web:imports"))
        found.append(Notice(title=title, evidence=listed, icon="upload", action=action))
    return found


def _stopped(job: ImportJob) -> Notice:
    action = Link("Open", visitor.link("web:import", job.uid))
    title = f"Import “{job.file_name}” stopped"
    return Notice(title=title, evidence=job.error[:200], tone="red", icon="alert", action=action)


def _requests(request: HttpRequest) -> list[Notice]:
    seen = visitor.requests_seen(request)
    found = seen.aggregate(
        late=Count("pk", filter=Q(state="in_review", due_at__lt=timezone.now())),
        torn=Count("pk", filter=Q(state="conflicted")),
    )
    team = Link("Open", f"{reverse('web:inbox')}?tab=team")
    notices = []
    if found["late"]:
        many = f"{found['late']:,} request{'s are' if found['late'] > 1 else ' is'} late"
        notices.append(
            Notice(title=many, evidence="Nobody decided by the time its policy asks for.", icon="clock", action=team)
        )
    if found["torn"]:
        many = f"{found['torn']:,} request{'s are' if found['torn'] > 1 else ' is'} in conflict"
        text = "Others changed the same fields meanwhile: somebody chooses what holds."
        notices.append(Notice(title=many, evidence=text, icon="alert", action=team))
    return notices


# --- what changed ---------------------------------------------------------------------------------------------

_TOLD: dict[str, tuple[str, str, str, str]] = {  # action: icon, tone, words after a person, words of the hub itself
    "request.submitted": ("send", "blue", "sent ", "Sent for approval: "),
    "request.approved": ("check", "green", "approved ", "Approved: "),
    "request.auto_approved": ("check", "green", "sent, and policy approved, ", "Approved by policy: "),
    "request.applied": ("ok", "green", "had the last word: applied ", "Applied: "),
    "request.returned": ("undo", "amber", "returned ", "Returned: "),
    "request.rejected": ("no", "red", "rejected ", "Rejected: "),
    "request.withdrawn": ("minus", "grey", "withdrew ", "Withdrawn: "),
    "request.conflicted": ("alert", "amber", "approved, but others changed the same fields: ", "In conflict: "),
    "request.commented": ("comment", "grey", "commented on ", "Commented: "),
    "import.received": ("upload", "blue", "loaded ", "Loaded: "),
    "import.done": ("upload", "green", "loaded in full: ", "Loaded in full: "),
    "drift.requested": ("drift", "amber", "asked for a drift check of ", "Drift check: "),
    "target.pushed": ("send", "blue", "pushed to ", "Pushed to "),
    "pair.same": ("duplicate", "green", "judged a pair the same", "A pair was judged the same"),
    "pair.different": ("duplicate", "grey", "judged a pair different", "A pair was judged different"),
    "pair.unsure": ("duplicate", "amber", "was unsure about a pair", "A pair was judged unsure"),
}
_NUMBER = re.compile(r"CR-(\d+) ?(.*)", re.DOTALL)


def events(request: HttpRequest, most: int = 8) -> list[Event]:
    """The newest entries of the audit log that tell of work, not the thousand lines of one load."""
    newest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    rows = AuditEntry.objects.filter(pk__gt=newest - RECENT, action__in=_TOLD).order_by("-pk")
    if not _sees_all_types(request) or visitor.entities(request) is not None:
        rows = rows.exclude(object_type="change_request")
    return [_event(entry) for entry in rows[:most]]


def _sees_all_types(request: HttpRequest) -> bool:
    by = visitor.actor(request)
    return all(permissions.may(by, f"read:{kind.path}") for kind in registry.all_types())


def _event(entry: AuditEntry) -> Event:
    icon, tone, by_person, by_hub = _TOLD[entry.action]
    person = entry.actor_kind != "system"
    lead = by_person if person else by_hub
    text: Rich = lead
    if entry.object_type != "duplicate_pair":
        text = [lead, *_object(entry)]
    return Event(at=entry.at, text=text, who=entry.actor_name if person else None, icon=icon, tone=tone)  # type: ignore[arg-type]


def _object(entry: AuditEntry) -> Sequence[Part | str]:
    found = _NUMBER.fullmatch(entry.object_label)
    if entry.object_type == "change_request" and found:
        return [Part(text=f"CR-{found[1]}", url=reverse("web:request", args=[int(found[1])])), f" {found[2]}"]
    if entry.object_type == "import":
        return [Part(text=entry.object_label, url=visitor.link("web:import", entry.object_uid))]
    return [Part(text=entry.object_label, strong=True)]


def measured_type() -> RecordType | None:
    """The type whose quality the dashboard shows: the first that is measured."""
    return next(iter(metrics.measured()), None)
