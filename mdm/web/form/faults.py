"""What is wrong with a form, field by field: problems of the services, which name document paths, at their fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mdm.errors import HubError
from mdm.registry import ChildType, RecordType
from mdm.types import Document, Problem
from mdm.web.form import sent as sent_form
from mdm.web.form import shapes
from mdm.web.form.sent import Sent, SentRow


@dataclass(frozen=True)
class Fault:
    """`field` is the name of the form field, "" when it is about the whole form."""

    field: str
    label: str
    text: str

    def line(self) -> str:
        return f"{self.label}: {self.text}" if self.label else self.text


def of(kind: RecordType, error: HubError, sent: Sent, base: Document | None) -> list[Fault]:
    """At least one fault for any refusal, so that no error goes unsaid. `base`: the record the form is about."""
    if error.problems:
        return [_fault(kind, problem, sent, base) for problem in error.problems]
    return [Fault("_reason" if error.message.startswith("Say why") else "", "", error.message)]


def own(kind: RecordType, problems: Iterable[Problem]) -> list[Fault]:
    """Problems found while reading the form: their path is a field's name already."""
    return [Fault(problem.path, _label_of(kind, problem.path), problem.message) for problem in problems]


def _label_of(kind: RecordType, name: str) -> str:
    if name.startswith("_"):
        return {"_effective_on": "Holds from", "_reason": "Reason", "_code": "Code"}.get(name, "")
    child_name, _, rest = name.partition("-")
    child = next((one for one in kind.children if one.name == child_name), None)
    return kind.label(f"{child_name}/-/{rest.partition('-')[2]}") if child and rest else kind.label(name)


def _fault(kind: RecordType, problem: Problem, sent: Sent, base: Document | None) -> Fault:
    name, _, rest = problem.path.partition("/")
    if name == "code":
        return Fault("_code", "Code", problem.message)
    child = next((one for one in kind.children if one.name == name), None)
    if child is None or not rest:
        known = name in {one.name for one in shapes.fields(kind)}
        return Fault(name if known else "", kind.label(name) if name else "", problem.message)
    token, _, column = rest.partition("/")
    row = _row(kind, child, token, column.partition("/")[0], problem.message, sent, base)
    label = kind.label(f"{name}/-/{column}") if column else child.title
    column = column.partition("/")[0] or shapes.child_fields(kind, child)[0].name
    return Fault(f"{name}-{row.index}-{column}" if row else "", label, problem.message)


def _row(
    kind: RecordType, child: ChildType, token: str, column: str, message: str, sent: Sent, base: Document | None
) -> SentRow | None:
    """The row a path means: by uid; by its place in the merged list; or, for a uid given meanwhile, by its value."""
    rows = [row for row in sent.rows[child.name] if not row.removed]
    by_uid = next((row for row in rows if row.uid and row.uid == token), None)
    if by_uid:
        return by_uid
    added = [row for row in rows if not row.uid and not sent_form.is_blank(kind, child, row)]
    if token.isdigit():
        ended = {row.uid for row in sent.rows[child.name] if row.removed}
        kept = [row for row in (base or {}).get(child.name) or [] if row["uid"] not in ended]
        place = int(token) - len(kept)
        return added[place] if 0 <= place < len(added) else None
    named = [row for row in added if str(row.values.get(column) or "\0") in message]
    return named[0] if named else added[0] if len(added) == 1 else None
