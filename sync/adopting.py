"""Owns the way back: what would have to change in the canonical document to hold what the target has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync import paths
from sync.errors import NotSupported
from sync.normalise import canonical, is_empty, is_masked
from sync.rendering import children
from sync.rules import CHILD_KINDS, Rows, Rule
from sync.splitting import put_together
from sync.transforms import Scope, ValueMaps, reverse

Document = Mapping[str, Any]
Change = dict[str, Any]


def adopt_field(
    rule: Rule,
    rows: Rows | None,
    row: str | None,
    value: Any,
    document: Document,
    values: ValueMaps,
    kinds: Mapping[str, str],
) -> list[Change]:
    if rule.derived or not rule.sources:
        raise NotSupported("This field is made by the target or fixed by the mapping; there is nothing to adopt.")
    child = None
    prefix = ""
    if rows is not None:
        child = children(rows, document).get(row or "")
        if child is None:
            raise NotSupported("The record no longer has the part this field belongs to.")
        prefix = f"{rows.collection}/{child.get('uid') or row}"
    given = [paths.value_at(source, document, child) for source in rule.sources]
    current = given[0] if len(given) == 1 else given
    ours = _back(rule, value, current, values)
    if isinstance(ours, list) and len(rule.sources) > 1:
        pairs = list(zip(rule.sources, ours, strict=False))
    else:
        filled = [source for source, held in zip(rule.sources, given, strict=True) if not is_empty(held)]
        pairs = [((filled or list(rule.sources))[0], ours)]
    found: list[Change] = []
    for source, its_value in pairs:
        inside = child is not None and not source.from_root
        holder, start = (child, prefix) if inside and child is not None else (document, "")
        found += _change(paths.locate(source, holder, kinds, start), source, its_value)
    return found


def adopt_row(rows: Rows, row: str, value: Any, document: Document, values: ValueMaps) -> list[Change]:
    """An extra row becomes a new child; a row the target lacks ends ours."""
    if value is None:
        child = children(rows, document).get(row)
        if child is None:
            raise NotSupported("The record no longer has this part.")
        return [{"path": f"{rows.collection}/{child.get('uid') or row}", "value": None}]
    select = rows.each.steps[0].select or "*"
    child_new: dict[str, Any] = {name: allowed[0] for name, allowed in rows.where.items()}
    if select != "*":
        place = paths.locate(rows.each, {}, CHILD_KINDS)
        child_new.update(place.new_child or {})
    for rule in rows.fields:
        if rule.derived or not rule.sources or any(source.from_root for source in rule.sources[:1]):
            continue
        theirs = [value.get(leaf) for leaf in rule.leaves]
        _refuse_masked(rule, theirs)
        try:
            ours = _back(rule, theirs if rule.split else theirs[0], None, values)
        except NotSupported:
            continue
        _fill(child_new, rule, ours)
    return [{"path": f"{rows.collection}/-", "value": child_new}]


def _refuse_masked(rule: Rule, theirs: list[Any]) -> None:
    if "masked" in rule.compare and any(is_masked(value) for value in theirs):
        raise NotSupported(
            "The target shows only a part of this number, so it cannot be taken over: enter the whole one."
        )


def _back(rule: Rule, value: Any, current: Any, values: ValueMaps) -> Any:
    _refuse_masked(rule, [value])
    if rule.split:
        value = put_together(rule.split, value, rule.lengths) if isinstance(value, (list, tuple)) else value
        if canonical(value, rule.compare) == canonical(current, rule.compare):
            return current
    ours = reverse(rule.steps, value, Scope(values, rule.sources[0].text, current))
    return None if is_empty(ours) else ours


def _change(place: paths.Place, source: paths.Path, value: Any) -> list[Change]:
    if place.new_child is not None:
        if is_empty(value) or not place.leaf:
            return []
        last = source.steps[-1]
        held = [value] if last.select is not None and last.select.isdigit() else value
        return [{"path": place.address, "value": {**place.new_child, place.leaf: held}}]
    if place.leaf.isdigit():
        items, position = list(place.value), int(place.leaf)
        items += [""] * (position + 1 - len(items))
        items[position] = value or ""
        while items and is_empty(items[-1]):
            items.pop()
        return [{"path": place.address, "value": items}]
    return [{"path": place.address, "value": value}]


def _fill(child: dict[str, Any], rule: Rule, ours: Any) -> None:
    pairs = (
        list(zip(rule.sources, ours, strict=False))
        if isinstance(ours, list) and len(rule.sources) > 1
        else [(rule.sources[0], ours)]
    )
    for source, value in pairs:
        step = source.steps[-1]
        if is_empty(value) or len(source.steps) > 1 or source.from_root:
            continue
        if step.select is not None and step.select.isdigit():
            lines = child.setdefault(step.name, [])
            lines += [""] * (int(step.select) + 1 - len(lines))
            lines[int(step.select)] = value
        else:
            child.setdefault(step.name, value)
