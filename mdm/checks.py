"""System checks: a record type that is not complete stops the start, with words that say what is missing."""

from __future__ import annotations

from typing import Any

from django.core.checks import Error, Tags, register
from django.db import DatabaseError

from mdm import registry
from mdm.models.record import GoldenChild, GoldenRecord
from mdm.registry import RecordType


@register(Tags.database)
def survivorship_rules_make_sense(databases: Any = None, **kwargs: Any) -> list[Error]:
    """Run by `migrate` and `check --database default`: rules that somebody wrote past the hub's own doors."""
    from mdm.models import SurvivorshipRule, System
    from mdm.services import survivorship
    from mdm.survival.rules import check

    found = []
    for alias in databases or ():
        try:
            systems = list(System.objects.using(alias).values_list("code", flat=True))
            rows = list(SurvivorshipRule.objects.using(alias).all())
        except DatabaseError:
            continue  # before the migrations that make these tables
        for kind in registry.all_types():
            mine = survivorship.rules_of(row for row in rows if row.type == kind.key)
            for problem in check(kind, mine, systems=systems):
                text = f"The survivorship rule {kind.key}/{problem.path} makes no sense: {problem.message}"
                found.append(Error(text, hint="Correct it in the admin, under Survivorship rules.", id="mdm.E002"))
    return found


@register()
def record_types_are_complete(**kwargs: Any) -> list[Error]:
    return [error for kind in registry.all_types() for error in _incomplete(kind)]


def _incomplete(kind: RecordType) -> list[Error]:
    fields = set(kind.document.model_fields)
    columns = {field.name for field in kind.model._meta.get_fields()}
    problems = []
    if not issubclass(kind.model, GoldenRecord):
        problems.append("its model is no GoldenRecord")
    problems += [f"the document field “{f}” has no column" for f in fields - {c.name for c in kind.children} - columns]
    problems += [f"the list column “{c.name}” is no column of the table" for c in kind.columns if c.name not in columns]
    problems += [f"the filter “{name}” names no column" for name, field in kind.filters.items() if field not in columns]
    shown = {name for section in kind.sections for name in section.fields} | {c.name for c in kind.children}
    problems += [f"the field “{f}” stands on no section of its page" for f in fields - shown]
    if kind.name_field not in fields:
        problems.append(f"the name field “{kind.name_field}” is not in its document")
    for child in kind.children:
        if not issubclass(child.model, GoldenChild):
            problems.append(f"the child “{child.name}” is no GoldenChild")
        if child.name not in fields:
            problems.append(f"the child “{child.name}” is not in its document")
        missing = set(child.document.model_fields) - {field.name for field in child.model._meta.get_fields()}
        problems += [f"the child field “{child.name}.{name}” has no column" for name in missing]
    return [Error(f"The record type “{kind.key}” is not complete: {text}.", id="mdm.E001") for text in problems]
