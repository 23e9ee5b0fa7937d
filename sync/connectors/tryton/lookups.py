"""Owns finding what a record refers to at Tryton: country, currency, payment term, bank, bank account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sync.connectors.tryton.shape import number_type
from sync.connectors.tryton.wire import Api
from sync.errors import FieldProblem, Refused

_REMEDIES = {
    "country.country": "load Tryton's countries (trytond_import_countries)",
    "currency.currency": "load Tryton's currencies (trytond_import_currencies)",
}


class Lookups:
    """Countries and currencies are remembered: they have codes, and codes do not move."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, str], int] = {}
        self._terms: dict[str, int] | None = None

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """While several records are made ready for one request, payment terms are not asked for again and again."""
        self._terms = {}
        try:
            yield
        finally:
            self._terms = None

    def country(self, code: str) -> int:
        return self._coded("country.country", code, "country")

    def currency(self, code: str) -> int:
        return self._coded("currency.currency", code, "currency")

    def payment_term(self, name: str) -> int:
        """Names of payment terms are not unique at Tryton: two of one name are for a person to sort out."""
        if self._terms is None:
            return self._payment_term(name)
        if name not in self._terms:
            self._terms[name] = self._payment_term(name)
        return self._terms[name]

    def _payment_term(self, name: str) -> int:
        found = self._api.search_read("account.invoice.payment_term", [["name", "=", name]], ["active"])
        active = [item for item in found if item.get("active") is not False]
        if len(active) == 1:
            return int(active[0]["id"])
        if not active:
            words = f"Tryton has no payment term “{name}”: push it, or give it another name in the value map."
        else:
            words = f"Tryton has {len(active)} payment terms called “{name}”: archive or rename all but one."
        raise Refused(words, problems=(FieldProblem("supplier_payment_term", "unknown_reference", words),))

    def bank(self, bic: str) -> int | None:
        """Banks are Tryton's own records; without one of that BIC the account goes without a bank."""
        wanted = bic if len(bic) != 8 else bic + "XXX"
        found = self._api.search_read(
            "bank", [["bic", "in", sorted({bic, wanted, wanted.removesuffix("XXX")})]], ["bic"]
        )
        return int(found[0]["id"]) if found else None

    def account(self, number: str) -> int | None:
        """The bank account that has this IBAN now: Tryton keeps an IBAN once, and shares the account among owners."""
        if number_type(number) != "iban":
            return None  # other numbers are not unique
        domain = [["type", "=", "iban"], ["number_compact", "=", number], ["active", "=", True]]
        found = self._api.search_read("bank.account.number", domain, ["account"])
        return int(found[0]["account"]) if found else None

    def _coded(self, model: str, code: str, what: str) -> int:
        code = code.upper()
        known = self._known.get((model, code))
        if known is None:
            found = self._api.search_read(model, [["code", "=", code]], ["code"])
            if not found:
                words = f"Tryton has no {what} “{code}”: {_REMEDIES[model]}."
                raise Refused(words, problems=(FieldProblem(what, "unknown_reference", words),))
            known = self._known[model, code] = int(found[0]["id"])
        return known
