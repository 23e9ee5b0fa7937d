"""A record over time: lanes of what held when, its versions, and what each of them changed."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date

from mdm import dating
from mdm.models import RecordVersion
from mdm.selectors import timeline, visibility
from mdm.types import Document, diff
from mdm.web import diffs, grids, presenting, record_family, record_periods, visitor
from mdm.web.page import Fact, Link
from mdm.web.presenting import Showing
from mdm.web.record_frame import Frame
from mdm.web.references import Names
from mdm.web.values import is_empty, show

MOST_LANES = 8


def timeline_of(frame: Frame) -> dict[str, Any]:
    found = timeline.versions(frame.kind, frame.row.uid, visitor.entities(frame.request))
    seen = visitor.entities(frame.request)
    for version in found:
        version.document = visibility.strip(frame.kind, version.document, seen)
    today = timezone.localdate()
    asked = _date(frame.request.GET.get("as_of", "")) or today
    first = timezone.localtime(found[-1].created_at).date() if found else today
    then = next((v for v in found if v.created_at <= timeline.at_end_of(asked)), None)
    chosen = _chosen(frame, found)
    if frame.kind.periods:
        return _dated(frame, found, today, asked)
    facts: list[Fact] = []
    if asked != today and then is not None:
        facts = presenting.facts(
            Showing(kind=frame.kind, document=then.document, names=Names(frame.kind, [then.document], seen))
        )
    return {
        "family": record_family.family_of(frame),
        **_drawn(frame, found, today, asked),
        "as_of": {"value": asked, "url": frame.url("timeline"), "min": first, "max": today},
        "facts": facts,
        "versions": [_version(frame, version, chosen) for version in found],
        "compare": _compare(frame, found, chosen) if chosen else None,
    }


def _dated(frame: Frame, found: list[RecordVersion], today: date, asked: date) -> dict[str, Any]:
    """By valid time: what holds when, as known now; the versions beside it say what was known when."""
    kind, document = frame.kind, frame.document
    against = _date(frame.request.GET.get("against", ""))
    chosen = _chosen(frame, found)
    then = dating.as_of(kind, document, asked)
    shown = Showing(kind=kind, document=then, names=Names(kind, [then], visitor.entities(frame.request)))
    rows = record_periods.lanes(kind, document, today)
    if against:
        compare: dict[str, Any] | None = record_periods.between(kind, document, asked, against)
    else:
        compare = _compare(frame, found, chosen) if chosen else None
    return {
        "family": record_family.family_of(frame),
        **_both(rows, today, asked),
        "as_of": {"value": asked, "url": frame.url("timeline"), "against": against, "dated": True},
        "facts": presenting.facts(shown) if asked != today else [],
        "versions": [_version(frame, version, None if against else chosen) for version in found],
        "compare": compare,
    }


def _drawn(frame: Frame, found: list[RecordVersion], today: date, asked: date) -> dict[str, Any]:
    """The lanes twice; the stylesheet shows those that fit."""
    if not found:
        return {"lanes": None, "lanes_narrow": None}
    return _both(_lanes(frame, found), today, asked)


def _both(rows: list[grids.Lane], today: date, asked: date) -> dict[str, Any]:
    wide, narrow = (
        grids.lanes(rows, today=today, as_of=asked, title="What held when", narrow=way) for way in (False, True)
    )
    return {"lanes": wide, "lanes_narrow": narrow}


def _date(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _chosen(frame: Frame, found: list[RecordVersion]) -> RecordVersion | None:
    wanted = frame.request.GET.get("version", "")
    if wanted.isdigit():
        return next((version for version in found if str(version.version) == wanted), None)
    return found[0] if found else None


def _lanes(frame: Frame, found: list[RecordVersion]) -> list[grids.Lane]:
    """One lane per value that ever changed, then the telling ones that did not."""
    kind = frame.kind
    lanes = []
    for name in (name for section in kind.sections for name in section.fields):
        held = timeline.spans(found, lambda document, name=name: _words(document.get(name)))  # type: ignore[misc]
        lanes.append((kind.label(name), held, name == kind.name_field))
    for child in kind.children:
        held = timeline.spans(
            found,
            lambda document, child=child: ", ".join(  # type: ignore[misc]
                diffs.child_name(child, row) for row in document.get(child.name) or []
            ),
        )
        lanes.append((child.title, held, bool(child.sealed)))
    telling = sorted((lane for lane in lanes if lane[1]), key=lambda lane: (len(lane[1]) < 2, not lane[2]))
    return [grids.Lane(label, [_span(held) for held in spans]) for label, spans, _ in telling[:MOST_LANES]]


def _words(value: Any) -> str:
    return "" if is_empty(value) else show(value)


def _span(held: timeline.Held) -> grids.Span:
    return grids.Span(str(held.value), held.since, held.until, "green" if held.until is None else "grey")


def _version(frame: Frame, version: RecordVersion, chosen: RecordVersion | None) -> dict[str, Any]:
    labels = dict.fromkeys(frame.kind.label(path.split("/")[0]) for path in version.changed_paths)
    listed = list(labels)
    summary = "created" if version.version == 1 else ", ".join(listed[:3]) + (" and more" if len(listed) > 3 else "")
    return {
        "number": version.version,
        "at": version.created_at,
        "by": version.actor or version.actor_name,
        "request": Link(version.change.number, ""),
        "summary": summary or version.status,
        "url": f"{frame.url('timeline')}?version={version.version}#compare",
        "current": chosen is not None and version.version == chosen.version,
    }


def _compare(frame: Frame, found: list[RecordVersion], chosen: RecordVersion) -> dict[str, Any]:
    before: Document | None = next((v.document for v in found if v.version == chosen.version - 1), None)
    if before is None and chosen.version > 1:
        row = RecordVersion.objects.filter(uid=frame.row.uid, version=chosen.version - 1).first()
        before = visibility.strip(frame.kind, row.document, visitor.entities(frame.request)) if row else None
    changes = diff(before or {}, chosen.document)
    title = f"What version {chosen.version} changed" if before else "As it was created"
    return {"title": title, "diff": diffs.arrange(frame.kind, changes, before=before, after=chosen.document)}
