"""Owns what is wrong with the coding rules, judged against the codes that the hub has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import get_args

from dimensions import cost_center, gl_account, tax_code
from dimensions.coding import Finding, Rule, check
from dimensions.coding_rule import own_dimensions
from mdm import registry
from mdm.iso import COUNTRIES
from mdm.mapping import Equals, In

CLOSED = {
    "cost_center_category": get_args(cost_center.Category),
    "account_kind": get_args(gl_account.Kind),
    "tax_kind": get_args(tax_code.Kind),
    "country": tuple(sorted(COUNTRIES)),
}
"""Every code there may be, of dimensions whose codes are no records."""
_BY_CODE = ("legal_entity", "cost_center", "profit_center", "project", "tax_code", "supplier")


def of(rules: Sequence[Rule], today: date) -> list[Finding]:
    """The worst first; a query for the group's own dimensions, and one for each type of which rules name codes one by one."""
    own = own_dimensions()
    found = check(rules, today=today, closed=CLOSED, dimensions=own, unknown=_unknown(rules))
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(found, key=lambda one: (order[one.severity], one.message))


def _unknown(rules: Sequence[Rule]) -> dict[str, Collection[str]]:
    named: dict[str, set[str]] = {}
    for rule in rules:
        for test in (*rule.when, *rule.then):
            if isinstance(test.codes, Equals):
                named.setdefault(test.dimension, set()).add(test.codes.code)
            elif isinstance(test.codes, In):
                named.setdefault(test.dimension, set()).update(test.codes.codes)
    unknown: dict[str, Collection[str]] = {}
    for dimension, codes in named.items():
        by = "number" if dimension == "gl_account" else "code"
        kind = registry.find(dimension) if dimension in (*_BY_CODE, "gl_account") else None
        if kind is not None:
            rows = kind.model._default_manager.filter(**{f"{by}__in": codes}).values_list(by, flat=True)
            unknown[dimension] = codes - set(rows)
    return unknown
