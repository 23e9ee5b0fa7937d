"""Codes of countries and currencies: ISO's, with what books need beyond it."""

from __future__ import annotations

import pycountry
import pytest

from mdm import iso
from tests.api.callers import caller

LATELY = {"XCG": "since 2025", "ZWG": "since 2024"}
WITHDRAWN = {"ANG": "until 2025", "BGN": "until 2026", "HRK": "until 2023"}


def test_every_country_of_iso_and_one_more() -> None:
    assert iso.COUNTRIES - {"XK"} == {one.alpha_2 for one in pycountry.countries} and "XK" in iso.COUNTRIES


def test_currencies_are_money() -> None:
    assert {*LATELY, *WITHDRAWN, "EUR", "CLF"} <= iso.CURRENCIES
    assert not {"XTS", "XXX", "XAU", "EURO", "ABC"} & iso.CURRENCIES
    assert set(iso.PLACES) <= iso.CURRENCIES


@pytest.mark.django_db
@pytest.mark.parametrize(
    "field, code, told",
    [
        ("country", "UK", "invalid_country"),
        ("currency", "XTS", "invalid_currency"),
        ("currency", "XAU", "invalid_currency"),
    ],
)
def test_a_code_that_is_none_is_refused_at_its_field(field: str, code: str, told: str) -> None:
    body = {
        "items": [
            {
                "type": "supplier",
                "action": "create",
                "document": {"legal_name": "Nord AG", "country": "DE", field: code},
            }
        ]
    }
    answer = caller("steward").post_json("change-requests/", body)
    assert answer.status_code == 400, answer.content
    assert [error["code"] for error in answer.json()["errors"]] == [told]
