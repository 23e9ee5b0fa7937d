"""The mapping engine where a target shows only part of a number, and where rows end on a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.errors import NotSupported
from sync.mapping import Mapping, load

DECLARED = """
target: x
types:
  supplier:
    fields: [{field: Name, from: legal_name}]
    rows:
      - part: Bank
        each: bank_accounts[*]
        match: [IBAN, [Country, Account]]
        until: End
        fields:
          - {field: IBAN, from: iban, compare: [iban, masked], sealed: true}
          - {field: Account, from: account_number, compare: [identifier, masked], sealed: true}
          - {field: Country, from: country}
          - {field: End, from: valid_to, compare: date}
"""
FIRST, SECOND, SAME_ENDING = "DE89370400440532013000", "DE02120300000000202051", "DE21512108001245123000"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def mapping(tmp_path: Path) -> Mapping:
    file = tmp_path / "mapping.yaml"
    file.write_text(DECLARED)
    return load(file)


def document(*accounts: dict[str, Any]) -> dict[str, Any]:
    return {"legal_name": "X", "bank_accounts": [{"uid": f"b{place}", **item} for place, item in enumerate(accounts)]}


def shown(**rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": "X",
        **{f"Bank[{row}].{leaf}": value for row, leaves in rows.items() for leaf, value in leaves.items()},
    }


def test_rows_pair_by_what_is_shown_of_their_numbers(mapping: Mapping) -> None:
    payload = mapping.render(document({"iban": FIRST}, {"account_number": "0000202051", "country": "DE"}))
    actual = shown(r1={"Account": "XXXXXX2051", "Country": "DE"}, r2={"IBAN": "XXXXXXXXXXXXXXXXXX3000"})
    assert mapping.pair("Bank", payload, actual).matched == {"b0": "r2", "b1": "r1"}
    assert mapping.compare(payload, actual) == []


def test_a_whole_number_goes_before_a_part_of_one(mapping: Mapping) -> None:
    payload = mapping.render(document({"iban": FIRST}))
    pairing = mapping.pair("Bank", payload, shown(r1={"IBAN": "****3000"}, r2={"IBAN": FIRST}))
    assert (pairing.matched, pairing.extra) == ({"b0": "r2"}, ("r1",))


def test_two_numbers_with_one_ending_are_not_guessed_at(mapping: Mapping) -> None:
    payload = mapping.render(document({"iban": FIRST}, {"iban": SAME_ENDING}))
    pairing = mapping.pair("Bank", payload, shown(r1={"IBAN": "XXXX3000"}))
    assert (pairing.matched, pairing.missing, pairing.extra) == ({}, ("b0", "b1"), ("r1",))
    one = mapping.render(document({"iban": FIRST}))
    assert mapping.pair("Bank", one, shown(r1={"IBAN": "XXXX3000"}, r2={"IBAN": "XXXXX3000"})).matched == {}


def test_a_number_that_ends_otherwise_is_another_row(mapping: Mapping) -> None:
    found = mapping.compare(mapping.render(document({"iban": SECOND})), shown(r1={"IBAN": "XXXX3000"}))
    assert [(item.kind, item.sealed) for item in found] == [("missing", True), ("extra", True)]


def test_part_of_a_number_cannot_be_adopted(mapping: Mapping) -> None:
    ours = document({"iban": FIRST})
    with pytest.raises(NotSupported, match="only a part"):
        mapping.adopt("Bank[b0].IBAN", "XXXX2051", ours)
    with pytest.raises(NotSupported, match="only a part"):
        mapping.adopt("Bank[r9]", {"IBAN": "XXXX2051", "Country": "DE"}, ours)
    assert mapping.adopt("Bank[b0].IBAN", SECOND, ours) == [{"path": "bank_accounts/b0/iban", "value": SECOND}]


def test_an_ended_row_that_only_one_side_has_is_no_difference(mapping: Mapping) -> None:
    ended = {"iban": FIRST, "valid_to": str(TODAY)}
    assert mapping.compare(mapping.render(document(ended)), shown()) == []
    assert mapping.compare(mapping.render(document()), shown(r1={"IBAN": FIRST, "End": "2020-01-31T00:00:00"})) == []
    running = {"iban": FIRST, "valid_to": str(TODAY + timedelta(days=1))}
    assert [item.kind for item in mapping.compare(mapping.render(document(running)), shown())] == ["missing"]


def test_a_row_that_ended_on_one_side_only_is_a_difference(mapping: Mapping) -> None:
    payload = mapping.render(document({"iban": FIRST}))
    found = mapping.compare(payload, shown(r1={"IBAN": FIRST, "End": "2020-01-31"}))
    assert [(item.field, item.expected, item.actual) for item in found] == [("Bank[b0].End", None, "2020-01-31")]


def test_an_end_that_is_not_mapped_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(DECLARED.replace("until: End", "until: Last"))
    with pytest.raises(ValueError, match="until"):
        load(file)
