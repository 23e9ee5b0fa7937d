"""From what somebody sends to what a request stores: validated, normalised path changes with labels."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection
from django.utils import timezone

from mdm import dating, registry
from mdm.errors import CorrectInput, NotFound, NotNow, StaleVersion
from mdm.models import ChangeItem, ChangeRequest
from mdm.registry import RecordType
from mdm.selectors import records, visibility
from mdm.selectors.visibility import Entities
from mdm.services import documents, retiring, uniqueness
from mdm.types import Change, Document, Problem, apply_changes, diff

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}")
CODE_WORDS = "A code has letters, digits, and . _ / - inside, at most 40 characters."
STATUS_AFTER = {"block": "blocked", "unblock": "active", "retire": "retired"}
_STATUS_FROM = {"block": ("active",), "unblock": ("blocked",), "retire": ("active", "blocked")}


@dataclass
class ProposedItem:
    """One record's part of a proposal; give exactly one of `patch` (from outside), `document` or `changes` (from us).

    patch: merge-patch as API.md describes; document: a whole validated body; changes: path changes.
    """

    type: str
    action: str = "update"
    uid: str | None = None
    patch: Document | None = None
    document: Document | None = None
    changes: list[Change] | None = None
    base_version: int | None = None
    code: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] | None = None  # of a record that leaves: what becomes of those that use it, see retiring


@dataclass
class Built:
    """A stored item with the documents around it, kept for policies and risks."""

    item: ChangeItem
    before: Document | None
    after: Document


def build(items: Iterable[ProposedItem], *, effective_on: date | None = None, entities: Entities = None) -> list[Built]:
    """Every item checked and normalised; CorrectInput names the item when there are several. Items for what a plan repoints
    come after those given. `entities`: companies of whoever proposes; what is of others is refused, and not named."""
    listed = list(items)
    if not listed:
        raise CorrectInput("A request needs at least one item.")
    built: list[Built] = []
    problems: list[Problem] = []
    together = uniqueness.Together()
    for index, proposed in enumerate(listed):
        try:
            built.append(_build_one(proposed, index, together))
        except CorrectInput as error:
            prefix = f"items/{index}/" if len(listed) > 1 else ""
            own = error.problems or (Problem("", error.code, error.message),)
            problems += [Problem(prefix + p.path, p.code, p.message) for p in own]
    if not problems:
        _carry_out(built, listed, together, effective_on, entities)
        problems = _across(built, [*(proposed.patch or {} for proposed in listed), *({} for _ in built[len(listed) :])])
    if problems:
        words = "One value needs correction." if len(problems) == 1 else f"{len(problems)} values need correction."
        raise CorrectInput(problems[0].message if len(problems) == 1 else words, problems=problems)
    check_left_behind(built, effective_on, note=True, entities=entities)
    _refuse_foreign(built, entities)
    return built


def _day(effective_on: date | None) -> str:
    today = timezone.localdate()
    return max(effective_on or today, today).isoformat()


def _carry_out(
    built: list[Built],
    listed: Sequence[ProposedItem],
    together: uniqueness.Together,
    effective_on: date | None,
    entities: Entities,
) -> None:
    """Plans of records that leave, read and carried out: an item for everybody who is repointed."""
    for index, (part, proposed) in enumerate(zip(list(built), listed, strict=True)):
        if not proposed.plan:
            continue
        prefix = f"items/{index}/" if len(listed) > 1 else ""
        kind = registry.get(part.item.type)
        day = retiring.leaves_on(kind, part.before, part.after, _day(effective_on))
        try:
            if day is None or part.before is None:
                text = "A plan is for a record that is retired or closed."
                raise CorrectInput(text, problems=[Problem("plan", "not_leaving", text)])
            part.item.detail["plan"] = retiring.read(proposed.plan, day)
            repoint(part, built, together, entities)
        except CorrectInput as error:
            found = [Problem(prefix + p.path, p.code, p.message) for p in error.problems]
            raise CorrectInput(error.message, problems=found) from None


def repoint(part: Built, built: list[Built], together: uniqueness.Together, entities: Entities) -> None:
    """Add items for everybody whom the plan of this part repoints and who has none yet; refused whole when people of these
    companies do not see all of them."""
    plan, kind, document = part.item.detail["plan"], registry.get(part.item.type), part.before
    if "replace_with" not in plan or document is None:
        return
    there = {str(one.item.uid) for one in built}
    found = retiring.users(kind, document, plan["from"])
    mine = retiring.Users([one for one in found.records if one.uid not in there])
    if hidden := retiring.hidden(mine, entities):
        text = retiring.not_theirs(hidden)
        raise CorrectInput(text, problems=[Problem("plan/replace_with", "foreign_entity", text)])
    after = retiring.repointed(kind, document, mine, plan["replace_with"], plan["from"], documents.fresh_uid)
    for other, body, wanted in after:
        item = ProposedItem(type=other.key, uid=body["uid"], document=wanted, base_version=body["version"])
        try:
            built.append(_build_one(item, len(built), together))
        except CorrectInput as error:
            text = f"{other.title} {body['code']} cannot refer to {plan['replace_with']}: {error.message}"
            raise CorrectInput(text, problems=[Problem("plan/replace_with", error.code, text)]) from None


def check_left_behind(
    built: Sequence[Built], effective_on: date | None, *, note: bool = False, entities: Entities = None
) -> None:
    """StillUsed when a record leaves that others refer to and nobody planned for. `note`: keep how many stay behind.
    `entities`: companies of whoever is told."""
    changed = [(registry.get(part.item.type), part.after) for part in built]
    for index, part in enumerate(built):
        kind = registry.get(part.item.type)
        day = retiring.leaves_on(kind, part.before, part.after, _day(effective_on))
        if day is None or part.before is None or part.item.action in ("merge", "unmerge", "detach"):
            continue
        found = retiring.left_behind(kind, part.before, day, changed)
        plan = part.item.detail.get("plan") or {}
        if found.count and not plan.get("keep"):
            prefix = f"items/{index}/" if len(built) > 1 else ""
            raise retiring.refusal(kind, part.before, found, prefix, entities)
        if note and plan:
            part.item.detail["plan"] = retiring.noted(plan, found)


def check_across(built: Sequence[Built]) -> None:
    """CorrectInput when these records cannot all be as they would be: what `RecordType.across` says of them together."""
    if problems := _across(built, [{}] * len(built)):
        raise CorrectInput(problems[0].message, problems=problems)


def _across(built: Sequence[Built], given: Sequence[Document]) -> list[Problem]:
    """Problems of all items; each told where its value was given, with the number of the item when there are several."""
    found: list[Problem] = []
    kinds = {part.item.type: registry.get(part.item.type) for part in built}
    for kind in kinds.values():
        if kind.across is None:
            continue
        mine = [(n, part) for n, part in enumerate(built) if part.item.type == kind.key and part.item.action != "merge"]
        told = kind.across.problems([(part.before, part.after) for _, part in mine])
        for n, part in mine:
            own = told.get(str(part.after["uid"]), [])
            if kind.periods and own:
                own = dating.as_given(kind, part.after, given[n], dating.placed(kind, part.after, own, own=False))
            prefix = f"items/{n}/" if len(built) > 1 else ""
            found += [Problem(prefix + p.path, p.code, p.message) for p in own]
    return found


def _refuse_foreign(built: Iterable[Built], entities: Entities) -> None:
    """Nobody changes what belongs to other companies, by whatever door: a period of theirs, or a record that is theirs today."""
    for part in built:
        kind = registry.get(part.item.type)
        if entities is None or not kind.entity_field:
            continue
        documents_ = (part.before, part.after)
        if not all(visibility.sees_today(kind, document, entities) for document in documents_ if document):
            path = kind.entity_field
        else:
            path = min(visibility.hidden_paths(kind, part.item.changes, documents_, entities), default="")
        if path:
            text = f"This would change what belongs to a company that is not yours: {kind.label(path)}."
            raise CorrectInput(text, problems=[Problem(path, "foreign_entity", text)])


def _build_one(proposed: ProposedItem, index: int, together: uniqueness.Together) -> Built:
    kind = registry.find(proposed.type)
    if kind is None:
        raise CorrectInput(f"There is no record type “{proposed.type}”.")
    if proposed.action == "create":
        return _build_create(kind, proposed, index, together)
    if not proposed.uid:
        raise CorrectInput("Name the record by its uid.", problems=[Problem("uid", "missing", "This field is needed.")])
    current = records.current_document(kind.key, proposed.uid)
    if proposed.base_version is not None and proposed.base_version != current["version"]:
        text = f"This record is at version {current['version']} now; you saw {proposed.base_version}. Read it again."
        raise StaleVersion(text, current=current["version"])
    if current["status"] == "merged" and proposed.action != "unmerge":
        raise NotNow("This record was merged into another one: change the surviving record.")
    if proposed.action in STATUS_AFTER:
        return _build_status(kind, proposed, current, index)
    if proposed.action == "unmerge" or "merged_into" in proposed.detail:
        return _build_as_it_was(kind, proposed, current, index)
    return _build_update(kind, proposed, current, index, together)


def _build_create(kind: RecordType, proposed: ProposedItem, index: int, together: uniqueness.Together) -> Built:
    patch = dict(proposed.patch or {})
    code = proposed.code or patch.pop("code", "") or ""
    if not isinstance(code, str):
        raise CorrectInput("A code is text.", problems=[Problem("code", "string_type", "A code is text.")])
    if code and not CODE.fullmatch(code):
        raise CorrectInput(CODE_WORDS, problems=[Problem("code", "invalid_code", CODE_WORDS)])
    if code and kind.model._default_manager.filter(code=code).exists():
        text = f"The code {code} is taken."
        raise CorrectInput(text, problems=[Problem("code", "taken", text)])
    body = proposed.document if proposed.document is not None else documents.merge_patch(kind, {}, patch)
    uid = proposed.uid or str(uuid.uuid4())
    body = complete(kind, {**body}, None, made=together.codes)
    code = code or codes(kind, [body])[0]
    together.check(kind, uid, code, None, body)
    after = {
        **body,
        "uid": uid,
        "code": code,
        "status": "active",
        "version": 0,
        "schema": kind.schema,
    }
    changes = [c for c in diff({}, after) if c.path not in documents.BODY_EXTRA]
    item = _item(kind, proposed, index, uid=uid, label=kind.name_of(after), changes=changes, base_version=None)
    item.detail = {"code": after["code"], **proposed.detail}
    return Built(item, None, after)


def complete(
    kind: RecordType,
    body: Document,
    current: Document | None,
    *,
    given: Document | None = None,
    made: Collection[tuple[str, str]] = (),
) -> Document:
    """Schema, rules, child uids and references of a whole body; CorrectInput with every problem.

    `given`: the patch it was made of, so that what is wrong with a dated value is told where it was given. `made`: (type,
    code) of records that the same request makes, which may be referred to.
    """
    try:
        valid = documents.adopt_uids(
            kind, documents.validate(kind, documents.body_of(kind, body) | _unknown(kind, body)), current
        )
        held = {(key, str(value)) for _, key, value in documents.references_in(kind, current or {})}
        problems = documents.check_references(kind, valid, made={*made, *held})
        if problems:
            found = dating.placed(kind, valid, problems) if kind.periods else problems
            raise CorrectInput(found[0].message, problems=found)
    except CorrectInput as error:
        if not kind.periods or not given:
            raise
        raise CorrectInput(error.message, problems=dating.as_given(kind, body, given, error.problems)) from None
    return valid


def _unknown(kind: RecordType, body: Document) -> Document:
    known = {*kind.document.model_fields, *documents.HEADER, *documents.BODY_EXTRA}
    return {name: value for name, value in body.items() if name not in known}


def _build_update(
    kind: RecordType, proposed: ProposedItem, current: Document, index: int, together: uniqueness.Together
) -> Built:
    if proposed.changes is not None:
        merged = apply_changes(current, proposed.changes)
    elif proposed.document is not None:
        merged = {**current, **proposed.document}
    else:
        merged = documents.merge_patch(kind, current, proposed.patch or {})
    body = complete(kind, merged, current, given=proposed.patch, made=together.codes)
    together.check(kind, current["uid"], current["code"], current, body)
    after = {**current, **{name: merged.get(name) for name in documents.BODY_EXTRA}, **body}
    changes = [c for c in diff(current, after) if c.path not in kind.derived]
    if not changes and proposed.action == "update":
        raise CorrectInput("Nothing would change: the record already holds these values.")
    return _with_item(kind, proposed, index, current, after, changes)


def _build_status(kind: RecordType, proposed: ProposedItem, current: Document, index: int) -> Built:
    if current["status"] not in _STATUS_FROM[proposed.action]:
        raise NotNow(f"This {kind.noun} is {current['status']}: it cannot be {STATUS_AFTER[proposed.action]} now.")
    after = {**current, "status": STATUS_AFTER[proposed.action]}
    return _with_item(kind, proposed, index, current, after, diff(current, after))


def _build_as_it_was(kind: RecordType, proposed: ProposedItem, current: Document, index: int) -> Built:
    """Values the hub held before, or a record that only becomes part of another: today's rules have no say."""
    after = apply_changes(current, proposed.changes or [])
    return _with_item(kind, proposed, index, current, after, proposed.changes or [])


def _with_item(
    kind: RecordType,
    proposed: ProposedItem,
    index: int,
    current: Document,
    after: Document,
    changes: list[Change],
) -> Built:
    item = _item(
        kind,
        proposed,
        index,
        uid=current["uid"],
        label=kind.name_of(current),
        changes=changes,
        base_version=current["version"],
    )
    item.detail = {"code": current["code"], **proposed.detail}
    return Built(item, current, after)


def _item(kind: RecordType, proposed: ProposedItem, index: int, **values: Any) -> ChangeItem:
    changes = [change.as_json() for change in values.pop("changes")]
    label = values.pop("label")[:300]
    return ChangeItem(position=index, type=kind.key, action=proposed.action, changes=changes, label=label, **values)


def codes(kind: RecordType, bodies: Sequence[Document], wanted: Sequence[str] = ()) -> list[str]:
    """A code for each new record: the one wanted, or what the type calls it, where that is free; else the hub's next
    number. One query each."""
    told = [
        wish or (kind.code_of(body) if kind.code_of else "")
        for body, wish in zip(bodies, wanted or [""] * len(bodies), strict=True)
    ]
    taken = set(kind.model._default_manager.filter(code__in=filter(None, told)).values_list("code", flat=True))
    free: list[str] = []
    for code in told:
        free.append("" if code in taken else code)
        taken.add(code)
    numbers = iter(next_codes(kind, free.count("")) if "" in free else [])
    return [code or next(numbers) for code in free]


def next_codes(kind: RecordType, count: int) -> list[str]:
    """A code once given is never given again, so gaps are normal."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('mdm_code_seq') FROM generate_series(1, %s)", [count])
        return [f"{kind.code_prefix}{number}" for (number,) in cursor.fetchall()]


def rebuild(change: ChangeRequest) -> list[Built]:
    """The documents around the stored items as they are now; for risks and policies of an edited request."""
    built = []
    for item in change.items.all():
        try:
            before: Document | None = records.current_document(item.type, item.uid)
        except NotFound:
            before = None
        stored = [Change(**c) for c in item.changes]
        after = dating.as_of(
            registry.get(item.type), apply_changes(before or {"uid": str(item.uid)}, stored), timezone.localdate()
        )
        built.append(Built(item, before, after))
    return built
