"""What a proposal is about: a new record, a record, or a request that is changed; and how it becomes a request."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from mdm import dating
from mdm.errors import CorrectInput, NotAllowed, NotFound, NotNow, Reload
from mdm.models import ChangeItem, ChangeRequest, RecordVersion
from mdm.registry import RecordType
from mdm.selectors import records, request_items, visibility
from mdm.services import changes, documents, policy, proposing, whole_request
from mdm.services.proposing import Built, ProposedItem
from mdm.types import Actor, Change, Document, Problem, apply_changes, diff
from mdm.web import propose_references, visitor
from mdm.web.propose_form import Draft, filled, patch_of, read_document
from mdm.web.propose_references import Resolved
from mdm.web.review import approval


@dataclass
class Subject:
    """`source`: the document the form starts from, whole and sealed; `current`: the golden one, None when new."""

    kind: RecordType
    entities: visibility.Entities
    source: Document = field(default_factory=dict)
    current: Document | None = None
    change: ChangeRequest | None = None
    item: ChangeItem | None = None

    @property
    def new(self) -> bool:
        return self.current is None

    @property
    def version(self) -> int:
        return int(self.current["version"]) if self.current else 0

    def draft(self, source: Document | None = None) -> Draft:
        """The form as it is first shown: without rows the person may not see."""
        found = read_document(self.kind, visibility.strip(self.kind, source or self.source, self.entities))
        if self.kind.periods and not self.new:
            found.values["valid_from"] = timezone.localdate().isoformat()  # what is changed holds from today, unless …
        propose_references.show(self.kind, found)
        if self.change:
            found.reason = self.change.reason
            found.effective_on = self.change.effective_on.isoformat() if self.change.effective_on else ""
            found.code = str(self.item.detail.get("code") or "") if self.item else ""
        return found

    def source_at(self, version: int) -> Document | None:
        """What the form started from when the record was at that version."""
        if self.current is None:
            return None
        row = RecordVersion.objects.filter(uid=self.current["uid"], version=version).first()
        return apply_changes(row.document, self._asked()) if row else None

    def _asked(self) -> list[Change]:
        return [Change(**change) for change in self.item.changes] if self.item else []


def find(request: HttpRequest, kind: RecordType, uid: UUID | None) -> Subject:
    subject = Subject(kind, visitor.entities(request))
    if uid is not None:
        visitor.record_at(request, kind, uid)
        subject.current = records.current_document(kind.key, uid)
        subject.source = subject.current
        if subject.current["status"] in ("merged", "retired"):
            word = subject.current["status"]
            raise NotNow(f"This {kind.noun} is {word}: it is not changed any more.")
    number = request.GET.get("request", "")
    if number:
        if not number.isdigit() or len(number) > 12:
            raise NotFound("There is no such request.")
        _open_request(request, subject, int(number), uid)
    return subject


def _open_request(request: HttpRequest, subject: Subject, number: int, uid: UUID | None) -> None:
    """A request whose one item is about this record is changed in the form it was made with."""
    change = request_items.find(visitor.requests_seen(request), number)
    refusal = changes.why_not(change, "edit", visitor.actor(request))
    if refusal:
        raise refusal[0](refusal[1])
    items = list(change.items.all()[:2])
    item = items[0] if len(items) == 1 else None
    fits = item and item.type == subject.kind.key and item.action == ("create" if uid is None else "update")
    if item is None or not fits or (uid is not None and item.uid != uid):
        raise NotNow("This request is not changed here: it is not about the values of this one record.")
    if not request_items.sees_all(change, subject.entities):
        raise NotAllowed(approval.SEES_NOT)
    subject.change, subject.item = change, item
    asked = apply_changes(subject.current or {"uid": str(item.uid)}, subject._asked())
    subject.source = dating.as_of(subject.kind, asked, timezone.localdate())


# --- from what was typed to a document ------------------------------------------------------------------------


@dataclass
class Assembled:
    """A whole proposed body, and where on the form a row stands: by its uid, or as `<list>/<index>` of those sent."""

    body: Document = field(default_factory=dict)
    patch: Document = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    resolved: Resolved | None = None


def assemble(subject: Subject, draft: Draft, made: Assembled) -> None:
    """The proposed body of what was typed, into `made`, so that a refusal still knows where the rows stand."""
    kind = subject.kind
    made.resolved = propose_references.resolve(kind, draft)
    for child in kind.children:
        for index, (place, line) in enumerate(filled(child, draft)):
            made.places[line.uid or f"{child.name}/{index}"] = (child.name, place)
    patch = patch_of(kind, made.resolved.draft, new=subject.new)
    if not subject.new:  # the form shows what holds today: only what was changed of it holds from the day given
        shown = {
            name for name in kind.dated if name in patch and dating.same_value(patch[name], subject.source.get(name))
        }
        patch = {name: value for name, value in patch.items() if name not in shown}
    made.patch = patch
    _refuse_foreign(kind, patch, subject.entities)
    _refuse_unknown(subject, draft)
    whole = documents.merge_patch(kind, subject.source, patch)
    for child in kind.children:
        added = [place for place, line in filled(child, draft) if not line.uid]
        fresh = [row for row in whole.get(child.name) or [] if not row.get("uid")]
        for row, place in zip(fresh, added, strict=True):
            row["uid"] = documents.fresh_uid()
            made.places[row["uid"]] = (child.name, place)
    made.body = documents.body_of(kind, whole)


def _refuse_foreign(kind: RecordType, patch: Document, entities: visibility.Entities) -> None:
    """Nobody proposes rows for companies they may not see."""
    found = visibility.outside(kind, patch, entities)
    if found:
        text = "This legal entity is not one of yours."
        raise CorrectInput(text, problems=[Problem(path, "foreign_entity", text) for path in found])


def _refuse_unknown(subject: Subject, draft: Draft) -> None:
    """Rows named by the form are rows the person was shown: a hidden one is neither changed nor ended by guessing."""
    shown = visibility.strip(subject.kind, subject.source, subject.entities)
    for child in subject.kind.children:
        known = {row["uid"] for row in shown.get(child.name) or []}
        named = {line.uid for line in draft.lines.get(child.name, []) if line.uid}
        named |= {key.partition("/")[2] for key in draft.ended if key.startswith(f"{child.name}/")}
        if named - known:
            raise Reload("A row of this form is not there any more. Open the record again.")


def check(subject: Subject, made: Assembled) -> Document:
    """The normalised body; CorrectInput with every problem, those of references typed as names among them."""
    typed = made.resolved.problems if made.resolved else []
    skip = {problem.path.partition("/")[0] for problem in typed if "/" not in problem.path}
    try:
        body = {name: value for name, value in made.body.items() if name not in skip}
        valid = proposing.complete(subject.kind, body, subject.current, given=made.patch)
    except CorrectInput as error:
        raise CorrectInput(error.message, problems=[*typed, *error.problems]) from None
    if typed:
        raise CorrectInput(typed[0].message, problems=typed)
    return valid


# --- what it leads to -----------------------------------------------------------------------------------------


@dataclass
class Outlook:
    """What would be sent and who would decide on it."""

    changes: list[Change]
    before: Document
    after: Document
    flags: list[dict[str, Any]]
    decision: policy.Decision


def look_ahead(subject: Subject, valid: Document) -> Outlook:
    kind, current = subject.kind, subject.current
    uid = str(subject.item.uid) if subject.item else current["uid"] if current else str(uuid4())
    after = {**(current or {}), "uid": uid, **valid}
    given = {*documents.BODY_EXTRA, *(kind.derived if current else ())}
    found = [change for change in diff(current or {}, after) if change.path not in given]
    if current and not found:
        raise CorrectInput("Nothing would change: the record already holds these values.")
    item = ChangeItem(
        type=kind.key, uid=uid, action="update" if current else "create", changes=[c.as_json() for c in found]
    )
    flags = whole_request.risks([Built(item, current, after)])
    return Outlook(found, current or {}, after, flags, decide(item, current, [flag["code"] for flag in flags]))


def decide(item: ChangeItem, current: Document | None, flags: Sequence[str] = ()) -> policy.Decision:
    return policy.decide([policy.facts_of(item, origin="web", system="", current=current, flags=flags)])


def plain_decision(subject: Subject) -> policy.Decision:
    """Who decides on such a proposal when nothing about it is special."""
    action = "create" if subject.new else "update"
    return decide(ChangeItem(type=subject.kind.key, action=action, changes=[]), subject.current)


# --- sending --------------------------------------------------------------------------------------------------


def effective_day(draft: Draft) -> date | None:
    if not draft.effective_on:
        return None
    try:
        return date.fromisoformat(draft.effective_on)
    except ValueError:
        text = "This must be a date such as 2026-01-31."
        raise CorrectInput(text, problems=[Problem("effective_on", "date_parsing", text)]) from None


@transaction.atomic
def send(subject: Subject, draft: Draft, made: Assembled, *, by: Actor, submit: bool) -> ChangeRequest:
    day = effective_day(draft)
    item = ProposedItem(
        type=subject.kind.key,
        action="create" if subject.new else "update",
        uid=str(subject.item.uid) if subject.item else subject.current["uid"] if subject.current else None,
        document=copy.deepcopy(made.body),
        base_version=None if subject.new else subject.version,
        code=draft.code if subject.new else "",
    )
    if subject.change is None:
        return changes.propose(items=[item], by=by, reason=draft.reason, effective_on=day, origin="web", submit=submit)
    change = changes.edit(change=subject.change, by=by, items=[item], reason=draft.reason, effective_on=day)
    if submit and change.state in ("draft", "returned"):
        change = changes.submit_request(change=change, by=by)
    return change
