"""A field at a target in words: of which row of the record, never by uid; what is unknown keeps the target's name."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from mdm import registry
from sync.web import field_words

COMPANY, BANK, TAX = (str(UUID(int=number)) for number in (1, 2, 3))
DOCUMENT: dict[str, Any] = {
    "extensions": [{"uid": COMPANY, "legal_entity": "NH10", "payment_terms": "NET30"}],
    "bank_accounts": [{"uid": BANK, "account_number": "4711", "holder": "Nordlicht"}],
    "tax_registrations": [{"uid": TAX, "country": "DE", "scheme": "VAT", "number": "DE136695976"}],
}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("legal_name", "Legal name"),
        ("addresses[registered|0].lines[0]", "Address · Street (registered)"),
        (f"extensions/{COMPANY}/payment_terms", "Legal entity NH10 · payment terms"),
        (f"extensions/{COMPANY}/$.incoterm", "Legal entity NH10 · incoterm"),
        (f"bank_accounts/{BANK}/holder", "Bank account 4711 · holder"),
        (f"tax_registrations/{TAX}", "Tax registration DE, VAT"),
        # The record no longer has the row: its list is all that is left to say.
        (f"extensions/{UUID(int=4)}/payment_terms", "Legal entity · payment terms"),
    ],
)
def test_a_path_reads_as_people_name_it(path: str, words: str) -> None:
    assert field_words.of_path(registry.get("supplier"), path, DOCUMENT) == words


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("blocked", "Blocked there"),
        ("name", "name"),
        ("primary-address.city", "primary-address.city"),
        (f"A_Bank[{UUID(int=4)}].IBAN", "A_Bank.IBAN"),
        (f"A_Bank[{UUID(int=4)}]", "A_Bank"),
        ("A_Bank[0002].IBAN", "A_Bank[0002].IBAN"),
    ],
)
def test_a_field_nothing_of_ours_stands_behind_keeps_its_name(field: str, words: str) -> None:
    change = {"field": field, "path": "", "ours": 1, "theirs": 2}
    assert field_words.of_change(registry.get("supplier"), change, DOCUMENT) == words
    assert field_words.of_change(registry.get("supplier"), change, None) == words
