"""Owns the two forms of a record: nested as Tryton answers it, flat as the mapping names its fields."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Values = dict[str, Any]
MECHANISMS = ("email", "phone", "website")  # each is the first contact mechanism of that type, as in Tryton itself
_ROWS = ("identifiers", "addresses", "contact_mechanisms", "bank_accounts")
_OWN = ("id", "code", "name", "active", "_timestamp", "write_date", "create_date", "supplier_payment_term.name")
_BELOW = {
    "identifiers": ("type", "code", "active", "_timestamp"),
    "addresses": ("street", "postal_code", "city", "country.code", "active", "_timestamp"),
    "contact_mechanisms": ("type", "value", "name", "active", "_timestamp"),
    "bank_accounts": ("currency.code", "bank.bic", "active", "_timestamp", "numbers.type", "numbers.number"),
}
PARTY = (*_OWN, *(f"{part}.{leaf}" for part, leaves in _BELOW.items() for leaf in leaves))
_DELTA = ("day", "days", "weeks", "months", "weekday", "month")
TERM = (
    *("id", "name", "description", "active", "_timestamp", "write_date", "create_date", "lines.type"),
    *(f"lines.relativedeltas.{leaf}" for leaf in _DELTA),
)
COMPANY = ("party", "currency.code", "_timestamp")
SEVERAL = 100  # more records of one code or tax number are too many to choose from
_MOMENT = ("year", "month", "day", "hour", "minute", "second", "microsecond")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


@dataclass(frozen=True)
class Held:
    """What Tryton holds: `raw` as answered, `fields` as the mapping names them, `stamps` for conditional writes."""

    id: int
    key: str
    raw: Values
    fields: Values
    reference: str = ""
    stamps: dict[str, str] = field(default_factory=dict)
    company: Values | None = None  # of a legal entity, unless its party has no company yet


def flatten_party(raw: Mapping[str, Any], tax_types: Collection[str]) -> Values:
    """A supplier's fields; archived rows and identifiers that are no tax numbers of ours are left out."""
    found: Values = {
        "code": raw.get("code"),
        "name": raw.get("name"),
        "active": raw.get("active"),
        "supplier_payment_term": (raw.get("supplier_payment_term.") or {}).get("name"),
    }
    for kind in MECHANISMS:
        if mechanism := first_mechanism(raw, kind):
            found[f"{kind}.value"] = mechanism.get("value")
            found[f"{kind}.name"] = mechanism.get("name")
    for item in rows(raw, "identifiers"):
        if item.get("type") in tax_types:
            found.update(_row("identifiers", item, type=item["type"], code=item.get("code")))
    for item in rows(raw, "addresses"):
        own = {leaf: item.get(leaf) for leaf in ("street", "postal_code", "city")}
        found.update(_row("addresses", item, **own, country=(item.get("country.") or {}).get("code")))
    for item in rows(raw, "bank_accounts"):
        currency, bank = item.get("currency.") or {}, item.get("bank.") or {}
        own = {"number": _number(item), "currency": currency.get("code"), "bic": bank.get("bic")}
        found.update(_row("bank_accounts", item, **own))
    return found


def flatten_company(raw: Mapping[str, Any], company: Mapping[str, Any] | None, tax_types: Collection[str]) -> Values:
    """A legal entity's fields: of its party the first address and the first tax number, of the company the currency."""
    found: Values = {name: raw.get(name) for name in ("code", "name", "active")}
    found["currency"] = ((company or {}).get("currency.") or {}).get("code")
    if address := next(rows(raw, "addresses"), None):
        found["address.city"] = address.get("city")
        found["address.country"] = (address.get("country.") or {}).get("code")
    if tax := first_tax_number(raw, tax_types):
        found["tax.type"], found["tax.code"] = tax["type"], tax.get("code")
    return found


def flatten_term(raw: Mapping[str, Any]) -> Values:
    """Days and end of month of a term with one instalment; without them when Tryton's has more to it than that."""
    found = {name: raw.get(name) for name in ("name", "description", "active")}
    lines = raw.get("lines.") or []
    deltas = [delta for line in lines for delta in line.get("relativedeltas.") or []]
    plain = len(lines) == 1 and lines[0].get("type") == "remainder" and len(deltas) <= 1
    delta = deltas[0] if deltas else {}
    if any(delta.get(leaf) for leaf in ("months", "weekday", "month")) or delta.get("day") not in (None, 31):
        plain = False
    if plain:
        found["net_days"] = (delta.get("days") or 0) + 7 * (delta.get("weeks") or 0)
        found["end_of_month"] = delta.get("day") == 31
    return found


def rows(raw: Mapping[str, Any], part: str) -> Iterator[Values]:
    """The rows of a part that are not archived."""
    return (item for item in raw.get(f"{part}.") or [] if item.get("active") is not False)


def first_mechanism(raw: Mapping[str, Any], kind: str) -> Values | None:
    return next((item for item in rows(raw, "contact_mechanisms") if item.get("type") == kind), None)


def first_tax_number(raw: Mapping[str, Any], tax_types: Collection[str]) -> Values | None:
    return next((item for item in rows(raw, "identifiers") if item.get("type") in tax_types), None)


def mark_of(raw: Mapping[str, Any], prefix: str) -> Values | None:
    """The identifier that carries our reference: one without type that begins with our prefix."""
    free = (item for item in rows(raw, "identifiers") if not item.get("type"))
    return next((item for item in free if str(item.get("code") or "").startswith(prefix)), None)


def reference_of(raw: Mapping[str, Any], prefix: str) -> str:
    mark = mark_of(raw, prefix)
    return str(mark["code"]).removeprefix(prefix) if mark else ""


def stamps_of(model: str, raw: Mapping[str, Any]) -> dict[str, str]:
    """`{"party.party,12": "1795897853.366241", …}` for the record and everything below it."""
    models = {
        "identifiers": "party.identifier",
        "addresses": "party.address",
        "contact_mechanisms": "party.contact_mechanism",
        "bank_accounts": "bank.account",
    }
    found = {f"{model},{raw['id']}": str(raw["_timestamp"])} if raw.get("_timestamp") else {}
    for part in _ROWS:
        for item in raw.get(f"{part}.") or []:
            if item.get("_timestamp"):
                found[f"{models[part]},{item['id']}"] = str(item["_timestamp"])
    return found


def number_type(number: str) -> str:
    return "iban" if _IBAN.fullmatch(number) else "other"


def grouped(number: str) -> str:
    """As Tryton writes an IBAN: in groups of four."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def changed_at(raw: Mapping[str, Any]) -> str:
    """When Tryton last wrote the record itself; its rows have times of their own."""
    moment = raw.get("write_date") or raw.get("create_date")
    if not isinstance(moment, Mapping):
        return ""
    return datetime(*(int(moment[name]) for name in _MOMENT), tzinfo=UTC).isoformat()  # type: ignore[misc, arg-type]


def moment_of(text: str) -> Values:
    """An ISO time as Tryton's JSON has it; a time without zone is UTC."""
    found = datetime.fromisoformat(text)
    found = found.astimezone(UTC) if found.tzinfo else found
    return {"__class__": "datetime", **{name: getattr(found, name) for name in _MOMENT}}


def _row(part: str, item: Mapping[str, Any], **leaves: Any) -> Values:
    return {f"{part}[{item['id']}].{leaf}": value for leaf, value in leaves.items()}


def _number(account: Mapping[str, Any]) -> str | None:
    """The IBAN, else the first number of another kind, without the blanks Tryton puts in."""
    numbers = [item for item in account.get("numbers.") or [] if item.get("active") is not False]
    best = next((item for item in numbers if item.get("type") == "iban"), numbers[0] if numbers else None)
    return re.sub(r"\s", "", str(best["number"])) if best else None
