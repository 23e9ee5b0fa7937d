"""The overview of a record: its sections with marks, why a value holds, its keys; as it is or as it once stood."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from mdm import dating, permissions
from mdm.models import ChangeItem
from mdm.selectors import provenance as sources_of
from mdm.selectors import timeline, visibility
from mdm.services import revealing
from mdm.web import diffs, presenting, provenance, record_sync, visitor
from mdm.web.page import Action, Callout, Confirm, Fact
from mdm.web.presenting import Showing
from mdm.web.provenance import Marks
from mdm.web.record_frame import Frame
from mdm.web.references import Names
from mdm.web.values import day


def overview(frame: Frame, *, revealed: bool = False) -> dict[str, Any]:
    """As it holds, or as the hub knew it at the end of a day (`as_of`) or at a moment (`known_at`)."""
    past, moment = _past(frame)
    if frame.kind.periods and moment is None and past is not None:
        return _overview_on(frame, past)
    if past is not None or moment is not None:
        return _overview_then(frame, past, moment)
    marks = Marks(frame.kind, frame.document, _sources(frame))
    why = frame.request.GET.get("why", "")
    shown = Showing(
        kind=frame.kind,
        document=frame.document,
        names=Names(frame.kind, [frame.document], visitor.entities(frame.request)),
        marks=marks,
        pending=_pending(frame),
        why_url=lambda path: f"{frame.url()}?{urlencode({'why': path})}",
        current=why,
        revealed=revealed,
        actions={} if revealed else _reveal(frame),
    )
    return {
        "sections": presenting.sections(shown),
        "provenance": panel(frame, marks, why) if why else None,
        "sync": record_sync.panel(frame),
        "as_of": {"value": timezone.localdate(), "url": frame.url(), "known_at": None},
        "extra": _extra(frame),
    }


def _sources(frame: Frame) -> sources_of.Sources:
    """Sources do not say of which period they speak: of a record that other companies have a part in, nothing is told."""
    return sources_of.of(frame.kind, frame.row.uid) if frame.whole else sources_of.NOTHING


def panel(frame: Frame, marks: Marks, path: str, tab: str = "") -> dict[str, Any] | None:
    if not _is_shown(frame, path):
        return None
    alive = frame.row.status in ("active", "blocked")
    may_pin = alive and permissions.may(visitor.actor(frame.request), "steward")
    return provenance.panel(
        marks,
        path,
        close_url=frame.url(tab),
        back=tab,
        pin_url=visitor.link("web:record-pin", frame.kind.path, frame.row.uid),
        may_pin=may_pin,
    )


def _is_shown(frame: Frame, path: str) -> bool:
    """A field of the record, or a row of one of its lists that this person sees."""
    name, _, uid = path.partition("/")
    if name in {child.name for child in frame.kind.children}:
        return any(row["uid"] == uid for row in frame.document.get(name) or [])
    return not uid and name in frame.kind.document.model_fields


def _past(frame: Frame) -> tuple[date | None, Any]:
    try:
        known = parse_datetime(frame.request.GET.get("known_at", "").replace(" ", "+"))
        if known is not None:
            return None, known if timezone.is_aware(known) else timezone.make_aware(known)
        asked = parse_date(frame.request.GET.get("as_of", ""))
    except ValueError:
        return None, None
    today = timezone.localdate()
    other_day = asked is not None and (asked != today if frame.kind.periods else asked < today)
    return (asked, None) if other_day else (None, None)


def _overview_on(frame: Frame, when: date) -> dict[str, Any]:
    """A dated record as it holds on another day, as far as is known now."""
    kind = frame.kind
    document = dating.as_of(kind, frame.document, when)
    held = {"current": "This is how it holds", "planned": "It does not hold yet", "ended": "It holds no more"}
    period = diffs.period_words(document)
    words = {"current": f"The period shown is {period}", "planned": f"It begins {period}", "ended": f"It held {period}"}
    text = f"{words[document['validity']]}, as known today."
    names = Names(kind, [document], visitor.entities(frame.request))
    return {
        "sections": presenting.sections(Showing(kind=kind, document=document, names=names)),
        "as_of": {"value": when, "url": frame.url(), "known_at": None},
        "then": Callout(
            title=f"{held[document['validity']]} on {day(when)}", body=text,
            icon="future" if when > timezone.localdate() else "history", tone="purple",
            action=Action(label="Back to today", url=frame.url()),
        ),
    }  # fmt: skip


def _overview_then(frame: Frame, past: date | None, moment: Any) -> dict[str, Any]:
    known_at = moment or timeline.at_end_of(past)  # type: ignore[arg-type]
    when = past or timezone.localtime(known_at).date()
    version = timeline.version_at(frame.kind, frame.row.uid, known_at, visitor.entities(frame.request))
    back = Action(label="Back to today", url=frame.url())
    as_of = {"value": when, "url": frame.url(), "known_at": moment}
    if version is None:
        text = "The hub did not know this record yet."
        return {
            "sections": [],
            "as_of": as_of,
            "then": Callout(title=f"Nothing on {day(when)}", body=text, action=back),
        }
    document = visibility.strip(frame.kind, version.document, visitor.entities(frame.request))
    shown = Showing(
        kind=frame.kind, document=document, names=Names(frame.kind, [document], visitor.entities(frame.request))
    )
    text = f"As the hub knew it then: version {version.version}, from {version.change.number}, {version.status}."
    return {
        "sections": presenting.sections(shown),
        "as_of": as_of,
        "then": Callout(
            title=f"This is how it stood on {day(when)}", body=text, icon="history", tone="purple", action=back
        ),
    }


def _pending(frame: Frame) -> frozenset[str]:
    """Paths that open requests would change."""
    items = ChangeItem.objects.filter(request__in=frame.open, uid=frame.row.uid) if frame.open else ()
    return frozenset(change["path"] for item in items for change in item.changes)


def _reveal(frame: Frame) -> dict[str, Action]:
    """Beside the lists that hold sealed numbers, for those who may see them."""
    if not permissions.may(visitor.actor(frame.request), "reveal"):
        return {}
    if not revealing.sealed_paths(frame.kind, frame.document):
        return {}
    confirm = Confirm(
        title="Show the full numbers?",
        body="They are shown once, on this page only. Who looked, when and why is kept in the audit log.",
        button="Show numbers",
        reason_label="Why do you need them?",
    )
    url = visitor.link("web:record-reveal", frame.kind.path, frame.row.uid)
    action = Action(label="Reveal numbers", name="reveal", url=url, icon="eye", method="post", confirm=confirm)
    return {child.name: action for child in frame.kind.children if child.sealed}


def _extra(frame: Frame) -> list[dict[str, Any]]:
    """Keys in other systems, and where the record leads."""
    keys = [key for key in sources_of.keys_of(frame.kind, frame.row.uid) if key.active][:10]
    facts = [
        Fact(label=key.system.title, value=key.key, kind="mono", note="" if key.primary else "second key")
        for key in keys
    ]
    facts.append(Fact(label="Uid", value=str(frame.row.uid), kind="id"))
    return [{"title": "Keys", "facts": facts}]
