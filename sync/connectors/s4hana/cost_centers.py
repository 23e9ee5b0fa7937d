"""Owns pushing cost centers by the V4 service: one record of ours, one validity period there for each of its own.

Our code is the key, so a repeated create finds what the lost one made. The service documents no ETag: a change may
overwrite what somebody entered since it was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Literal

from sync import flat
from sync.connectors.s4hana.odata import literal
from sync.connectors.s4hana.odata4 import Session4, entity_key
from sync.connectors.s4hana.timeline import FOREVER, Period, Step, joined, of_day, steps
from sync.errors import FieldProblem, Refused
from sync.http import Client
from sync.mapping import Mapping as TargetMapping
from sync.normalise import canonical, is_empty, same
from sync.protocol import Outcome, Push, RemoteRecord

SERVICE4 = "/sap/opu/odata4/sap/api_cost_center/srvd_a2x/sap/costcenter/0001"
SET, START, END = "A_CostCenter_2", "ValidityStartDate", "ValidityEndDate"
ACTIONS = f"{SET}/SAP__self"
AREA = "A000"  # the one controlling area of S/4HANA Cloud
LOCKS = ("IsBlkdForPrimaryCostsPosting", "IsBlkdForSecondaryCostsPosting")
NO_PARAMETERS = frozenset({"IsBlockedForPlanPrimaryCosts"})  # of the actions: set by the change that follows
PAGE = 200
Effect = Literal["created", "updated", "blocked", "unchanged"]


class CostCenters:
    """Key: controlling area and cost center, such as `A000/DE-2100`."""

    def __init__(self, client: Client, mapping: TargetMapping, options: Mapping[str, Any]) -> None:
        self._client, self._mapping = client, mapping
        self._session = Session4(client, str(options.get("cost_center_service", SERVICE4)))
        self._area = str(options.get("controlling_area", AREA))
        self._page = int(options.get("page_size", PAGE))
        self._rules = {rule.leaves[0]: rule for rule in mapping.rules.rows[0].fields}

    def offered(self) -> bool:
        """Can they be read here?"""
        return self._session.get(SET, {"top": "1"}) is not None

    def push(self, push: Push) -> Outcome:
        code = str(push.payload.get("CostCenter") or "")
        if push.key:
            area, _, code = push.key.partition("/")
            held = self._read(code) if area == self._area else []
        else:
            held = self._read(code)
        if push.action == "block":
            return self._block(code, held)
        if not held and push.key:
            words = f"The system holds no cost center {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("CostCenter", "key_unknown", words),))
        ours = self._ours(push.payload)
        if held:
            return self._make_true(code, ours, held, "updated")
        return self._make_true(code, ours, *self._create(code, ours))

    def read(self, key: str) -> RemoteRecord | None:
        area, _, code = key.partition("/")
        held = self._read(code) if area == self._area and code else []
        return self._record(held) if held else None

    def find(self, payload: Mapping[str, Any]) -> RemoteRecord | None:
        held = self._read(str(payload.get("CostCenter") or ""))
        return self._record(held) if held else None

    def scan(self) -> Iterator[RemoteRecord]:
        """By key, not by offset; the last cost center of a page may go on, so the next page begins with it again."""
        last = ""
        while True:
            filter = f"ControllingArea eq {literal(self._area)} and CostCenter gt {literal(last)}"
            options = {"filter": filter, "orderby": f"CostCenter,{END}", "top": str(self._page)}
            page = self._session.results(SET, options)
            groups = [list(rows) for _, rows in groupby(page, key=lambda row: str(row.get("CostCenter")))]
            if len(page) < self._page:
                yield from map(self._record, groups)
                return
            whole = groups[:-1] or [self._read(str(page[0]["CostCenter"]))]  # one may fill a page, and more
            yield from map(self._record, whole)
            last = str(whole[-1][0]["CostCenter"])

    # Writing

    def _create(self, code: str, ours: list[Period]) -> tuple[list[dict[str, Any]], Effect]:
        """With its first period; the others follow as on a cost center that was there. Ours decides the key, so one
        that turns out to be there is the one an earlier, lost request made, or somebody's: it is kept current."""
        try:
            self._session.send(SET, self._body(code, ours[0]))
        except Refused:
            held = self._read(code)
            if not held:
                raise
            return held, "updated"
        held = self._read(code)
        if not held:
            raise self._client.lost(f"The system took the cost center {code}, but it cannot be read.")
        return held, "created"

    def _make_true(self, code: str, ours: list[Period], held: list[dict[str, Any]], effect: Effect) -> Outcome:
        """The days first, then what holds on them; every request is decided on what was just read."""
        written = effect == "created"
        planned = list(steps(_periods(held), ours))
        for step in planned:
            self._take(code, step)
        if planned:
            held, written = self._read(code), True
        changes = list(self._changes(held, ours))
        for row, body in changes:
            self._change(code, row, body)
        if changes:
            held, written = self._read(code), True
        verified = not list(steps(_periods(held), ours)) and not list(self._changes(held, ours))
        return Outcome(self._key(code), effect if written else "unchanged", verified, self._client.exchanges())

    def _take(self, code: str, step: Step) -> None:
        if step.kind == "create":
            body = self._body(code, step.period)
            given = {name: value for name, value in body.items() if name not in NO_PARAMETERS}
            self._session.send(f"{ACTIONS}.CreateValidityPeriod", given)
            return
        name = "NewValidityEndDate" if step.kind == "end" else START
        whose = {"ControllingArea": self._area, "CostCenter": code, END: step.period.end}
        self._session.send(f"{ACTIONS}.UpdateValidityPeriod", {**whose, name: step.day})

    def _changes(
        self, held: list[dict[str, Any]], ours: list[Period]
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """(period of theirs, what is to be changed in it). One to come that ours does not know takes no postings."""
        for row in held:
            wanted = of_day(ours, str(row[START]))
            if wanted is not None:
                body = {name: value for name, value in wanted.row.items() if self._differs(name, value, row)}
            else:
                body = {} if _is_over(row) else {name: True for name in LOCKS if row.get(name) is not True}
            if body:
                yield row, body

    def _differs(self, name: str, value: Any, row: Mapping[str, Any]) -> bool:
        rule = self._rules[name]
        return rule.compared and name not in (START, END) and not same(value, row.get(name), rule.compare)

    def _block(self, code: str, held: list[dict[str, Any]]) -> Outcome:
        """Every period that is not over; without a record there is nothing that could be used."""
        wanted = {flat.split_name(name)[2]: value for name, value in self._mapping.block_fields().items()}
        effect: Effect = "unchanged"
        for row in held:
            body = {name: value for name, value in wanted.items() if row.get(name) != value}
            if body and not _is_over(row):
                self._change(code, row, body)
                effect = "blocked"
        if effect == "blocked":
            held = self._read(code)
        blocked = not held or self._record(held).blocked
        return Outcome(self._key(code) if held else "", effect, blocked, self._client.exchanges())

    def _change(self, code: str, row: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        key = {"ControllingArea": self._area, "CostCenter": code, END: str(row[END])}
        empty = {name: "" for name, value in body.items() if is_empty(value)}
        path = f"{SET}({entity_key(key, frozenset({END}))})"
        self._session.patch(path, {**body, **empty}, str(row.get("@odata.etag") or ""))

    def _body(self, code: str, period: Period) -> dict[str, Any]:
        row = {name: value for name, value in period.row.items() if not is_empty(value)}
        return {"ControllingArea": self._area, "CostCenter": code, **row, START: period.start, END: period.end}

    # Reading

    def _read(self, code: str) -> list[dict[str, Any]]:
        """Every validity period of one cost center, in order; filters may be generous, so answers are looked at."""
        if not code:
            return []
        filter = f"ControllingArea eq {literal(self._area)} and CostCenter eq {literal(code)}"
        found = self._session.results(SET, {"filter": filter, "orderby": END})
        return [row for row in found if canonical(row.get("CostCenter"), ("case",)) == code.casefold()]

    def _ours(self, payload: Mapping[str, Any]) -> list[Period]:
        rows = flat.rows(payload, SET).values()
        return sorted((Period(str(row[START]), str(row[END]), row) for row in rows), key=lambda one: one.start)

    def _record(self, held: list[dict[str, Any]]) -> RemoteRecord:
        """One row for each time during which the same holds, named by its first day."""
        names = [name for name, rule in self._rules.items() if rule.compared and name not in (START, END)]
        kept = [Period(str(row[START]), str(row[END]), {name: row.get(name) for name in names}) for row in held]
        rows = {one.start: {**one.row, START: one.start, END: one.end} for one in joined(kept)}
        code = str(held[0]["CostCenter"])
        open_ = [row for row in held if not _is_over(row)]
        blocked = all(row.get(name) is True for row in open_ for name in LOCKS)
        return RemoteRecord(self._key(code), {"CostCenter": code, **flat.from_rows(SET, rows)}, blocked=blocked)

    def _key(self, code: str) -> str:
        return f"{self._area}/{code}"


def _periods(held: list[dict[str, Any]]) -> list[Period]:
    return [Period(str(row[START]), str(row[END] or FOREVER), row) for row in held]


def _is_over(row: Mapping[str, Any]) -> bool:
    return str(row.get(END) or FOREVER) < datetime.now(UTC).date().isoformat()
