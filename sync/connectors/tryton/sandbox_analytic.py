"""Owns the analytic accounts of the sandbox of Tryton: those of the hub, below roots that somebody set up.

After trytond 8.2 with the module analytic_account; an account needs a name, a company, and a root of that company.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sync.connectors.tryton import sandbox_rules as rules
from sync.connectors.tryton.sandbox_rules import refuse
from sync.sandbox_store import Row, Store

Values = dict[str, Any]
Times = Callable[[Mapping[str, Any]], Values]


def accounts(store: Store, times: Times) -> Iterator[Values]:
    """The roots, then what is below them, by id."""
    for root in roots():
        yield {**root, **times({})}
    rows = [row.fields for type in rules.ROOTS.values() for row in store.page(type)]
    yield from ({**_account(fields), **times(fields)} for fields in sorted(rows, key=lambda fields: fields["id"]))


def roots() -> Iterator[Values]:
    """One for every company and kind, ids far from those that are given."""
    for place, code in enumerate(rules.COMPANIES):
        company = {"id": 800_000 + place, "party": {"id": 810_000 + place, "code": code}}
        for kind, name in enumerate(rules.ROOTS):
            known = {"id": 700_000 + 10 * place + kind, "code": None, "name": name, "active": True}
            yield {**known, "type": "root", "root": None, "company": company}


def create(store: Store, values: Mapping[str, Any], now: float) -> int:
    rules.known(values, rules.ANALYTIC)
    root = next((root for root in roots() if root["id"] == values.get("root")), None)
    if values.get("type") != "normal" or root is None or root["company"]["id"] != values.get("company"):
        raise refuse('A value is required for field "Root" in "Analytic Account".')
    if values.get("parent") != root["id"]:
        raise refuse('A value is required for field "Parent" in "Analytic Account".')
    if not values.get("name"):
        raise refuse('A value is required for field "Name" in "Analytic Account".')
    id = store.next_number("analytic", 1)
    kept = {name: values.get(name) for name in ("code", "name", "company", "root", "state")}
    store.put(rules.ROOTS[root["name"]], str(id), {"id": id, "active": True, "stamp": now, **kept})
    return id


def write(store: Store, row: Row, values: Mapping[str, Any], now: float) -> None:
    """An archived one takes nothing but being brought back."""
    rules.known(values, rules.ANALYTIC)
    if not row.fields["active"] and set(values) - {"active"}:
        label = f"{row.fields['code']} - {row.fields['name']}"
        raise refuse(f'You are not allowed to modify the field "Name" in record "{label}" of "Analytic Account".')
    store.put(row.type, row.key, {**row.fields, **values, "stamp": now})


def _account(fields: Mapping[str, Any]) -> Values:
    root = next(root for root in roots() if root["id"] == fields["root"])
    own = {name: fields.get(name) for name in ("id", "code", "name", "active")}
    return {**own, "type": "normal", "root": root, "company": root["company"]}
