"""Owns what the sandbox of Tryton knows about its records: fields, reference data, and what it refuses in which words.

Models and fields are those of trytond 8.2 with the modules party, bank, company and account_invoice; the words are
those that a running trytond answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stdnum import get_cc_module, iban
from stdnum.exceptions import ValidationError

from sync.connectors.tryton.shape import grouped
from sync.sandbox import Fail

COUNTRIES = (
    "AT",
    "BE",
    "CH",
    "CZ",
    "DE",
    "DK",
    "ES",
    "FI",
    "FR",
    "GB",
    "IE",
    "IT",
    "LU",
    "NL",
    "NO",
    "PL",
    "PT",
    "SE",
    "US",
)
CURRENCIES = ("CHF", "CZK", "DKK", "EUR", "GBP", "NOK", "PLN", "SEK", "USD")
BANKS = ("COBADEFFXXX", "DEUTDEFFXXX", "BNPAFRPPXXX")
TERMS = (  # name, days, counted from the end of the month: what the module account_invoice brings along
    ("Upon Receipt", 0, False),
    ("Net 10 days", 10, False),
    ("Net 15 days", 15, False),
    ("Net 30 days", 30, False),
    ("Net 60 days", 60, False),
    ("End of Month", 0, True),
    ("Net 30 days End of Month", 30, True),
    ("Net 60 days End of Month", 60, True),
    ("Net 45 days", 45, False),
    ("Net 90 days", 90, False),
)
PARTY = {"name": "Name", "active": "Active", "code": "Code", "supplier_payment_term": "Supplier Payment Term"}
ROWS: dict[str, tuple[str, ...]] = {
    "identifiers": ("type", "code", "active"),
    "addresses": ("street", "postal_code", "city", "country", "active"),
    "contact_mechanisms": ("type", "value", "name", "active"),
}
ACCOUNT = ("currency", "bank", "numbers", "owners", "active")
TERM = ("name", "description", "active", "lines")
COMPANY = ("party", "currency")
ANALYTIC = ("code", "name", "active", "company", "root", "parent", "type", "state")
# Companies that somebody set up with roots of analytic accounts, and the type under which the store keeps what is below.
COMPANIES = ("NH01", "NH10", "NH20", "NH30", "NH40")
ROOTS = {"Cost Centers": "cost_center", "Projects": "project"}
DELTA = ("day", "days", "weeks", "months", "weekday", "month")


class RpcError(Fail):
    """An error inside an answer of status 200; `id` is the request's."""

    def __init__(self, error: list[Any]) -> None:
        super().__init__(200, str(error))
        self.error, self.id = error, 0


def refuse(words: str) -> RpcError:
    return RpcError(["UserError", [words, "", None]])


def moved() -> RpcError:
    return RpcError(["ConcurrencyException", "Records were modified in the meanwhile"])


def crash(error: Exception) -> RpcError:
    return RpcError([str(error), ""])


def known(values: Mapping[str, Any], names: Any) -> None:
    """Tryton fails inside at a field it does not know."""
    for name in values:
        if name not in names:
            raise crash(KeyError(name))


def coded(codes: tuple[str, ...], id: Any, field: str, model: str) -> str | None:
    """The code behind an id of the reference data."""
    if id is None:
        return None
    if not isinstance(id, int) or not 0 < id <= len(codes):
        raise refuse(f'The value "{id}" for field "{field}" in "{model}" does not exist.')
    return codes[id - 1]


def listed(codes: tuple[str, ...], leaf: str = "code") -> Iterator[dict[str, Any]]:
    return ({"id": number, leaf: code} for number, code in enumerate(codes, 1))


def one_of(codes: tuple[str, ...], code: Any, leaf: str = "code") -> dict[str, Any] | None:
    return {"id": codes.index(code) + 1, leaf: code} if code in codes else None


def check_identifier(row: Mapping[str, Any], party: str) -> dict[str, Any]:
    """The number as Tryton keeps it; refused when its check digits are wrong."""
    kind, code = row.get("type"), row.get("code")
    if not code:
        raise refuse('A value is required for field "Code" in "Party Identifier".')
    if not kind:
        return {**row}
    module = get_cc_module(*str(kind).split("_", 1)) if "_" in str(kind) else None
    if module is None:
        words = f'The value "{kind}" for field "Type" in record "{code}" of "Party Identifier"'
        raise refuse(f"{words} is not one of the allowed options.")
    if not module.is_valid(code):
        spoken = "European VAT Number" if kind == "eu_vat" else f"{str(kind)[:2].upper()} number"
        raise refuse(f'The {spoken} "{code}" for party "{party}" is not valid.')
    return {**row, "code": module.format(code) if hasattr(module, "format") else module.compact(code)}


def compact(row: Mapping[str, Any]) -> str:
    """`code_compact`, which Tryton keeps beside the code."""
    kind, code = row.get("type"), str(row.get("code") or "")
    module = get_cc_module(*str(kind).split("_", 1)) if kind and "_" in str(kind) else None
    try:
        return str(module.compact(code)) if module else code
    except ValidationError:
        return code


def check_number(kind: str, number: str) -> str:
    """The IBAN without blanks, any other number as it is."""
    if kind != "iban":
        return number
    if not iban.is_valid(number):
        raise refuse(f'IBAN "{grouped(number)}" is not valid.')
    return str(iban.compact(number))
