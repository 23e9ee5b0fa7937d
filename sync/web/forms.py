"""Owns a form that was refused: drawn again on its page with what was typed, the words at the field they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest

from mdm.errors import CorrectInput, HubError
from mdm.web.tables import Field
from mdm.web.tables import Option as Choice


@dataclass(frozen=True)
class Refused:
    """`form`: which form of the page; `typed`: what it sent."""

    form: str
    error: HubError
    typed: Mapping[str, str]


def keep(request: HttpRequest, form: str, error: HubError) -> None:
    """For the page that is drawn again in this very request."""
    request._refused_form = Refused(form, error, request.POST.copy())  # type: ignore[attr-defined]


def drawn(request: HttpRequest, form: str, fields: Sequence[Field]) -> dict[str, Any]:
    """{fields, errors} of a form: as given, or as it was refused. `errors`: [{id, text}] for components/errors.html."""
    refused: Refused | None = getattr(request, "_refused_form", None)
    if refused is None or refused.form != form:
        return {"fields": list(fields), "errors": []}
    problems = refused.error.problems if isinstance(refused.error, CorrectInput) else ()
    said = {problem.path: problem.message for problem in problems}
    kept = [_kept(field, refused.typed, said.get(field.name, "")) for field in fields]
    ids = {field.name: field.id or field.name for field in fields}
    found = [{"id": ids[path], "text": text} for path, text in said.items() if path in ids]
    rest = [text for path, text in said.items() if path not in ids] or ([] if found else [refused.error.message])
    return {"fields": kept, "errors": [*found, *({"id": "", "text": text} for text in rest)]}


def _kept(field: Field, typed: Mapping[str, str], error: str) -> Field:
    if field.kind == "checkbox":
        return replace(field, checked=field.name in typed, error=error)
    value = typed.get(field.name, "")
    options: Sequence[Choice] = [replace(option, selected=option.value == value) for option in field.options]
    return replace(field, value=value, options=options, error=error)
