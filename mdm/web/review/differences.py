"""What a request changes, as diffs: one per record, with what is hidden, what clashes, and which value to choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mdm.models import ChangeRequest
from mdm.selectors.request_items import Looked
from mdm.services import documents
from mdm.web import diffs
from mdm.web.page import Callout, Notice
from mdm.web.review import words
from mdm.web.visitor import record_url

FOLDED = 3  # records beyond which each is one line until it is opened


def items(change: ChangeRequest, looked: Sequence[Looked]) -> list[dict[str, Any]]:
    folded = len(looked) > FOLDED or change.kind == "load"
    return [_item(change, part) | {"folded": folded} for part in looked]


def _item(change: ChangeRequest, part: Looked) -> dict[str, Any]:
    item, kind = part.item, part.kind
    exists = part.before is not None or item.result_version is not None
    return {
        "title": f"{part.label} ({part.code})" if part.code else part.label,
        "url": record_url(kind, item.uid) if exists and not part.unseen else "",
        "type_label": kind.title,
        "action": words.ACTIONS.get(item.action, item.action),
        "version": item.base_version,
        "diff": diffs.arrange(
            kind, part.changes, before=part.before, after=part.after, effective_on=change.effective_on
        ),
        "problems": [*_hidden(part), *_warnings(change, part)],
    }


def _hidden(part: Looked) -> list[Notice]:
    if part.unseen or not part.hidden:
        return []
    text = f"{part.hidden} change{'s' * (part.hidden > 1)} of other companies {'are' if part.hidden > 1 else 'is'} not shown"
    return [Notice(title=text, tone="grey", icon="lock")]


def _warnings(change: ChangeRequest, part: Looked) -> list[Notice]:
    """What the rules of the record type say of the outcome, while it can still be changed."""
    if not change.is_open or part.unseen or part.item.action not in ("create", "update"):
        return []
    problems = documents.told_by_rules(part.kind, part.after)
    return [
        Notice(
            title=f"{part.kind.label(problem.path)}: {problem.message}",
            tone="red" if problem.severity == "error" else "amber",
            icon="alert",
        )
        for problem in problems
    ]


def summary(looked: Sequence[Looked], listed: Sequence[dict[str, Any]], total: int) -> str:
    if total != 1 or not listed:
        return f"{total:,} records"
    diff = listed[0]["diff"]
    same = len(diff.unchanged)
    parts = [diff.summary, f"{same} field{'s' * (same != 1)} unchanged" if same else ""]
    return " · ".join(part for part in parts if part)


def conflicts(change: ChangeRequest, looked: Sequence[Looked]) -> list[diffs.Conflict]:
    """Rows to choose from; the path carries the item's position, because two records may clash in one field."""
    if change.state != "conflicted":
        return []
    rows = []
    for part in looked:
        seen = {one.path for one in part.changes}
        shown = [one for one in part.item.conflicts if one["path"] in seen or not (part.hidden or part.unseen)]
        for row in diffs.conflict_rows(part.kind, shown):
            label = row.label if len(looked) == 1 else f"{part.label}: {row.label}"
            rows.append(
                diffs.Conflict(
                    path=f"{part.item.position}/{row.path}",
                    label=label,
                    base=row.base,
                    proposed=row.proposed,
                    current=row.current,
                    sealed=row.sealed,
                    why=row.why,
                )
            )
    return rows


def clash_callouts(looked: Sequence[Looked]) -> list[Callout]:
    """Said before somebody approves in vain: the same fields were changed since the request was made."""
    labels = [part.kind.label(clash["path"]) for part in looked for clash in part.clashes]
    if not labels:
        return []
    names = ", ".join(dict.fromkeys(labels))
    return [
        Callout(
            title="Somebody changed the same fields since",
            body=f"{names}. Once approved, a person has to choose which value holds before anything is applied.",
            tone="amber",
            icon="alert",
        )
    ]
