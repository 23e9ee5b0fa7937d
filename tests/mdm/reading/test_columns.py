"""Column mappings: what a spec may say, what a row becomes, and what is told when a value does not fit."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.errors import CorrectInput
from mdm.reading.columns import ColumnMap, check, guess, known_paths, paths_by_column, secret_columns
from mdm.reading.paths import parse
from mdm.types import Document, Problem
from tests.mdm.reading.partners import PARTNER, PartnerDocument

SPEC: dict[str, Any] = {
    "key": "No",
    "const": {"places[registered].country": "DE", "other_names[0]": "always"},
    "columns": {
        "Name 1": "title",
        "Name 2": "title",
        "Also": "other_names[1]",
        "Days": "days",
        "Share": "share",
        "On": "active",
        "Since": "since",
        "VAT": "numbers[VAT].number",
        "Street": "places[registered].lines[0]",
        "House": "places[registered].lines[0]",
        "Floor": "places[registered].lines[2]",
        "City": "places[registered].city",
        "IBAN": "accounts[1].iban",
        "Old IBAN": "accounts[0].iban",
        "From": "accounts[1].valid_from",
        "Closed": "accounts[0].closed",
        "Land": "country",
    },
    "values": {"country": {"Germany": "DE", "none": None}, "accounts[0].closed": {"gone": True}},
}


def mapped(values: dict[str, str], spec: dict[str, Any] = SPEC) -> tuple[str, Document, list[Problem]]:
    return ColumnMap(spec, PARTNER).map_row({"No": "1", "Name 1": "A", **values})


def test_a_whole_row() -> None:
    key, document, problems = mapped(
        {
            "No": " 0007 ",
            "Name 1": "Nord",
            "Name 2": " Haven ",
            "Also": "NH",
            "Days": "30",
            "Share": "12,50",
            "On": "X",
            "Since": "31.12.2025",
            "VAT": "DE1",
            "Street": "Kai",
            "House": "7",
            "Floor": "2",
            "City": "Kiel",
            "IBAN": "DE89",
            "Old IBAN": "DE00",
            "From": "20260131",
            "Closed": "gone",
            "Land": "germany",
            "Unmapped": "stays away",
        }
    )
    assert not problems and key == "0007"
    assert document == {
        "title": "Nord Haven",
        "other_names": ["always", "NH"],
        "days": 30,
        "share": "12.50",
        "active": True,
        "since": "2025-12-31",
        "numbers": [{"scheme": "VAT", "number": "DE1"}],
        "places": [{"kind": "registered", "country": "DE", "lines": ["Kai 7", "2"], "city": "Kiel"}],
        "accounts": [{"iban": "DE00", "closed": True}, {"iban": "DE89", "valid_from": "2026-01-31"}],
        "country": "DE",
    }
    PartnerDocument.model_validate(document)


def test_children_nobody_fills_are_dropped() -> None:
    _, document, problems = mapped({"Street": " ", "Closed": "no", "VAT": "", "Land": "none"})
    assert not problems and document == {"title": "A", "other_names": ["always"]}


def test_a_child_of_constants_only_is_always_there() -> None:
    spec = {"key": "No", "columns": {"Name 1": "title"}, "const": {"places[branch].city": "Kiel"}}
    assert mapped({}, spec)[1]["places"] == [{"kind": "branch", "city": "Kiel"}]


def test_joined_columns_keep_the_order_of_the_file() -> None:
    spec = {"key": "No", "columns": {"B": "title", "A": "title"}}
    assert ColumnMap(spec, PARTNER).map_row({"No": "1", "A": "first", "B": "second"})[1]["title"] == "first second"


@pytest.mark.parametrize(
    ("values", "path", "code"),
    [
        ({"No": " "}, "key", "missing_key"),
        ({"No": "x" * 101}, "key", "invalid_key"),
        ({"No": "a\0b"}, "key", "invalid_key"),
        ({"Land": "Atlantis"}, "country", "unknown_value"),
        ({"Closed": "perhaps"}, "accounts[0].closed", "unknown_value"),
        ({"On": "perhaps"}, "active", "invalid_boolean"),
        ({"Days": "30.5"}, "days", "invalid_integer"),
        ({"Days": "9" * 9999}, "days", "invalid_integer"),
        ({"Share": "1,234.5"}, "share", "invalid_number"),
        ({"Share": "NaN"}, "share", "invalid_number"),
        ({"Share": "1e999999999"}, "share", "invalid_number"),
        ({"Since": "2023-02-30"}, "since", "invalid_date"),
        ({"Since": "01/02/2023"}, "since", "invalid_date"),
    ],
)
def test_what_does_not_fit_is_told(values: dict[str, str], path: str, code: str) -> None:
    _, document, problems = mapped(values)
    assert [(problem.path, problem.code) for problem in problems] == [(path, code)]
    assert path not in document and all(len(problem.message) < 200 for problem in problems)


def test_values_that_are_ours_already_and_values_nobody_names() -> None:
    spec = {**SPEC, "values": {"country": {"Germany": "DE"}}}
    assert mapped({"Land": "DE"}, spec)[1]["country"] == "DE"
    spec = {**SPEC, "values": {"country": {"Germany": "DE", "*": "="}}}
    assert mapped({"Land": "FR"}, spec)[1]["country"] == "FR"
    spec = {**SPEC, "values": {"country": {"Germany": "DE", "*": None}}}
    assert "country" not in mapped({"Land": "FR"}, spec)[1]


def test_zero_days_are_no_day() -> None:
    for text in ("00000000", "0000-00-00", "2026-01-31T00:00:00"):
        _, document, problems = mapped({"Since": text})
        assert not problems and document.get("since") in (None, "2026-01-31")


def test_a_key_of_several_columns() -> None:
    spec = {**SPEC, "key": ["No", "Also"]}
    assert mapped({"Also": "001"}, spec)[0] == "1/001"
    assert mapped({"Also": ""}, spec)[2][0].code == "missing_key"


@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        ({"key": ""}, "key", "missing"),
        ({"colums": {}}, "colums", "unknown_setting"),
        ({"columns": []}, "columns", "wrong_type"),
        ({"columns": {"N": "title", "X": ["a", "b"]}}, "columns.X", "wrong_type"),
        ({"columns": {"N": "title", "X": "nowhere"}}, "columns.X", "unknown_path"),
        ({"columns": {"N": "title", "X": "places.city"}}, "columns.X", "unknown_path"),
        ({"columns": {"N": "title", "X": "places[0]"}}, "columns.X", "unknown_path"),
        ({"columns": {"N": "title", "X": "accounts[main].iban"}}, "columns.X", "unknown_path"),
        ({"columns": {"N": "title", "X": "places[0].uid"}}, "columns.X", "unknown_path"),
        ({"columns": {"N": "title[0]"}}, "columns.N", "unknown_path"),
        ({"columns": {"X": "country"}}, "columns", "not_mapped"),
        ({"values": {"days": {"a": "1"}}, "columns": {"N": "title"}}, "values.days", "not_mapped"),
        ({"values": {"title": "x"}}, "values.title", "wrong_type"),
        ({"const": {"nowhere": 1}}, "const.nowhere", "unknown_path"),
    ],
)
def test_mistakes_of_a_spec(change: dict[str, Any], where: str, code: str) -> None:
    spec = {"key": "No", "columns": {"N": "title"}, **change}
    assert (where, code) in [(problem.path, problem.code) for problem in check(spec, PARTNER, ["No", "N", "X"])]
    with pytest.raises(CorrectInput):
        ColumnMap(spec, PARTNER)


def test_columns_a_file_lacks() -> None:
    spec = {"key": "No", "columns": {"N": "title", "L": "country"}}
    assert check(spec, PARTNER, ["No", "N", "L", "more"]) == []
    found = check(spec, PARTNER, ["N"])
    assert [(problem.path, problem.severity) for problem in found] == [
        ("key.No", "error"),
        ("columns.L", "warning"),
    ]
    assert [problem.path for problem in check(spec, PARTNER, ["No"], partial=True)] == ["columns.N"]


def test_questions_about_a_spec() -> None:
    mapping = ColumnMap(SPEC, PARTNER)
    assert mapping.columns_for("accounts/1/iban") == ("IBAN", "Old IBAN")
    assert mapping.columns_for("places[registered].lines[0]") == ("Street", "House", "Floor")
    assert mapping.columns_for("key") == ("No",) and mapping.columns_for("title") == ("Name 1", "Name 2")
    assert secret_columns(SPEC, PARTNER) == {"IBAN", "Old IBAN"}
    assert paths_by_column(SPEC)["No"] == "key" and paths_by_column(SPEC)["City"] == "places[registered].city"
    assert all(parse(path, PARTNER) for path in known_paths(PARTNER))


def test_a_first_guess() -> None:
    columns = [
        "Partner No",
        "Partner Name",
        "Street",
        "Street 2",
        "Town",
        "Country Code",
        "IBAN",
        "VAT ID",
        "Extra",
    ]
    spec = guess(PARTNER, columns, [{"Partner No": "1"}, {"Partner No": "2"}])
    assert spec["key"] == "Partner No"
    assert spec["columns"] == {
        "Partner Name": "title",
        "Street": "places[registered].lines[0]",
        "Street 2": "places[registered].lines[1]",
        "Town": "places[registered].city",
        "Country Code": "country",
        "IBAN": "accounts[0].iban",
        "VAT ID": "numbers[VAT].number",
    }
    assert check(spec, PARTNER, columns) == []


@given(st.lists(st.text(max_size=20), unique=True, max_size=12))
def test_guessing_never_fails(columns: list[str]) -> None:
    spec = guess(PARTNER, columns, [])
    assert set(spec["columns"]) <= set(columns)


@given(st.dictionaries(st.sampled_from([*SPEC["columns"], "No"]), st.text(max_size=30)))
def test_any_row_is_mapped_or_told(values: dict[str, str]) -> None:
    key, document, problems = ColumnMap(SPEC, PARTNER).map_row(values)
    assert key or any(problem.path == "key" for problem in problems)
    assert all(row for rows in document.values() if isinstance(rows, list) for row in rows)


def test_a_path_reads_what_it_writes() -> None:
    _, document, _ = mapped({"Street": "Kai", "City": "Kiel", "Old IBAN": "DE00", "IBAN": "DE89", "VAT": "1"})
    read = {text: parse(text, PARTNER).value(document) for text in SPEC["columns"].values()}
    assert read["places[registered].city"] == "Kiel" and read["places[registered].lines[0]"] == "Kai"
    assert read["accounts[1].iban"] == "DE89" and read["numbers[VAT].number"] == "1" and read["days"] is None


def test_rows_are_mapped_quickly() -> None:
    mapping, row = ColumnMap(SPEC, PARTNER), dict.fromkeys(["No", *SPEC["columns"]], "1")
    row |= {"Land": "DE", "Since": "2026-01-31", "From": "2026-01-31", "Closed": "gone"}
    best = min(_seconds(mapping, row) for _ in range(5))
    assert best / 500 < 200e-6  # some 30 µs; the rest is for slow and busy machines


def _seconds(mapping: ColumnMap, row: dict[str, str]) -> float:
    started = time.perf_counter()
    for _ in range(500):
        mapping.map_row(row)
    return time.perf_counter() - started
