"""Owns the sandbox's API_COST_CENTER (OData V4): cost centers with their validity periods, as far as the hub writes them.

[csn] the service's own metadata as clients publish it (A_CostCenter_2, CreateValidityPeriod, UpdateValidityPeriod): names,
lengths, mandatory fields, upper case. What it leaves open is listed in README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sync import flat
from sync.connectors.s4hana.cost_centers import ACTIONS, AREA, END, NO_PARAMETERS, SERVICE4, SET, START
from sync.connectors.s4hana.filters import compile_filter
from sync.connectors.s4hana.schema import Property
from sync.sandbox import Fail, Request, Response, route
from sync.sandbox_store import Row, Store

TYPE = "cost_center"
Fields = dict[str, Any]
_TEXTS = """ControllingArea:4 CostCenter:10 ValidityEndDate:10 ValidityStartDate:10 CostCenterName:20 CostCenterDescription:40
    CompanyCode:4 CostCenterCategory:1 CostCtrResponsiblePersonName:20 CostCtrResponsibleUser:12 CostCenterCurrency:3
    ProfitCenter:10 Department:12 CostCenterStandardHierArea:12 FunctionalArea:16"""
_FLAGS = """IsBlkdForPrimaryCostsPosting IsBlkdForSecondaryCostsPosting IsBlockedForRevenuePosting
    IsBlockedForCommitmentPosting IsBlockedForPlanPrimaryCosts"""
KNOWN = {
    name: Property(name, "Edm.String", int(length), True)
    for name, _, length in (word.partition(":") for word in _TEXTS.split())
} | {name: Property(name, "Edm.Boolean", 0, True) for name in _FLAGS.split()}
KEY = ("ControllingArea", "CostCenter", END)
MANDATORY = (
    *(START, "CostCenterName", "CostCenterDescription", "CompanyCode", "CostCenterCategory"),
    *("CostCtrResponsiblePersonName", "CostCenterStandardHierArea"),
)
UPPER = ("CostCenter", "CompanyCode", "CostCenterCategory", "ProfitCenter", "CostCenterCurrency")
CATEGORIES = tuple("EFGHLMSVW")
PROFIT_CENTERS = ("PC-PUMPS", "PC-HARBOUR", "PC-CORP")  # of the controlling area; no service writes them
_KEY = rf"{SERVICE4}/{SET}\((?P<key>[^)]*)\)"
# Cost centers that somebody entered before the hub came: one as the hub has it, one half so, one that it does not know.
SEEDED = (
    ("DE-1000", "Management", "L", "Hanna Voss", "PC-CORP", "2019-01-01"),
    ("DE-2100", "Giesserei", "F", "Jan Petersen", "PC-PUMPS", "2015-01-01"),
    ("DE-9999", "Clearing", "W", "Nobody", "", "2010-01-01"),
)


class Fail4(Fail):
    """A refusal in the shape of V4, whose message is a text."""


class CostCenterService:
    """Mixed into the sandbox; one raw record is one cost center, its periods are rows named by their last day."""

    store: Store

    def seed_cost_centers(self) -> Iterator[tuple[str, str, Fields]]:
        for code, name, category, person, profit_center, start in SEEDED:
            period = {
                "CostCenterName": name, "CostCenterDescription": name, "CompanyCode": "NH10",
                "CostCenterCategory": category, "CostCtrResponsiblePersonName": person, "ProfitCenter": profit_center,
                "CostCenterStandardHierArea": "NH10", START: start, END: "9999-12-31",
            }  # fmt: skip
            yield TYPE, f"{AREA}/{code}", {"CostCenter": code, **flat.from_rows(SET, {period[END]: period})}

    @route("GET", f"{SERVICE4}/?")
    def cost_center_service(self, request: Request) -> Response:
        """OData V4 service document; also where clients fetch their CSRF token."""
        return Response(200, {"value": [{"name": SET, "url": SET, "kind": "EntitySet"}]})

    @route("GET", f"{SERVICE4}/{SET}")
    def list_cost_centers(self, request: Request) -> Response:
        """[csn] $filter with eq ne gt ge lt le and or, $orderby by keys, $top, $skip."""
        query = request.query
        try:
            test = compile_filter(query["$filter"], KNOWN) if query.get("$filter") else None
        except Fail as fail:
            raise Fail4(fail.status, fail.message, code=fail.code) from None
        found = [period for row in self.store.page(TYPE) for period in _periods(row) if test is None or test(period)]
        found.sort(key=lambda period: (period["CostCenter"], period[END]))
        skip, top = int(query.get("$skip", 0)), int(query.get("$top", len(found)))
        return Response(200, {"value": [_shown(period) for period in found[skip : skip + top]]})

    @route("GET", _KEY)
    def show_cost_center(self, request: Request, key: str) -> Response:
        row, end = self._period(key)
        return Response(200, _shown(_one(row, end)))

    @route("POST", f"{SERVICE4}/{SET}")
    def create_cost_center(self, request: Request) -> Response:
        """[csn] A new cost center, with its first validity period."""
        period = _incoming(request.json(), creating=True)
        code = str(period.get("CostCenter") or "")
        if self.store.get(TYPE, f"{AREA}/{code}"):
            raise Fail4(400, f"Cost center {AREA}/{code} already exists", code="KS/134", field="CostCenter")
        return self._store(code, {}, period, 201)

    @route("POST", f"{SERVICE4}/{ACTIONS}[.]CreateValidityPeriod")
    def create_validity_period(self, request: Request) -> Response:
        """[csn] One more validity period of a cost center; periods may not overlap."""
        period = _incoming(_parameters(request), creating=True)
        code = str(period.get("CostCenter") or "")
        row = self.store.get(TYPE, f"{AREA}/{code}")
        if row is None:
            raise Fail4(404, f"Cost center {AREA}/{code} does not exist", code="KS/133", field="CostCenter")
        return self._store(code, flat.rows(row.fields, SET), period, 200)

    @route("POST", f"{SERVICE4}/{ACTIONS}[.]UpdateValidityPeriod")
    def update_validity_period(self, request: Request) -> Response:
        """[csn] Another first or last day, and any other value; what is not given stays."""
        body = dict(_parameters(request))
        end, code = str(body.pop(END, "")), str(body.get("CostCenter") or "")
        new_end = str(body.pop("NewValidityEndDate", None) or end)
        row = self.store.get(TYPE, f"{AREA}/{code}")
        rows = flat.rows(row.fields, SET) if row else {}
        if end not in rows:
            raise Fail4(404, f"Cost center {AREA}/{code} has no period until {end}", code="KS/133", field=END)
        period = {**rows.pop(end), **_incoming(body, creating=False), END: new_end}
        return self._store(code, rows, period, 200)

    @route("PATCH", _KEY)
    def change_cost_center(self, request: Request, key: str) -> Response:
        """[csn] Values of one validity period; its key cannot be changed."""
        row, end = self._period(key)
        body = request.json()
        if not isinstance(body, Mapping) or set(body) & {*KEY, START}:
            raise Fail4(400, "Days are changed by UpdateValidityPeriod", code="KS/200", field=END)
        rows = flat.rows(row.fields, SET)
        period = {**rows.pop(end), **_incoming(body, creating=False)}
        return self._store(str(row.fields["CostCenter"]), rows, period, 200)

    def _store(self, code: str, others: Mapping[str, Fields], period: Fields, status: int) -> Response:
        _check(period, others)
        kept = {name: value for name, value in period.items() if name not in KEY[:2] and value not in ("", None, False)}
        rows = {**others, str(period[END]): kept}
        row = self.store.put(TYPE, f"{AREA}/{code}", {"CostCenter": code, **flat.from_rows(SET, rows)})
        return Response(status, _shown(_one(row, str(period[END]))))

    def _period(self, key: str) -> tuple[Row, str]:
        """The record and the last day that `ControllingArea='A000',CostCenter='X',ValidityEndDate=9999-12-31` names."""
        found = dict(re.findall(r"(\w+)='?([^',]*)'?", key))
        row = self.store.get(TYPE, f"{found.get(KEY[0])}/{found.get(KEY[1])}") if set(found) == set(KEY) else None
        if row is None or found[END] not in flat.rows(row.fields, SET):
            raise Fail4(404, f"Resource not found for the segment {SET}", code="/IWBEP/CM_V4_APPS/024")
        return row, found[END]


def _parameters(request: Request) -> Mapping[str, Any]:
    """[csn] The actions know fewer properties than the entity."""
    body = request.json()
    given = body if isinstance(body, Mapping) else {}
    if unknown := next((name for name in given if name in NO_PARAMETERS), None):
        raise Fail4(400, f"Parameter '{unknown}' does not exist", code="/IWBEP/CM_V4_COS/014", field=unknown)
    return given


def _periods(row: Row) -> Iterator[Fields]:
    for end in flat.rows(row.fields, SET):
        yield _one(row, end)


def _one(row: Row, end: str) -> Fields:
    period = flat.rows(row.fields, SET)[end]
    return {**period, "ControllingArea": AREA, "CostCenter": row.fields["CostCenter"], END: end}


def _shown(period: Mapping[str, Any]) -> Fields:
    """Every property: texts without a value are empty, flags are false."""
    nothing = {"Edm.String": "", "Edm.Boolean": False}
    return {name: period.get(name) or nothing[known.type] for name, known in KNOWN.items()}


def _incoming(body: Any, *, creating: bool) -> Fields:
    if not isinstance(body, Mapping):
        raise Fail4(400, "Malformed expression at position 1", code="/IWBEP/CM_V4_COS/004")
    found: Fields = {}
    for name, value in body.items():
        known = KNOWN.get(name)
        if known is None:
            raise Fail4(400, f"Property '{name}' does not exist", code="/IWBEP/CM_V4_COS/014", field=name)
        if known.type == "Edm.Boolean" and not isinstance(value, bool):
            raise Fail4(400, f"Invalid value for '{name}'", code="/IWBEP/CM_V4_COS/042", field=name)
        if known.length and len(str(value)) > known.length:
            raise Fail4(400, f"'{name}' exceeds {known.length} characters", code="/IWBEP/CM_V4_COS/042", field=name)
        found[name] = str(value).upper() if name in UPPER else value
    if creating and (missing := next((name for name in (*KEY[1:], *MANDATORY) if not found.get(name)), None)):
        raise Fail4(400, f"Enter a value for {missing}", code="KS/011", field=missing)
    return found


def _check(period: Mapping[str, Any], others: Mapping[str, Fields]) -> None:
    start, end = str(period.get(START) or ""), str(period.get(END) or "")
    if not all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in (start, end)) or end < start:
        raise Fail4(400, f"The validity period {start} to {end} is none", code="KS/010", field=END)
    for last, other in others.items():
        if start <= last and str(other.get(START)) <= end:
            words = f"The validity period overlaps {other.get(START)} to {last}"
            raise Fail4(400, words, code="KS/012", field=START)
    for name in MANDATORY:
        if not period.get(name):
            raise Fail4(400, f"Enter a value for {name}", code="KS/011", field=name)
    if period["CostCenterCategory"] not in CATEGORIES:
        words = f"Cost center category {period['CostCenterCategory']} is not defined"
        raise Fail4(400, words, code="KS/103", field="CostCenterCategory")
    if (center := period.get("ProfitCenter")) and center not in PROFIT_CENTERS:
        raise Fail4(400, f"Profit center {AREA}/{center} does not exist", code="KM/040", field="ProfitCenter")
