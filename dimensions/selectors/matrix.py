"""Owns the matrix: what each code of a source becomes in every target, on a day in a context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from dimensions.mapping_rows import MAPPINGS
from dimensions.models import GLAccount, TaxCode
from dimensions.services import mappings
from dimensions.tax_code_mapping import KEY as TAX_CODES
from mdm.mapping import Resolution
from mdm.models import Crosswalk

MOST_TARGETS = 12  # columns


@dataclass(frozen=True, slots=True)
class Spot:
    """What one code becomes in one target. `state`: mapped, by its key there, a gap, or astray (the target is no account
    in use of its chart)."""

    found: Resolution
    code: str | None
    state: Literal["mapped", "key", "gap", "astray"]


def members(kind: str, source: str, q: str = "") -> QuerySet[Any]:
    """Rows of the matrix: what of the source is in use, found by number, name or group. `number` is the code, `above` and
    `within` are the headings it stands under."""
    if kind == TAX_CODES:
        within = Coalesce("region", Value(""))
        rows = _in_use(TaxCode.objects.annotate(number=F("code"), above=F("country"), within=within))
        return rows.filter(Q(code__icontains=q) | Q(name__icontains=q)) if q else rows
    within = Coalesce("group", Value(""))
    rows = _in_use(GLAccount.objects.filter(chart=source).annotate(above=F("kind"), within=within))
    return rows.filter(Q(number__icontains=q) | Q(name__icontains=q) | Q(group__icontains=q)) if q else rows


def _in_use(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.exclude(status__in=("retired", "merged")).exclude(validity="ended")


def spots(
    kind: str, source: str, targets: Sequence[str], codes: Sequence[str], *, on: date, context: Mapping[str, str]
) -> dict[str, dict[str, Spot]]:
    """{target: {code: spot}}; five queries at most, whatever the number of codes and targets."""
    built = mappings.answers_of_many(kind, source, targets, codes)
    found = {target: built[target].resolve_many(codes, context, on) for target in targets}
    if kind == TAX_CODES:
        there = _keys(targets, codes)
        return {t: {one.value: _tax_spot(one, there.get((t, one.value))) for one in found[t]} for t in targets}
    usable = _usable({(t, one.target) for t in targets for one in found[t] if one.target is not None})
    return {t: {one.value: _spot(one, (t, one.target) in usable) for one in found[t]} for t in targets}


def _spot(one: Resolution, usable: bool) -> Spot:
    return Spot(one, one.target, "gap" if one.target is None else "mapped" if usable else "astray")


def _tax_spot(one: Resolution, key: str | None) -> Spot:
    if one.target is not None:
        return Spot(one, one.target, "mapped")
    return Spot(one, key, "key" if key else "gap")


def _usable(wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    rows = GLAccount.objects.filter(chart__in={chart for chart, _ in wanted}, number__in={code for _, code in wanted})
    return set(_in_use(rows).values_list("chart", "number"))


def _keys(systems: Sequence[str], codes: Sequence[str]) -> dict[tuple[str, str], str]:
    uids = dict(TaxCode.objects.filter(code__in=codes).values_list("uid", "code"))
    rows = Crosswalk.objects.filter(system__code__in=systems, type="tax_code", uid__in=uids, active=True)
    return {
        (system, uids[uid]): key for system, uid, key in rows.order_by("-key").values_list("system__code", "uid", "key")
    }


def targets(kind: str, source: str, known: Sequence[str]) -> list[str]:
    """Where the mapping leads from a source; those of `known` that have no row yet come after, so a gap shows everywhere."""
    one = MAPPINGS[kind]
    rows = one.model._default_manager.filter(**one.at(source, "")).exclude(status__in=("retired", "merged"))
    mapped = sorted(set(rows.order_by().values_list(one.target, flat=True).distinct()) & set(known))
    return [*mapped, *(code for code in known if code not in mapped and code != source)][:MOST_TARGETS]
