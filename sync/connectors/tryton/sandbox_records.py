"""Owns the records of the sandbox of Tryton: nested as its API shows them, and changed by its commands.

A party is one row of the store, its own rows flat inside (`addresses[7].city`), each with a time stamp of its own as at
Tryton: changing an address does not touch the party's. A bank account is a row beside, because it may have several owners.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sync import flat
from sync.connectors.tryton import sandbox_analytic as analytic
from sync.connectors.tryton import sandbox_rules as rules
from sync.connectors.tryton.analytic import MODEL as ANALYTIC
from sync.connectors.tryton.sandbox_domain import named
from sync.connectors.tryton.sandbox_rules import moved, refuse
from sync.connectors.tryton.shape import grouped
from sync.sandbox_store import Row, Store

Values = dict[str, Any]
MODELS = {
    "identifiers": "party.identifier",
    "addresses": "party.address",
    "contact_mechanisms": "party.contact_mechanism",
}


_LOOKED_UP: dict[str, Callable[[Store, Any], Iterable[Row]]] = {
    "id": lambda store, value: store.where("supplier", "id", value),
    "code": lambda store, value: filter(None, [store.get("supplier", str(value))]),
    "identifiers.code": lambda store, value: store.containing("supplier", json.dumps(value, ensure_ascii=False)),
}


class Records:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._clock = itertools.count()

    # As the API shows them

    def all(self, model: str, domain: Sequence[Any] = ()) -> Iterator[Values]:
        """At least those that match the domain, by id."""
        if model == "party.party":
            yield from sorted(map(self.party, self._parties(domain)), key=lambda party: party["id"])
        elif model == "account.invoice.payment_term":
            yield from sorted(map(self._term, self._store.page("payment_term")), key=lambda term: term["id"])
        elif model == "company.company":
            for row in self._store.page("legal_entity"):
                currency = rules.one_of(rules.CURRENCIES, row.fields["currency"])
                yield {"id": row.fields["id"], "party": row.fields["party"], "currency": currency, **_times(row.fields)}
        elif model == ANALYTIC:
            yield from analytic.accounts(self._store, _times)
        elif model == "bank.account.number":
            yield from (number for row in self._store.page("account") for number in _numbers(row.fields))
        elif model in ("country.country", "currency.currency"):
            yield from rules.listed(rules.COUNTRIES if model.startswith("country") else rules.CURRENCIES)
        elif model == "bank":
            yield from ({**bank, "party": 900_000 + bank["id"]} for bank in rules.listed(rules.BANKS, "bic"))
        elif model == "ir.model":
            yield from ({"id": number, "name": name} for number, name in enumerate(WRITABLE, 1))
        else:
            raise rules.crash(KeyError(model.removeprefix("model.")))

    def _parties(self, domain: Sequence[Any]) -> Iterable[Row]:
        asked = named(domain, _LOOKED_UP)
        if asked is None:
            return self._store.page("supplier")
        return {row.key: row for path, value in asked for row in _LOOKED_UP[path](self._store, value)}.values()

    def party(self, row: Row) -> Values:
        fields = row.fields
        found = {name: fields.get(name) for name in ("id", "code", "name", "active")}
        found.update(_times(fields))
        found["supplier_payment_term"] = self._term_by_id(fields.get("supplier_payment_term"))
        for part, leaves in rules.ROWS.items():
            held = flat.rows(fields, part)
            found[part] = [_shown(part, int(id), row, leaves) for id, row in held.items()]
        return found

    def complete(self, record: Values) -> Values:
        """A party with its bank accounts, which nobody searches by."""
        if "identifiers" not in record:
            return record
        owner = f"owner {record['id']}"
        accounts = [row.fields for row in self._store.containing("account", f'"{owner}"') if row.fields.get(owner)]
        return {**record, "bank_accounts": [self._account(fields) for fields in accounts]}

    def by_id(self, model: str, id: int) -> Row:
        kinds = {
            "party.party": ["supplier"],
            "account.invoice.payment_term": ["payment_term"],
            ANALYTIC: [*rules.ROOTS.values()],
        }
        types = kinds.get(model, ["legal_entity"])
        found = [row for type in types for row in self._store.where(type, "id", id)]
        if not found:
            raise refuse(f'You are trying to read records "{id}" of "{model}" that don\'t exist.')
        return found[0]

    # Creating and writing

    def create_party(self, values: Mapping[str, Any]) -> int:
        rules.known(values, (*rules.PARTY, *rules.ROWS, "bank_accounts"))
        code = str(values.get("code") or self._store.next_number("code", 1))
        if self._store.get("supplier", code):
            raise refuse("The code on party must be unique.")
        if values.get("active") is False:
            raise refuse(f'You are not allowed to modify the field "Code" in record "{values.get("name")}" of "Party".')
        id = self._store.next_number("party", 1)
        fields: Values = {"id": id, "code": code, "active": True, "created": self._now()}
        return self._put_party(code, fields, {**values, "code": code}, {})

    def write_party(self, id: int, values: Mapping[str, Any], stamps: Mapping[str, str]) -> None:
        rules.known(values, (*rules.PARTY, *rules.ROWS, "bank_accounts"))
        row = self.by_id("party.party", id)
        self._check_stamp(f"party.party,{id}", row.fields, stamps)
        closed = [] if row.fields["active"] else [name for name in rules.PARTY if name != "active" and name in values]
        if closed or values.get("code", row.key) != row.key:
            label = rules.PARTY[closed[0]] if closed else "Code"
            words = (
                f'You are not allowed to modify the field "{label}" in record "{row.fields.get("name")}" of "Party".'
            )
            raise refuse(words)
        self._put_party(row.key, dict(row.fields), values, stamps)

    def create_term(self, values: Mapping[str, Any]) -> int:
        id = self._store.next_number("term", 1)
        self._put_term(id, {"id": id, "active": True, "created": self._now()}, values)
        return id

    def write_term(self, id: int, values: Mapping[str, Any], stamps: Mapping[str, str]) -> None:
        row = self.by_id("account.invoice.payment_term", id)
        self._check_stamp(f"account.invoice.payment_term,{id}", row.fields, stamps)
        if not row.fields["active"] and set(values) - {"active"}:
            raise refuse(
                f'You are not allowed to modify the field "Name" in record "{row.fields["name"]}" of "Payment Term".'
            )
        self._put_term(id, dict(row.fields), values)

    def create_company(self, values: Mapping[str, Any]) -> int:
        rules.known(values, rules.COMPANY)
        if self._store.where("legal_entity", "party", values.get("party")):
            raise refuse("A party can only be assigned to one company.")
        party = self.by_id("party.party", int(values["party"]))
        id = self._store.next_number("company", 1)
        currency = rules.coded(rules.CURRENCIES, values.get("currency"), "Currency", "Company")
        fields = {"id": id, "party": party.fields["id"], "currency": currency, "stamp": self._now()}
        self._store.put("legal_entity", str(id), fields)
        return id

    def write_company(self, id: int, values: Mapping[str, Any], stamps: Mapping[str, str]) -> None:
        rules.known(values, rules.COMPANY)
        row = self.by_id("company.company", id)
        self._check_stamp(f"company.company,{id}", row.fields, stamps)
        currency = rules.coded(rules.CURRENCIES, values.get("currency"), "Currency", "Company")
        self._store.put("legal_entity", row.key, {**row.fields, "currency": currency, "stamp": self._now()})

    def create_analytic(self, values: Mapping[str, Any]) -> int:
        return analytic.create(self._store, values, self._now())

    def write_analytic(self, id: int, values: Mapping[str, Any], stamps: Mapping[str, str]) -> None:
        row = self.by_id(ANALYTIC, id)
        self._check_stamp(f"{ANALYTIC},{id}", row.fields, stamps)
        analytic.write(self._store, row, values, self._now())

    # Inside

    def _put_party(self, code: str, fields: Values, values: Mapping[str, Any], stamps: Mapping[str, str]) -> int:
        fields.update({name: values[name] for name in ("name", "active", "code") if name in values})
        if "supplier_payment_term" in values:
            term = values["supplier_payment_term"]
            fields["supplier_payment_term"] = (
                self.by_id("account.invoice.payment_term", term).fields["id"] if term else None
            )
        for part in rules.ROWS:
            for command, *given in values.get(part) or []:
                self._apply(fields, part, command, given, stamps)
        for command, *given in values.get("bank_accounts") or []:
            self._apply_account(int(fields["id"]), command, given, stamps)
        fields["stamp"] = self._now()
        self._store.put("supplier", code, fields)
        return int(fields["id"])

    def _apply(self, fields: Values, part: str, command: str, given: list[Any], stamps: Mapping[str, str]) -> None:
        if command == "create":
            for new in given[0]:
                self._put_row(fields, part, self._store.next_number(part, 1), {"active": True}, new)
            return
        ids, new = given
        for id in ids:
            held = flat.rows(fields, part)[str(id)]
            self._check_stamp(f"{MODELS[part]},{id}", held, stamps)
            self._put_row(fields, part, id, held, new)

    def _put_row(self, fields: Values, part: str, id: int, held: Values, new: Mapping[str, Any]) -> None:
        rules.known(new, rules.ROWS[part])
        row = {**held, **new, "stamp": self._now()}
        if part == "identifiers":
            row = rules.check_identifier(row, str(fields.get("name") or ""))
        if part == "addresses" and "country" in new:
            row["country"] = rules.coded(rules.COUNTRIES, new["country"], "Country", "Address")
        fields.update({f"{part}[{id}].{leaf}": value for leaf, value in row.items()})

    def _apply_account(self, party: int, command: str, given: list[Any], stamps: Mapping[str, str]) -> None:
        if command == "create":
            for values in given[0]:
                self._create_account(party, values)
            return
        for id in given[0]:
            row = self._store.get("account", str(id))
            assert row is not None, f"no bank account {id}"
            fields = dict(row.fields)
            if command == "write":
                self._check_stamp(f"bank.account,{id}", fields, stamps)
                fields["currency"] = rules.coded(rules.CURRENCIES, given[1]["currency"], "Currency", "Bank Account")
                fields["stamp"] = self._now()
            elif command == "add":
                fields[f"owner {party}"] = True
            else:
                fields.pop(f"owner {party}", None)
            self._store.put("account", row.key, fields, log=False)

    def _create_account(self, party: int, values: Mapping[str, Any]) -> None:
        rules.known(values, rules.ACCOUNT)
        number = values["numbers"][0][1][0]
        plain = rules.check_number(number["type"], str(number["number"]))
        if number["type"] == "iban" and self._store.where("account", "number", plain):
            raise refuse("IBAN must be unique.")
        id = self._store.next_number("account", 1)
        fields = {"id": id, "type": number["type"], "number": plain, "stamp": self._now(), f"owner {party}": True}
        fields["currency"] = rules.coded(rules.CURRENCIES, values.get("currency"), "Currency", "Bank Account")
        fields["bic"] = rules.coded(rules.BANKS, values.get("bank"), "Bank", "Bank Account")
        self._store.put("account", str(id), fields, log=False)

    def _put_term(self, id: int, fields: Values, values: Mapping[str, Any]) -> None:
        rules.known(values, rules.TERM)
        if "name" in values and not values["name"]:
            raise refuse('A value is required for field "Name" in "Payment Term".')
        fields.update({name: values[name] for name in ("name", "description", "active") if name in values})
        lines = list(fields.get("lines") or [])
        for command, given in values.get("lines") or []:
            if command == "delete":
                lines = [line for line in lines if line["id"] not in given]
            else:
                lines += [self._line(new) for new in given]
        if not lines or lines[-1]["type"] != "remainder":
            raise refuse(f'Missing last line of type "Remainder" on payment term "{fields.get("name")}".')
        self._store.put("payment_term", str(id), {**fields, "lines": lines, "stamp": self._now()})

    def _line(self, new: Mapping[str, Any]) -> Values:
        deltas = [delta for _, made in new.get("relativedeltas") or [] for delta in made]
        blank = dict.fromkeys(rules.DELTA)
        made = [{**blank, **delta, "id": self._store.next_number("delta", 1)} for delta in deltas]
        return {"id": self._store.next_number("line", 1), "type": new["type"], "relativedeltas": made}

    def _term(self, row: Row) -> Values:
        fields = {"description": None, **row.fields}
        return {**{name: fields[name] for name in ("id", *rules.TERM)}, **_times(fields)}

    def _term_by_id(self, id: Any) -> Values | None:
        found = self._store.where("payment_term", "id", id) if id else []
        return {"id": id, "name": found[0].fields["name"]} if found else None

    def _account(self, fields: Values) -> Values:
        currency = rules.one_of(rules.CURRENCIES, fields.get("currency"))
        bank = rules.one_of(rules.BANKS, fields.get("bic"), "bic")
        numbers = list(_numbers(fields))
        shown = {"id": fields["id"], "active": True, "currency": currency, "bank": bank, "numbers": numbers}
        return {**shown, **_times(fields)}

    def _check_stamp(self, name: str, fields: Mapping[str, Any], stamps: Mapping[str, str]) -> None:
        """As `_timestamp` in the context: whoever names none writes whatever the record is."""
        if name in stamps and str(stamps[name]) != _stamp(fields):
            raise moved()

    def _now(self) -> float:
        """Never twice the same within a run."""
        return round(datetime.now(UTC).timestamp(), 6) + next(self._clock) % 1000 / 1e6


def _shown(part: str, id: int, row: Mapping[str, Any], leaves: Iterable[str]) -> Values:
    found = {"id": id, **{leaf: row.get(leaf) for leaf in leaves}, **_times(row)}
    if part == "addresses":
        found["country"] = rules.one_of(rules.COUNTRIES, row.get("country"))
    if part == "identifiers":
        found["code_compact"] = rules.compact(row)
    return found


def _numbers(fields: Mapping[str, Any]) -> Iterator[Values]:
    number, kind = str(fields["number"]), fields["type"]
    shown = grouped(number) if kind == "iban" else number
    plain = number if kind == "iban" else None
    yield {
        "id": fields["id"],
        "account": fields["id"],
        "type": kind,
        "number": shown,
        "number_compact": plain,
        "active": True,
    }


def _times(fields: Mapping[str, Any]) -> Values:
    moment = datetime.fromtimestamp(float(fields.get("stamp") or 0), UTC)
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    written = {"__class__": "datetime", **{name: getattr(moment, name) for name in names}}
    return {"_timestamp": _stamp(fields), "write_date": written, "create_date": written}


def _stamp(fields: Mapping[str, Any]) -> str:
    return f"{float(fields.get('stamp') or 0):.6f}"


WRITABLE = (
    "party.party",
    *MODELS.values(),
    "bank.account",
    "bank.account.number",
    "company.company",
    "account.invoice.payment_term",
    ANALYTIC,
)
