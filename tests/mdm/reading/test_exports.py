"""Exports: nothing in them runs in a spreadsheet, and everything comes back as it was."""

from __future__ import annotations

import io
import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from mdm.reading.exports import csv_chunks, ndjson_chunks, text_of, xlsx_chunks
from tests.mdm.reading.streams import rows_of

ATTACKS = [
    '=HYPERLINK("http://x.example","pay")',
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "'=1",
    "''+1",
    "'plain",
    "#REF!",
]
text = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
cells = st.lists(st.tuples(text, text | st.sampled_from(ATTACKS[:4] + ATTACKS[6:])), min_size=1, max_size=5)


@settings(max_examples=50, deadline=None)
@given(cells)
@pytest.mark.parametrize("write", [csv_chunks, xlsx_chunks])
def test_what_is_written_is_read_again(write, rows: list[tuple[str, str]]) -> None:
    content = b"".join(write(["Key", "A", "B"], [("k", *row) for row in rows]))
    _, found = rows_of(content)
    expected = [row if write is csv_chunks else tuple(cell.replace("_x", "_x") for cell in row) for row in rows]
    if not any("_x" in cell for row in rows for cell in row):
        assert [(row.values["A"], row.values["B"]) for row in found] == expected


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_formula_leaves(attack: str) -> None:
    body = b"".join(csv_chunks(["A", "B"], [[attack, attack]])).decode("utf-8-sig").split("\r\n", 1)[1]
    assert body.lstrip('"')[0] not in "=+-@\t\r"
    book = load_workbook(io.BytesIO(b"".join(xlsx_chunks(["A"], [[attack]]))))
    assert book.active["A2"].data_type == "s"


def test_values_of_documents() -> None:
    row = [None, True, 3, Decimal("1.50"), date(2026, 1, 31), ["a", "b"], "\x00bad\x0b", 10**20]
    body = b"".join(csv_chunks(list("abcdefgh"), [row])).decode("utf-8-sig")
    assert body.split("\r\n")[1] == ",true,3,1.50,2026-01-31,a; b,\x00bad\x0b,100000000000000000000"
    _, (found,) = rows_of(b"".join(xlsx_chunks(["k", *"abcdefg"], [["k", *row[1:]]])))
    assert found.values["d"] == "2026-01-31" and found.values["b"] == "3" and found.values["a"] == "true"
    assert found.values["f"] == "\ufffdbad\ufffd" and text_of(row[5]) == "a; b"


def test_exports_are_streamed() -> None:
    seen = []

    def rows():
        for number in range(20_000):
            seen.append(number)
            yield [number, "x" * 50]

    chunks = csv_chunks(["A", "B"], rows())
    next(chunks)
    assert len(seen) < 5_000
    assert sum(chunk.count(b"\r\n") for chunk in chunks) > 15_000


def test_json_lines() -> None:
    documents = [{"a": "ü", "n": {"b": [1, 2]}}, {"a": "line\nend"}]
    assert [json.loads(line) for line in b"".join(ndjson_chunks(documents)).splitlines()] == documents
    assert list(ndjson_chunks([])) == []
    assert b"".join(csv_chunks(["A"], [])).decode("utf-8-sig") == "A\r\n"
    assert load_workbook(io.BytesIO(b"".join(xlsx_chunks(["A"], [], title="a/b:c")))).active.title == "a b c"
