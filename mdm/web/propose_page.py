"""The page around a proposal: head, bar, who decides, what it changes, and records that may be the same already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from pydantic import ValidationError

from mdm import ports
from mdm.registry import RecordType
from mdm.selectors import duplicates, request_items, visibility
from mdm.services import matching
from mdm.services.policy import Decision
from mdm.types import Document
from mdm.web import diffs, kept_forms, propose_fields, visitor
from mdm.web.page import Action, Badge, Callout, Confirm, Link, Meta, Page, Rich, Step
from mdm.web.propose_fields import Controls
from mdm.web.propose_form import Draft, add, is_blank, specs, value_of
from mdm.web.propose_subject import Outlook, Subject
from mdm.web.review import words
from mdm.web.review.surroundings import percent
from mdm.web.values import day

FEW = 5
FORM = "propose"  # the id of the form on the page


@dataclass
class Said:
    """What the page says about the form: errors by field and in the summary, notes, choices for searched references."""

    errors: Mapping[str, str] = field(default_factory=dict)
    summary: Sequence[Mapping[str, str]] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    offers: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


def controls(request: HttpRequest, subject: Subject, said: Said) -> Controls:
    url = request.get_full_path().partition("?")[0]
    number = f"&request={request_items.number_of(subject.change)}" if subject.change else ""
    return Controls(
        subject.kind,
        subject.entities,
        errors=said.errors,
        notes=said.notes,
        offers=said.offers,
        check_url=f"{url}?check=1{number}",
        new=subject.new,
    )


def context(
    request: HttpRequest,
    subject: Subject,
    draft: Draft,
    said: Said,
    *,
    decision: Decision,
    outlook: Outlook | None = None,
    effective_on: date | None = None,
) -> dict[str, Any]:
    sending = outlook is not None
    hidden = [("version", str(subject.version)), *(("ended", key) for key in sorted(draft.ended))]
    if subject.change:
        hidden.append(("content_hash", subject.change.content_hash))
    if sending:
        hidden.append(("previewed", draft.digest()))
    return {
        "page": head(subject),
        "form": {
            "url": _own_url(subject),
            "new": subject.new,
            "errors": said.summary,
            "groups": propose_fields.groups(controls(request, subject, said), draft, new=subject.new),
            "hidden": hidden,
            "draft_note": _note(subject),
            "submit_label": "" if sending or subject.new else "See what changes",
            "save_label": "Save changes" if subject.change else "Save draft",
            "discard": discard(subject),
            "can_save": subject.change is None or subject.change.state in ("draft", "returned"),
        },
        "preview": _preview(subject, outlook, effective_on) if outlook else None,
        "similar_url": _similar_url(subject),
        "similar": {"items": [], "note": ""},
        "beside_url": _beside_url(subject),
        "after": after(decision, effective_on),
    }


def _own_url(subject: Subject) -> str:
    kind, current = subject.kind, subject.current
    name, args = ("web:record-edit", [kind.path, current["uid"]]) if current else ("web:record-new", [kind.path])
    number = f"?request={request_items.number_of(subject.change)}" if subject.change else ""
    return reverse(name, args=args) + number


def _similar_url(subject: Subject) -> str:
    """Where records like the typed one are looked for: only for new ones, of types that are matched."""
    if subject.kind.match is None or not subject.new:
        return ""
    kept = subject.change and subject.change.state == "draft"
    number = f"?request={request_items.number_of(subject.change)}" if subject.change and kept else ""
    return reverse("web:similar", args=[subject.kind.path]) + number


def _beside_url(subject: Subject) -> str:
    """Where a package of the type says more about what is typed."""
    name, uid = ports.beside_forms.get(subject.kind.key), subject.current and subject.current["uid"]
    return reverse(name, args=[subject.kind.path]) + (f"?uid={uid}" if uid else "") if name else ""


def head(subject: Subject) -> Page:
    kind, change = subject.kind, subject.change
    listing = Link(kind.plural, reverse("web:records", args=[kind.path]))
    badges = [Badge(state=change.state, domain="request")] if change else []
    meta = [Meta(kind="link", text=change.number, url=_request_url(subject))] if change else []
    if subject.current is None:
        return Page(title=f"Propose {kind.one}", crumbs=[listing, Link("New", "")], badges=badges, meta=meta)
    name, code = kind.name_of(visibility.strip(kind, subject.current, subject.entities)), str(subject.current["code"])
    record = Link(code, visitor.record_url(kind, subject.current["uid"]))
    meta = [Meta(kind="id", text=code), Meta(text=f"version {subject.version}"), *meta]
    return Page(title=f"Change {name}", crumbs=[listing, record, Link("Change", "")], badges=badges, meta=meta)


def _request_url(subject: Subject) -> str:
    return reverse("web:request", args=[request_items.number_of(subject.change)]) if subject.change else ""


def _note(subject: Subject) -> str:
    if subject.change is None:
        return ""
    if subject.change.state == "in_review":
        return "Sending it asks everybody to decide again."
    return f"Kept as {subject.change.number}."


def discard(subject: Subject) -> Action:
    """Leaving without sending; a draft that was kept is withdrawn."""
    change = subject.change
    if change and change.state == "draft":
        confirm = Confirm(
            title="Discard this draft?", body=f"{change.number} is withdrawn. Nothing changes.",
            button="Discard draft", danger=True,
        )  # fmt: skip
        return Action(
            label="Discard draft", name="discard", url=_own_url(subject), method="post", form=FORM,
            fields={"action": "discard"}, confirm=confirm,
        )  # fmt: skip
    if change:
        return Action(label="Leave it as it is", url=_request_url(subject))
    if subject.current:
        return Action(label="Discard", url=visitor.record_url(subject.kind, subject.current["uid"]))
    return Action(label="Discard", url=reverse("web:records", args=[subject.kind.path]))


def _preview(subject: Subject, outlook: Outlook, effective_on: date | None) -> dict[str, Any]:
    before, after_ = (
        visibility.strip(subject.kind, document, subject.entities) for document in (outlook.before, outlook.after)
    )
    shown = diffs.arrange(subject.kind, outlook.changes, before=before or None, after=after_, effective_on=effective_on)
    flags = words.risk_summary(ChangeFlags(outlook.flags))  # type: ignore[arg-type]
    verb = "You propose" if subject.new else "You change"
    text: Rich = f"{verb} {shown.summary}." + (f" Its reviewers will be shown {flags} risk." if flags else "")
    return {"diff": shown, "text": text}


@dataclass(frozen=True)
class ChangeFlags:
    """The flags of a request that is not one yet."""

    risk_flags: list[dict[str, Any]]


def after(decision: Decision, effective_on: date | None = None) -> list[Step]:
    """The track a proposal would take, as the policies stand."""
    steps = []
    if decision.auto:
        steps.append(Step(title="Approved by policy", body=", ".join(decision.names)))
    for (_, role), (quorum, hours) in sorted(decision.steps.items()) if not decision.auto else ():
        people = f"{quorum} people, " if quorum > 1 else ""
        steps.append(Step(title=words.role_title(role), body=f"{people}within {_hours(hours)}"))
    when = f"on {day(effective_on)}" if effective_on else "at once"
    return [*steps, Step(title="Applied", body=f"{when}, then sent to the platforms that keep it")]


def _hours(hours: int) -> str:
    return f"{hours // 24} day{'s' * (hours >= 48)}" if hours >= 24 and hours % 24 == 0 else f"{hours} h"


def put_aside(request: HttpRequest, subject: Subject) -> Callout | None:
    """A new form offers what was discarded shortly before."""
    if subject.change or not subject.new or kept_forms.taken_aside(request, subject.kind.path) is None:
        return None
    back = Action(
        label="Bring it back", url=f"{reverse('web:record-new', args=[subject.kind.path])}?back=1", icon="undo"
    )
    return Callout(title="You discarded what you had typed here", icon="undo", action=back)


# --- records that may be the same -----------------------------------------------------------------------------


def similar(kind: RecordType, draft: Draft, entities: visibility.Entities, *, draft_url: str = "") -> dict[str, Any]:
    """Stored records like what is typed so far, however little of it is valid yet."""
    document = loosely(kind, draft)
    if kind.match is None or not any(value for name, value in document.items() if name not in ("country",)):
        return {"items": [], "note": ""}
    found = matching.search(kind=kind, document=document, limit=FEW)
    known = _known(kind, [match.uid for match in found])
    items = [_similar(kind, match, known[match.uid], draft_url) for match in found if match.uid in known]
    return {"items": items, "note": "" if items else "No record looks like this one so far."}


def _known(kind: RecordType, uids: Sequence[str]) -> dict[str, str]:
    """{uid: “active, DE, at SAP S/4HANA and Coupa”}: what tells a person which one it is; two queries."""
    keys = duplicates.keys(uids)
    country = "country" if "country" in kind.filters else "status"
    told = {}
    for uid, status, where in kind.model._default_manager.filter(uid__in=uids).values_list("uid", "status", country):
        systems = " and ".join(dict.fromkeys(row.system.title for row in keys[str(uid)]))
        parts = [status, where if country == "country" else "", f"at {systems}" if systems else "at no system"]
        told[str(uid)] = ", ".join(part for part in parts if part)
    return told


def _similar(kind: RecordType, match: matching.Match, told: str, draft_url: str) -> dict[str, Any]:
    """Opening it throws away what was typed, and says so first."""
    url, sure = visitor.record_url(kind, match.uid), match.score.band == "link"
    what = "Your draft is withdrawn" if draft_url else "What you typed is thrown away"
    form_url = draft_url or reverse("web:record-new", args=[kind.path])
    opening = Action(
        label="Open the existing record", name=f"open-{match.uid}", icon=kind.icon, method="post", form=FORM,
        url=f"{form_url}{'&' if '?' in form_url else '?'}{urlencode({'next': url})}", fields={"action": "discard"},
        confirm=Confirm(
            title=f"Open {match.name}?", button="Discard and open it", cancel="Go on typing",
            body=f"{what}, and nothing is proposed. For half an hour you can bring it back.",
        ),
    )  # fmt: skip
    return {
        "title": match.name,
        "url": url,
        "text": f"{match.code}, {told}. {matching.in_short(match.score)}.",
        "score": percent(match.score.probability),
        "tone": "red" if sure else "amber" if match.score.band == "review" else "grey",
        "actions": [opening],
    }


def loosely(kind: RecordType, draft: Draft) -> Document:
    """What is typed so far as a document for matching: values and rows that are not valid yet are left out."""
    typed = {spec.name: value_of(spec, draft.values.get(spec.name, "")) for spec in specs(kind.document)}
    document: Document = {name: value for name, value in typed.items() if value}
    try:
        kind.document.model_validate(document)
    except ValidationError as error:
        for wrong in error.errors(include_url=False, include_input=False):
            document.pop(str(wrong["loc"][0]), None)
    for child in kind.children:
        rows = []
        for line in draft.lines.get(child.name, []):
            values = {spec.name: value_of(spec, line.values.get(spec.name, "")) for spec in specs(child.document)}
            given = {name: value for name, value in values.items() if value is not None and "…" not in str(value)}
            if is_blank(child.document, line):
                continue
            try:
                rows.append(child.document.model_validate(given).model_dump(mode="json"))
            except ValidationError:
                continue
        document[child.name] = rows
    return document


def starting(kind: RecordType, draft: Draft) -> None:
    """A new record asks at once for the rows by which the same thing is recognised, so that nobody makes it twice."""
    if kind.match is None:
        return
    for part in (kind.match.tax_ids, kind.match.addresses):
        child = part and next((c for c in kind.children if part.items == f"{c.name}[]"), None)
        if child and not draft.lines.get(child.name):
            add(kind, draft, child.name)
