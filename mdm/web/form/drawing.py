"""A form as the template draws it: groups of fields in the order of the record's page, rows of its lists below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mdm import registry
from mdm.registry import ChildType, RecordType
from mdm.selectors import search_records
from mdm.web import memory
from mdm.web.form import shapes
from mdm.web.form.sent import Sent, SentRow
from mdm.web.form.shapes import SHORT, FieldShape
from mdm.web.references import is_by_uid
from mdm.web.tables import Field, Option

KEEP = 60  # seconds the choices of a reference are kept
_HELP = {"lines": "One per line.", "sealed": "Stored sealed and shown masked. Leave the mask as it is to keep the number."}


class Drawing:
    """Draws the form of one record type. `errors`: {field name: text}."""

    def __init__(self, kind: RecordType, sent: Sent, errors: Mapping[str, str], check_url: str) -> None:
        self.kind, self.sent, self.errors, self.check_url = kind, sent, errors, check_url

    def groups(self, *, new: bool) -> list[dict[str, Any]]:
        known = {one.name: one for one in shapes.fields(self.kind)}
        placed: list[str] = []
        found = []
        for section in self.kind.sections:
            names = [name for name in section.fields if name in known]
            placed += names
            found.append(self._group(section.title, [known[name] for name in names]))
        left = [one for name, one in known.items() if name not in placed]
        if left:
            found.append(self._group("Other fields", left))
        if new:
            found[0]["rows"].append([self._code()])
        return [*found, *(self._children(child) for child in self.kind.children), self._words()]

    def _group(self, legend: str, fields: Sequence[FieldShape]) -> dict[str, Any]:
        drawn = [(one, self.field(one, one.name, self.sent.values[one.name])) for one in fields]
        return {"legend": legend, "help": "", "rows": in_rows(drawn), "children": None}

    def _code(self) -> Field:
        return Field(
            name="_code", label="Code", value=self.sent.code, optional=True, mono=True,
            help="Left empty, the hub gives the next one.", error=self.errors.get("_code", ""),
        )  # fmt: skip

    def _words(self) -> dict[str, Any]:
        reason = Field(
            name="_reason", label="Reason", kind="textarea", value=self.sent.reason,
            help="Whoever decides reads this first.", error=self.errors.get("_reason", ""),
        )  # fmt: skip
        day = Field(
            name="_effective_on", label="Holds from", kind="date", value=self.sent.effective_on, optional=True,
            help="Empty: as soon as it is approved.", error=self.errors.get("_effective_on", ""),
        )  # fmt: skip
        urgent = self.sent.priority == "urgent"
        options = [
            Option(value="normal", label="Normal", selected=not urgent),
            Option(value="urgent", label="Urgent", selected=urgent),
        ]
        priority = Field(name="_priority", label="Priority", kind="select", options=options)
        return {"legend": "Why", "help": "", "rows": [[reason], [day, priority]], "children": None}

    # --- lists ----------------------------------------------------------------------------------------------

    def _children(self, child: ChildType) -> dict[str, Any]:
        singular = self.kind.labels.get(child.name) or child.title
        items = [self._child(child, row, singular) for row in self.sent.rows[child.name]]
        return {
            "legend": child.title,
            "help": "",
            "rows": [],
            "children": {"name": child.name, "add_label": f"Add {singular[0].lower()}{singular[1:]}", "items": items},
        }

    def _child(self, child: ChildType, row: SentRow, singular: str) -> dict[str, Any]:
        fields = shapes.child_fields(self.kind, child)
        drawn = [(one, self.field(one, f"{child.name}-{row.index}-{one.name}", row.values[one.name])) for one in fields]
        told = next((str(row.values[name]) for name in child.identity if row.values.get(name)), "")
        told = told.replace("_", " ")
        title = f"{singular} {told}" if told else singular if row.uid else f"New {singular[0].lower()}{singular[1:]}"
        return {"title": title, "index": row.index, "rows": in_rows(drawn), "removed": row.removed}

    def hidden(self) -> list[tuple[str, str]]:
        """What the form carries along: uids of rows, those taken away, and the version it was filled from."""
        found = [("_base_version", str(self.sent.base_version))] if self.sent.base_version else []
        for name, rows in self.sent.rows.items():
            for row in rows:
                if row.uid:
                    found.append((f"{name}-{row.index}-uid", row.uid))
                if row.removed:
                    found.append((f"{name}-{row.index}-removed", "1"))
        return found

    # --- one field ------------------------------------------------------------------------------------------

    def field(self, one: FieldShape, name: str, value: Any, ok: str = "") -> Field:
        kind, options = self._control(one, value)
        return Field(
            name=name,
            id=name,
            label=one.label,
            kind=kind,  # type: ignore[arg-type]
            value="\n".join(value) if one.shape == "lines" else "yes" if one.shape == "yes" else value,
            options=options,
            checked=bool(value) if one.shape == "yes" else False,
            optional=not one.required and one.shape not in ("yes",),
            mono=one.shape in ("sealed", "code") or one.name in ("bic", "number", "value"),
            help=_HELP.get(one.shape, "") or self._reference_help(one),
            error=self.errors.get(name, ""),
            ok=ok,
            validate_url=f"{self.check_url}?field={name}" if self.check_url and one.shape != "yes" else "",
        )

    def _control(self, one: FieldShape, value: Any) -> tuple[str, list[Option]]:
        if one.shape == "choice":
            blank = [] if one.required else [Option(value="", label="", selected=not value)]
            return "select", [*blank, *(Option(value=o, label=_said(o), selected=o == value) for o in one.options)]
        if one.shape == "reference":
            listed = self._choices(one)
            if listed and not is_by_uid(self.kind, one.reference):
                return "select", _reference_options(listed, value)
            return "combo", [Option(value=code, label=name) for code, name in listed]
        if one.values_of or one.shape == "code":
            known = self._known(one)
            return ("combo", [Option(value=v, label="") for v in known]) if known else ("text", [])
        return {"lines": "textarea", "yes": "checkbox", "day": "date", "number": "number", "email": "email"}.get(
            one.shape, "text"
        ), []

    def _choices(self, one: FieldShape) -> list[tuple[str, str]]:
        key = self.kind.references[one.reference]
        return memory.remember(f"choices:{key}", KEEP, lambda: search_records.choices_of(key, most=300))

    def _known(self, one: FieldShape) -> list[str]:
        """Values other records have, to choose from; anything else can be typed."""
        name = one.values_of or one.name
        if name not in self.kind.filters:
            return []
        return memory.remember(
            f"known:{self.kind.key}:{name}", KEEP, lambda: search_records.values_of(self.kind, name)
        )

    def _reference_help(self, one: FieldShape) -> str:
        if one.shape != "reference" or not is_by_uid(self.kind, one.reference):
            return ""
        target = registry.get(self.kind.references[one.reference])
        return f"Code of a {target.title.lower()}, such as {target.code_prefix}1042."


def _reference_options(listed: Iterable[tuple[str, str]], value: str) -> list[Option]:
    """A value that may no longer be chosen stays visible, so that saving does not silently take it away."""
    found = list(listed)
    options = [Option(value="", label="", selected=not value)]
    if value and value not in {code for code, _ in found}:
        options.append(Option(value=value, label=f"{value} (not in use any more)", selected=True))
    return [*options, *(Option(value=code, label=f"{code} · {name}", selected=code == value) for code, name in found)]


def _said(option: str) -> str:
    return option if option.isupper() else option.replace("_", " ").capitalize()


def in_rows(drawn: Sequence[tuple[FieldShape, Field]]) -> list[list[Field]]:
    """Short fields stand two by two; everything else has a row of its own."""
    rows: list[list[Field]] = []
    waiting: list[Field] = []
    for one, field in drawn:
        if one.shape not in SHORT:
            rows += [waiting] if waiting else []
            waiting = []
            rows.append([field])
            continue
        waiting.append(field)
        if len(waiting) == 2:
            rows.append(waiting)
            waiting = []
    return [*rows, waiting] if waiting else rows
