"""Owns what is sent: nested values for a new record, and only the differences for one that is there.

Everything of one record goes in one request, and Tryton applies it in one transaction. Rows are never deleted: an
address or a tax number that is ours no longer is archived, a bank account is taken from the party and kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sync import flat
from sync.connectors.tryton.lookups import Lookups
from sync.connectors.tryton.shape import MECHANISMS, Held, first_mechanism, first_tax_number, number_type, rows
from sync.mapping import Difference, Pairing
from sync.normalise import is_empty

Values = dict[str, Any]
Row = Mapping[str, Any]
HEAD = ("name", "active")
PARTS = ("identifiers", "addresses", "bank_accounts")


class Writing:
    """Turns flat fields into Tryton's nested values, its relations by id."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    # Suppliers

    def new_party(self, payload: Row, code: str, mark: str) -> Values:
        values: Values = {"code": code, "name": payload.get("name")}  # an archived one cannot be created
        values["addresses"] = []  # else Tryton adds an empty one
        values["identifiers"] = [["create", [_mark(mark)]]]
        if term := payload.get("supplier_payment_term"):
            values["supplier_payment_term"] = self._lookups.payment_term(term)
        if made := [_mechanism(kind, flat.head(payload, kind)) for kind in MECHANISMS if f"{kind}.value" in payload]:
            values["contact_mechanisms"] = [["create", made]]
        for part in PARTS:
            if ours := list(flat.rows(payload, part).values()):
                values.setdefault(part, []).extend(self._added(part, ours))
        return values

    def changed_party(
        self, payload: Row, held: Held, changes: Collection[Difference], pairings: Mapping[str, Pairing]
    ) -> Values:
        touched = {change.field for change in changes}
        values: Values = {name: payload[name] for name in HEAD if name in touched}
        if "supplier_payment_term" in touched:
            term = payload["supplier_payment_term"]
            values["supplier_payment_term"] = self._lookups.payment_term(term) if term else None
        for kind in MECHANISMS:
            leaves = {name for name in touched if flat.part_of(name) == kind}
            if leaves:
                own = _mechanism(kind, flat.head(payload, kind))
                known = first_mechanism(held.raw, kind)
                command = ["write", [known["id"]], own] if known else ["create", [own]]
                values.setdefault("contact_mechanisms", []).append(command)
        for part, pairing in pairings.items():
            if commands := self._moved(part, payload, pairing, touched):
                values[part] = commands
        return values

    def _moved(self, part: str, payload: Row, pairing: Pairing, touched: Collection[str]) -> list[Any]:
        ours = flat.rows(payload, part)
        commands = self._added(part, [ours[row] for row in pairing.missing])
        changed = {flat.split_name(name)[1] for name in touched if flat.part_of(name) == part}
        for row, theirs in pairing.matched.items():
            if row in changed:
                commands.append(["write", [int(theirs)], self._leaves(part, ours[row], creating=False)])
        gone = [int(row) for row in pairing.extra]
        if gone:
            commands.append(["remove", gone] if part == "bank_accounts" else ["write", gone, {"active": False}])
        return commands

    def _added(self, part: str, ours: Iterable[Row]) -> list[Any]:
        """Rows that are new to the party; an account whose IBAN Tryton knows is shared, not made again."""
        created, linked = [], []
        for row in ours:
            known = self._lookups.account(str(row["number"])) if part == "bank_accounts" else None
            if known is not None:
                linked.append(known)
            else:
                created.append(self._leaves(part, row, creating=True))
        commands: list[Any] = [["create", created]] if created else []
        return [*commands, ["add", linked]] if linked else commands

    def _leaves(self, part: str, row: Row, *, creating: bool) -> Values:
        if part == "identifiers":
            return {"type": row.get("type"), "code": row.get("code")}
        if part == "addresses":
            values = {name: row.get(name) for name in ("street", "postal_code", "city") if name in row}
            if "country" in row:
                values["country"] = self._lookups.country(row["country"])
            return values
        values = {"currency": self._lookups.currency(row["currency"])} if row.get("currency") else {}
        if creating:  # a number is what an account is: it is never changed
            number = str(row["number"])
            values["numbers"] = [["create", [{"type": number_type(number), "number": number}]]]
            if row.get("bic") and (bank := self._lookups.bank(str(row["bic"]))):
                values["bank"] = bank
        return values

    # Legal entities

    def new_company_party(self, payload: Row, code: str, mark: str) -> Values:
        values: Values = {"code": code, "name": payload.get("name")}  # an archived one cannot be created
        values["identifiers"] = [["create", [_mark(mark), *([_tax(payload)] if payload.get("tax.code") else [])]]]
        values["addresses"] = [["create", [self._address(payload)]]] if self._address(payload) else []
        return values

    def changed_company_party(self, payload: Row, held: Held, touched: set[str], tax_types: Collection[str]) -> Values:
        values: Values = {name: payload[name] for name in HEAD if name in touched}
        if any(flat.part_of(name) == "address" for name in touched):
            address = next(rows(held.raw, "addresses"), None)
            own = self._address(payload)
            values["addresses"] = [["write", [address["id"]], own] if address else ["create", [own]]]
        if any(flat.part_of(name) == "tax" for name in touched):
            tax = first_tax_number(held.raw, tax_types)
            values["identifiers"] = [["write", [tax["id"]], _tax(payload)] if tax else ["create", [_tax(payload)]]]
        return values

    def company(self, payload: Row) -> Values:
        return {"currency": self._lookups.currency(payload["currency"])}

    def _address(self, payload: Row) -> Values:
        own = flat.head(payload, "address")
        values = {"city": own["city"]} if own.get("city") else {}
        return {**values, "country": self._lookups.country(own["country"])} if own.get("country") else values


def new_term(payload: Row) -> Values:
    values = {name: payload.get(name) for name in ("name", "description")}
    return {**values, "lines": [["create", [_line(payload)]]]}


def changed_term(payload: Row, held: Held, touched: Collection[str]) -> Values:
    """A term whose days differ gets its one instalment anew: lines carry nothing else of ours."""
    values: Values = {name: payload[name] for name in ("name", "description", "active") if name in touched}
    if {"net_days", "end_of_month"} & set(touched):
        lines = [line["id"] for line in held.raw.get("lines.") or []]
        values["lines"] = [["delete", lines], ["create", [_line(payload)]]] if lines else [["create", [_line(payload)]]]
    return values


def marked(values: Values, mark: str, known: Row | None) -> Values:
    """With our reference on the party, instead of the one of a record that was merged into ours."""
    command = ["write", [known["id"]], _mark(mark)] if known else ["create", [_mark(mark)]]
    return {**values, "identifiers": [*values.get("identifiers", []), command]}


def _line(payload: Row) -> Values:
    """Tryton goes to the day of the month first, then adds the days: 31 and 30 is “30 days from the end of the month”."""
    days, end = int(payload.get("net_days") or 0), bool(payload.get("end_of_month"))
    deltas = [{"days": days, "day": 31 if end else None, "weeks": 0, "months": 0}] if days or end else []
    return {"type": "remainder", "relativedeltas": [["create", deltas]] if deltas else []}


def _mark(mark: str) -> Values:
    return {"type": None, "code": mark}


def _tax(payload: Row) -> Values:
    return {"type": payload.get("tax.type"), "code": payload.get("tax.code")}


def _mechanism(kind: str, own: Row) -> Values:
    return {"type": kind, **{name: value for name, value in own.items() if not is_empty(value)}}
