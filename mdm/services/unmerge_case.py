"""An applied merge looked at again: its records before, right after and now, and what stands in the way of undoing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mdm import registry
from mdm.errors import CorrectInput, NotNow
from mdm.models import ChangeItem, ChangeRequest, RecordVersion
from mdm.models.change import OPEN_STATES
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import documents, merge_result
from mdm.types import Document, diff


@dataclass(frozen=True)
class Case:
    """`restored` come back, `still` stay merged. `before`: {uid: document} of every member just before the merge."""

    merge: ChangeRequest
    kind: RecordType
    items: list[ChangeItem]
    head: ChangeItem
    survivor: str
    restored: list[str]
    still: list[str]
    before: dict[str, Document]
    after: Document
    merged_paths: list[str]
    now: dict[str, Document]

    def made_of(self, members: Sequence[str]) -> Document:
        """What the merge makes of the survivor and only these others; rows keep the uids the merge gave them."""
        detail = self.head.detail
        if set(members) == set(detail["losers"]):
            return self.after
        first = self.before[self.survivor]
        if not members:
            return first
        inside = {self.survivor, *members}
        others = [self.before[uid] for uid in detail["losers"] if uid in inside]
        choices = {path: uid for path, uid in detail["choices"].items() if uid in inside}
        rows = {
            f"{child.name}/{row['uid']}"
            for child in self.kind.children
            for document in (first, *others)
            for row in document.get(child.name) or []
        }
        made = merge_result.result(self.kind, first, others, choices, rows & set(detail.get("drops", ())))
        for child in self.kind.children:
            own = {row["uid"] for row in first.get(child.name) or []}
            given = {documents.identity(child, row): row["uid"] for row in self.after.get(child.name) or []}
            for row in made.get(child.name) or []:
                if row["uid"] not in own:
                    row["uid"] = given.get(documents.identity(child, row), row["uid"])
        return made

    @cached_property
    def base(self) -> Document:
        """What the merge is today, nothing else having happened since."""
        return self.made_of([*self.still, *self.restored])

    @cached_property
    def want(self) -> Document:
        """What it would be without the restored records; fields the merge never touched are as in `base`."""
        made = self.made_of(self.still)
        touched = {path.split("/")[0] for path in self.merged_paths}
        return {**self.base, **{name: made.get(name) for name in self.base if name in touched}}


def block_of(path: str) -> str:
    """The field, or the row a path points into."""
    return "/".join(path.split("/")[:2])


def open_case(merge: ChangeRequest, members: Sequence[str] | None = None) -> Case:
    """The case of undoing all that is left of this merge, or only for these members.

    NotNow where that cannot be done; `blocker` is the number of the request to undo first.
    """
    if merge.kind != "merge" or merge.state != "applied":
        raise NotNow("Only a merge that was applied can be undone.")
    items = list(merge.items.all())
    head = next(item for item in items if "losers" in item.detail)
    kind, survivor = registry.get(head.type), head.detail["survivor"]
    left = remaining(merge, head)
    restored = _chosen(merge, kind, head.detail["losers"], left, members)
    before = before_of(items)
    made = RecordVersion.objects.get(uid=survivor, version=head.result_version or 0)
    case = Case(
        merge=merge,
        kind=kind,
        items=items,
        head=head,
        survivor=survivor,
        restored=restored,
        still=[uid for uid in left if uid not in restored],
        before=before,
        after=made.document,
        merged_paths=made.changed_paths,
        now=records.current_documents(kind.key, [survivor, *head.detail["losers"]]),
    )
    _require_undoable(case)
    return case


def remaining(merge: ChangeRequest, head: ChangeItem) -> list[str]:
    """Who is still part of the survivor, in the order of the merge."""
    losers = head.detail["losers"]
    rows = registry.get(head.type).model._default_manager.filter(
        uid__in=losers, status="merged", merged_into=head.detail["survivor"]
    )
    found = {str(uid) for uid in rows.values_list("uid", flat=True)}
    return [uid for uid in losers if uid in found]


def before_of(items: Sequence[ChangeItem]) -> dict[str, Document]:
    wanted = {str(item.uid): (item.result_version or 1) - 1 for item in items if item.action == "merge"}
    rows = RecordVersion.objects.filter(uid__in=wanted, version__in=set(wanted.values()))
    found = rows.values_list("uid", "version", "document")
    return {str(uid): document for uid, version, document in found if wanted[str(uid)] == version}


def _chosen(
    merge: ChangeRequest, kind: RecordType, losers: Sequence[str], left: Sequence[str], members: Sequence[str] | None
) -> list[str]:
    asked = list(dict.fromkeys(str(uid) for uid in members)) if members else list(left)
    if strangers := [uid for uid in asked if uid not in losers]:
        raise CorrectInput(f"{strangers[0]} did not become part of another record by {merge.number}.")
    undone = [uid for uid in asked if uid not in left]
    if undone or not asked:
        by = merge.reverted_by.filter(kind="unmerge", state="applied").order_by("-pk").first()
        raise NotNow(f"{merge.number} was undone already" + (f" by {by.number}." if by else "."))
    waiting = merge.reverted_by.filter(kind="unmerge", state__in=OPEN_STATES, items__uid__in=asked).first()
    if waiting:
        raise NotNow(f"{waiting.number} asks for this already: decide on it first.", blocker=waiting.number)
    return [uid for uid in losers if uid in asked]


def _require_undoable(case: Case) -> None:
    """Later merges that built on this one have to go first; those that did not stay."""
    if chain := _taken_away(case.kind, case.survivor):
        code = case.now[case.survivor]["code"]
        words = ", then ".join(change.number for change in chain)
        raise NotNow(f"{code} was merged into another record since. Undo {words} first.", blocker=chain[0].number)
    patch = {block_of(change.path) for change in diff(case.base, case.want)}
    patch = {path for path in patch if "/" in path or not isinstance(case.base.get(path), list)}
    for later in _later(case):
        version = RecordVersion.objects.get(uid=case.survivor, version=later.result_version or 0)
        shared = sorted(patch & {block_of(path) for path in version.changed_paths})
        if shared:
            label = case.kind.label(shared[0].split("/")[0]).lower()
            number = later.request.number
            raise NotNow(
                f"{number} merged more into this record and changed its {label}. Undo {number} first.", blocker=number
            )


def _taken_away(kind: RecordType, uid: str) -> list[ChangeRequest]:
    """The merges by which this record became part of others, the last one first."""
    chain: list[ChangeRequest] = []
    while True:
        into = kind.model._default_manager.filter(uid=uid).values_list("merged_into", flat=True).first()
        item = (
            ChangeItem.objects.filter(uid=uid, action="merge", request__state="applied", detail__merged_into=str(into))
            .select_related("request")
            .order_by("-pk")
            .first()
            if into
            else None
        )
        if item is None or item.request in chain:
            return chain
        chain.insert(0, item.request)
        uid = str(into)


def _later(case: Case) -> list[ChangeItem]:
    """Merges of more records into the same survivor since, as far as they still hold."""
    rows = ChangeItem.objects.filter(
        uid=case.survivor,
        action="merge",
        request__state="applied",
        detail__survivor=case.survivor,
        result_version__gt=case.head.result_version,
    )
    return [item for item in rows.select_related("request").order_by("-pk") if remaining(item.request, item)]
