"""Owns changing a target's own mapping: rows of value maps and field rules, checked, versioned, and taken back.

Every door comes through `change`: what it writes is one version that says who changed which row. Rows are addressed by
(map, name): a value map and our value, or "fields of <type>" and a field of the platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from mdm.errors import CorrectInput, NotAllowed, NotNow
from mdm.permissions import may
from mdm.services import audit
from mdm.types import Actor, Problem
from sync import platforms, value_maps
from sync.models import FieldRule, MappingVersion, Target, ValueMapRow
from sync.selectors import mapping_views
from sync.selectors.mapping_views import DROP, FIELDS, Key, State

LONGEST, LONGEST_OURS = 200, 600  # characters


def require_map(by: Actor) -> None:
    """Value maps are for those who answer for the data, not for whoever operates."""
    if not may(by, "steward") and not may(by, "admin"):
        raise NotAllowed("You may not change value maps.")


@transaction.atomic
def change(
    target: Target, wanted: Mapping[Key, Any], *, by: Actor, note: str = "", base: int | None = None
) -> MappingVersion | None:
    """Make these rows so; None as a value takes a row of ours away (of a field rule: `DROP`). None when all is so already.

    `base`: the version the caller has seen; refused when somebody changed the mapping since.
    """
    require_map(by)
    Target.objects.select_for_update(no_key=True).get(pk=target.pk)  # one change of a target's mapping at a time
    number = mapping_views.number_of(target)
    if base is not None and base != number:
        raise NotNow("Somebody changed this mapping meanwhile. Look at it again, then repeat your change.")
    wanted = _tidied(wanted)
    changes = plan(target, wanted)
    if not changes:
        return None
    for key, value in wanted.items():
        _write(target, key, value, by)
    made = MappingVersion.objects.create(
        target=target, number=number + 1, by=by.name, note=note.strip()[:300], changes=changes
    )
    audit.record(
        action="value_map.changed", by=by, object_type="target", object_uid=target.code, object_label=target.title,
        detail={"version": made.number, "note": made.note, "changes": changes},
    )  # fmt: skip
    return made


def plan(target: Target, wanted: Mapping[Key, Any]) -> list[dict[str, Any]]:
    """What `change` would change, checked; nothing is written."""
    before, wanted = mapping_views.state_of(target), _tidied(wanted)
    changes = mapping_views.difference(before, {**before, **wanted})
    after = {key: value for key, value in {**before, **wanted}.items() if value is not DROP}
    touched = {(row["map"], row["name"]) for row in changes}
    check(target, {key: after[key] for key in touched if key in after}, after)
    return changes


def whole(target: Target, state: State) -> dict[Key, Any]:
    """What to ask of `change` so that the target's own mapping becomes exactly this: rows not named go."""
    return {key: DROP for key in mapping_views.state_of(target) if key not in state} | dict(state)


def revert(target: Target, *, number: int, by: Actor, base: int | None = None) -> MappingVersion | None:
    """Back to how it was at that version; itself a new version, so that nothing is lost."""
    if not 0 <= number <= mapping_views.number_of(target):
        raise CorrectInput("There is no such version.")
    wanted = whole(target, mapping_views.state_at(target, number))
    return change(target, wanted, by=by, note=f"Back to version {number}.", base=base)


def check(target: Target, changed: State, after: State) -> None:
    """Refuse what cannot be: maps nobody looks up, empty or long values, fields or words the mapping does not know."""
    maps = mapping_views.maps_of(target)
    problems = []
    for (table, name), value in changed.items():
        where = f"{table}/{name}"
        if table.startswith(FIELDS):
            continue
        if table not in maps:
            known = ", ".join(sorted(maps)) or "none"
            problems.append(Problem(where, "unknown_map", f"No field looks into a map “{table}”; there are: {known}."))
            continue
        theirs, default = mapping_views.of_row(value)
        if not name or not isinstance(theirs, str) or not theirs:
            problems.append(Problem(where, "empty", "Give both our value and theirs."))
        elif len(name) > LONGEST_OURS or len(theirs) > LONGEST:
            words = f"At most {LONGEST_OURS} characters of ours, {LONGEST} of theirs."
            problems.append(Problem(where, "too_long", words))
        elif words := value_maps.problem(name):
            problems.append(Problem(where, "unreadable", words))
        elif default and value_maps.code_of(name) is None:
            words = "Only a row that names one value can be the one that is read back."
            problems.append(Problem(where, "default_of_many", words))
        elif default and _marked(after, table, theirs) > 1:
            words = f"Another row of “{table}” is already the one that “{theirs}” is read back as."
            problems.append(Problem(where, "default_twice", words))
    for type in sorted({table.removeprefix(FIELDS) for table, _ in changed if table.startswith(FIELDS)}):
        problems += _field_problems(target, type, after)
    if problems:
        words = problems[0].message if len(problems) == 1 else f"{len(problems)} rows cannot be so."
        raise CorrectInput(words, problems=problems)


def _marked(state: State, table: str, theirs: str) -> int:
    """How many rows say that theirs is read back as them."""
    return sum(map_ == table and mapping_views.of_row(value) == (theirs, True) for (map_, _), value in state.items())


def _field_problems(target: Target, type: str, after: State) -> list[Problem]:
    rules = {name: rule for (table, name), rule in after.items() if table == FIELDS + type}
    try:
        if not platforms.takes(target.connector, type):
            raise ValueError(f"{target.title} takes no {type.replace('_', ' ')} from the hub.")
        platforms.mapping_of(target.connector, type).with_rules(rules)
    except (ValueError, TypeError, KeyError, AttributeError, LookupError) as error:
        words = str(error) if isinstance(error, ValueError) else "These are no words of a mapping."
        return [Problem(f"{FIELDS}{type}", "invalid_rule", words)]
    return []


def _tidied(wanted: Mapping[Key, Any]) -> dict[Key, Any]:
    return {(table.strip(), name.strip()): _tidy(table, value) for (table, name), value in wanted.items()}


def _tidy(table: str, value: Any) -> Any:
    if table.startswith(FIELDS) or value is DROP:
        return value
    if value is None:
        return DROP
    theirs, default = mapping_views.of_row(value)
    if default or theirs is not value:
        return mapping_views.row_value(_text(theirs), default)
    return _text(value)


def _text(value: Any) -> Any:
    return str(value).strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else value


def _write(target: Target, key: Key, value: Any, by: Actor) -> None:
    table, name = key
    if table.startswith(FIELDS):
        rules = FieldRule.objects.filter(target=target, type=table.removeprefix(FIELDS), field=name)
        if value is DROP:
            rules.delete()
        else:
            FieldRule.objects.update_or_create(
                target=target, type=table.removeprefix(FIELDS), field=name, defaults={"rule": value}
            )
        return
    if value is DROP:
        ValueMapRow.objects.filter(target=target, table=table, ours=name).delete()
    else:
        theirs, default = mapping_views.of_row(value)
        new = {"theirs": theirs, "default": default, "updated_by": by.name}
        ValueMapRow.objects.update_or_create(target=target, table=table, ours=name, defaults=new)
