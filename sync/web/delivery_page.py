"""One delivery as its page shows it: story, attempts with what was said, the mapping that made it, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

from django.http import HttpRequest
from django.urls import reverse

from mdm.models import ChangeRequest
from mdm.web import visitor
from mdm.web.page import Action, Badge, Callout, Confirm, Event, Fact, Link, Meta, Part, Rich
from mdm.web.pointers import request_url
from mdm.web.states import look
from sync import platforms
from sync.models import Attempt, Delivery
from sync.models.states import DEAD
from sync.selectors import awaiting, freeze_views, ledger, sight
from sync.web import doors, payload_table

ADDRESS = 90  # characters of an address that fit one line
REASONS = {
    "event": "The record changed",
    "mapping_changed": "The mapping changed",
    "effective_date": "Its date came",
    "drift_repair": "Repair of drift",
    "replay": "Sent again",
    "manual": "Pushed by hand",
}
ASKED = {"upsert": "hold these values", "block": "block this key"}
# outcome of an attempt -> words and tone; everything else reads as its own name
_OUTCOMES: dict[str, tuple[str, Any]] = {
    "created": ("created there", "green"),
    "updated": ("changed there", "green"),
    "blocked": ("blocked there", "green"),
    "unchanged": ("held the same already", "green"),
    "told": ("handed over", "green"),
    "in_part": ("applied in part, and not posted", "amber"),
    "absent": ("not there", "amber"),
    "refused": ("refused", "red"),
    "unmapped": ("not sent: a value has no counterpart", "red"),
    "linked_elsewhere": ("its key belongs to another record", "red"),
    "throttled": ("asked for time", "amber"),
    "separately": ("taken along by another one; goes alone", "amber"),
    "ambiguous": ("no answer; it may have arrived", "amber"),
    "not_sent": ("never left", "amber"),
    "stale": ("changed there meanwhile", "amber"),
    "unauthorised": ("sign-in refused", "red"),
    "unanswered": ("taken; not acknowledged yet", "blue"),
    "gone": ("wants nothing more", "red"),
    "crash": ("the connector broke", "red"),
}


def build(request: HttpRequest, row: Delivery) -> dict[str, Any]:
    attempts = list(row.attempt_rows.all())
    wanted = request.GET.get("attempt", "")
    shown = next((a for a in attempts if str(a.pk) == wanted), attempts[-1] if attempts else None)
    seen = visitor.entities(request)
    hidden = bool(sight.hidden_deliveries([row], seen))
    mapping, note = payload_table.build(row, entities=seen)
    return {
        "title": row.label or str(row.record),
        "state": ledger.shown_state(row),
        "state_label": look(ledger.shown_state(row), "delivery").label,
        "meta": _meta(row),
        "callouts": _callouts(row, hidden),
        "actions": [_release(request, row) if row.state == "poison" else _again(request, row)],
        "facts": _facts(row),
        "story": story(row, attempts, hidden),
        "attempts": _attempt_links(request, attempts, shown),
        "attempt": _attempt(shown, attempts.index(shown) + 1, hidden) if shown else None,
        "mapping": mapping,
        "mapping_link": Link(note, "") if note else None,
        "payload_hash": row.payload_hash,
    }


def badge(row: Delivery) -> Badge:
    return Badge(state=ledger.shown_state(row), domain="delivery")


def _attempt_links(request: HttpRequest, attempts: Sequence[Attempt], shown: Attempt | None) -> list[Link]:
    keep = request.GET.get("delivery")
    return [
        Link(
            label=str(number),
            url=visitor.changed_query(request, attempt=str(attempt.pk), delivery=keep) + "#attempt",
            current=attempt is shown,
        )
        for number, attempt in enumerate(attempts, 1)
    ]


def _meta(row: Delivery) -> list[Meta]:
    found = [
        Meta(kind="link", text=row.target.title, url=reverse("sync:targets")),
        Meta(kind="id", text=row.target_key) if row.target_key else Meta(text="no key there yet"),
        Meta(kind="link", text=f"version {row.version}", url=doors.record_link(row.type, row.record)),
    ]
    if change := _change(row):
        found.append(Meta(kind="link", text=change.number, url=request_url(change)))
    return [*found, Meta(kind="time", at=row.created_at, prefix="queued")]


def _change(row: Delivery) -> ChangeRequest | None:
    """The request whose approval made this delivery."""
    return ChangeRequest.objects.filter(events__pk=row.event_id).first() if row.event_id else None


def _callouts(row: Delivery, hidden: bool) -> list[Callout]:
    if row.state == "held":
        return [_held(row)]
    if row.corrected_by:
        return [_followed(row, row.corrected_by)]
    if row.state == "pending" and (found := awaiting.awaited([row.lane_id]).get(row.lane_id)):
        then = "It goes out as soon as that has arrived, or has ended as a dead letter."
        return [Callout(title=awaiting.words(found), body=then, tone="amber", icon="clock")]
    if row.superseded_by:
        url = reverse("sync:delivery", args=[row.superseded_by.uid])
        return [
            Callout(
                title="Overtaken by a newer version", body=["It was never sent. ", Part(text="The newer one", url=url)]
            )
        ]
    if row.state not in DEAD:
        return [_corrects(row)] if row.corrects.all() else []
    item = getattr(row, "exception", None)
    fix = None
    if item is not None and item.state == "open":
        fix = Action(label="Put it right", url=reverse("sync:exception", args=[item.uid]), icon="pencil")
    body: Rich
    if row.state == "poison":
        body = "It ended the process three times and was set aside; what follows it waits until its line is released."
    else:
        body = "Nothing of this delivery was kept there; what the platform held before still stands."
    title = (sight.HIDDEN if hidden else row.error_text) or "Its process ended three times"
    return [Callout(title=title, body=body, tone="red", icon="no", action=fix)]


def _held(row: Delivery) -> Callout:
    window = freeze_views.of_lanes([row.lane]).get(row.lane_id)
    if window is None:
        body = "What is before it in its line was set aside; release that, and this goes on."
        return Callout(title=f"Held: {row.lane.hold_reason}", body=body, tone="amber", icon="lock")
    body = (
        f"{window.reason}. Then it goes out in its turn, at the pace of {row.target.title}. Frozen by {window.made_by}."
    )
    return Callout(title=f"Frozen {freeze_views.span(window)}", body=body, tone="purple", icon="lock")


def _followed(row: Delivery, later: Delivery) -> Callout:
    """The link between what was refused and what came of it; the other end is `_corrects`."""
    link = Part(text=f"version {later.version}", url=reverse("sync:delivery", args=[later.uid]))
    item = getattr(row, "exception", None)
    more: list[Part | str] = []
    if item is not None:
        more = [" ", Part(text="The exception", url=reverse("sync:exception", args=[item.uid])), "."]
    if later.state == "posted":
        body: Rich = [f"{row.target.title} took ", link, ".", *more]
        return Callout(title="Corrected since", body=body, tone="green", icon="check")
    shown = look(ledger.shown_state(later), "delivery").label.lower()
    return Callout(
        title="Followed by a later delivery", body=["It is ", link, f": {shown}.", *more], tone="blue", icon="send"
    )


def _corrects(row: Delivery) -> Callout:
    body: list[Part | str] = ["What was refused or failed before: "]
    for earlier in row.corrects.all()[:5]:
        body += [Part(text=f"version {earlier.version}", url=reverse("sync:delivery", args=[earlier.uid])), " "]
    done = row.state == "posted"
    title = "It corrected what was refused" if done else "It is to correct what was refused"
    return Callout(title=title, body=body, tone="green" if done else "blue", icon="check" if done else "info")


def _release(request: HttpRequest, row: Delivery) -> Action:
    confirm = Confirm(
        title=f"Release the line of {row.label or 'this record'} to {row.target.title}?",
        body="The current version is sent, and what waited behind goes on. If it ends its process again, it is set aside "
        "again after three times.",
        button="Release the line",
    )
    url = reverse("sync:delivery-again", args=[row.uid])
    return doors.action(request, label="Release the line", name="again", url=url, icon="play", confirm=confirm)


def _again(request: HttpRequest, row: Delivery) -> Action:
    confirm = Confirm(
        title=f"Send {row.label or 'this record'} to {row.target.title} again?",
        body="The current version is sent, not the one of this delivery. If the platform holds it already, nothing is written.",
        button="Send again",
    )
    url = reverse("sync:delivery-again", args=[row.uid])
    return doors.action(request, label="Send again", name="again", url=url, icon="refresh", confirm=confirm)


def _facts(row: Delivery) -> list[Fact]:
    same = reverse("sync:chain", args=[row.correlation_id])
    found = [
        Fact(label="Reason", value=REASONS[row.reason]),
        Fact(label="Asked to", value=ASKED.get(row.action, row.action)),
        *([Fact(label="Effect there", value=_OUTCOMES.get(row.effect, (row.effect, ""))[0])] if row.effect else []),
        Fact(label="Verified", value=_verified(row)),
        Fact(label="Line", value=f"number {row.seq}, generation {row.generation}"),
        Fact(label="As of", value=row.as_of, kind="date"),
        Fact(label="Correlation", value=row.correlation_id, kind="id"),
        Fact(label="Same cause", value="Follow it from the request to the answer", kind="link", url=same),
    ]
    if row.requested_by:
        found.insert(1, Fact(label="Asked for by", value=row.requested_by, kind="person"))
    return found


def _verified(row: Delivery) -> str:
    if platforms.readable(row.target.connector):
        return "Read back, and the same" if row.verified else "Not yet"
    return "Acknowledged by the receiver" if row.verified else "Not possible: the receiver cannot be read"


def story(row: Delivery, attempts: Sequence[Attempt], hidden: bool) -> list[Event]:
    """`hidden`: without what the target said, as `sight.hidden_deliveries` tells."""
    words = f"Queued: {REASONS[row.reason].lower()}, version {row.version}"
    story = [Event(at=row.created_at, text=words, icon="clock", tone="blue", exact=True)]
    story += [_tried(number, attempt, hidden) for number, attempt in enumerate(attempts, 1)]
    if row.posted_at:
        how = "verified by reading it back" if platforms.readable(row.target.connector) else "acknowledged"
        end = "Posted" + (f", and {how}" if row.verified else "")
        story.append(Event(at=row.posted_at, text=end, icon="ok", tone="green", exact=True))
    elif row.state not in ("pending", "in_flight", "unknown", "retrying", "held"):
        shown = look(row.state, "delivery")
        story.append(Event(at=row.changed_at, text=shown.label, icon=shown.icon, tone=shown.tone, exact=True))  # type: ignore[arg-type]
    elif row.state == "retrying":
        story.append(Event(at=row.lane.next_at, text="Next try", icon="refresh", tone="blue", exact=True))
    return story


def _tried(number: int, attempt: Attempt, hidden: bool) -> Event:
    doing = "Read back" if attempt.kind == "read_back" else f"Attempt {number}"
    result = getattr(attempt, "result", None)
    if result is None:
        text: Rich = [Part(text=doing, strong=True), ", no answer was recorded: the process ended, or still waits"]
        return Event(at=attempt.started_at, text=text, icon="info", tone="amber", exact=True)
    words, tone = _OUTCOMES.get(result.outcome, (result.outcome.replace("_", " "), "amber"))
    status = f" with {result.status}" if result.status else ""
    # What never left took no time of the platform.
    after = f" after {result.duration_ms:,} ms" if result.exchanges or result.status else ""
    said = f", {words}{status}{after}"
    message = f". {result.message}" if result.message and not hidden else ""
    return Event(
        at=result.finished_at, text=[Part(text=doing, strong=True), said, message], icon="send", tone=tone, exact=True
    )


def _attempt(attempt: Attempt, number: int, hidden: bool) -> dict[str, Any]:
    result = getattr(attempt, "result", None)
    exchanges = result.exchanges if result and not hidden else []
    return {
        "title": "Read back" if attempt.kind == "read_back" else f"Attempt {number}",
        "state": result.outcome if result else "",
        "at": attempt.started_at,
        "note": sight.HIDDEN if hidden else "",
        "exchanges": [exchange(one) for one in exchanges],
    }


def exchange(said: dict[str, Any]) -> dict[str, Any]:
    """The address in one line, decoded; a long one stands whole over the body of the request."""
    url = unquote_plus(said.get("url", ""))
    short = url if len(url) <= ADDRESS else f"{url[:ADDRESS]}…"
    request = said.get("request") or ""
    if short != url:
        request = f"{said['method']} {url}\n\n{request}".rstrip()
    return {**said, "url": short, "request": request, "duration": f"{said.get('duration_ms', 0):,} ms", "hit": ""}
