"""Workbooks: what spreadsheets write is read as people see it; what attackers write is not even unpacked."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from mdm.errors import CorrectInput, HubError, TooLarge
from mdm.reading.rows import Limits
from mdm.reading.tables import read
from mdm.reading.workbook import plain_number
from tests.mdm.reading.streams import SHEET, rows_of, sheet, with_part, workbook

DOCTYPE = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
CELL = '<c r="{0}1" t="inlineStr"><is><t>{0}</t></is></c>'
HEAD = f'<row r="1">{CELL.format("A")}{CELL.format("B")}</row>'

plain = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)


def refused(content: bytes, limits: Limits | None = None) -> tuple[type[HubError], str]:
    with pytest.raises(HubError) as error:
        rows_of(content, limits)
    return type(error.value), error.value.problems[0].code


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(plain, plain), min_size=1, max_size=6))
def test_texts_are_read_as_the_spreadsheet_library_reads_them(rows: list[tuple[str, str]]) -> None:
    book = Workbook()
    book.active.append(["Key", "A", "B"])
    for row in rows:
        book.active.append(["k"])
        for place, text in enumerate(row, 2):
            cell = book.active.cell(book.active.max_row, place)
            cell.value, cell.data_type = text, "s"
    out = io.BytesIO()
    book.save(out)
    known = [row[1:] for row in load_workbook(io.BytesIO(out.getvalue())).active.iter_rows(min_row=2, values_only=True)]
    _, found = rows_of(out.getvalue())
    for row, expected in zip(found, known, strict=True):
        for name, text in zip("AB", expected, strict=True):
            if "_x" not in (text or "") and not (text or "").startswith("'"):
                assert row.values[name] == (text or "")


def test_values_as_people_see_them() -> None:
    book = Workbook()
    book.active.append(["Key", "Zip", "Day", "Moment", "Yes", "Number", "Formula"])
    book.active.append(["1", 2134, date(2026, 1, 31), datetime(2026, 1, 31, 8, 30), True, 1234.5, "=1+1"])
    book.active["B2"].number_format = "00000"
    book.active.append(["2", 60620.0, None, None, False, 12345678901, None])
    out = io.BytesIO()
    book.save(out)
    _, rows = rows_of(out.getvalue())
    assert rows[0].values == {
        "Key": "1",
        "Zip": "02134",
        "Day": "2026-01-31",
        "Moment": "2026-01-31T08:30:00",
        "Yes": "true",
        "Number": "1234.5",
        "Formula": "",  # never calculated by a spreadsheet: there is no value yet
    }
    assert rows[1].values["Zip"] == "60620" and rows[1].values["Number"] == "12345678901"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("5", "5"),
        ("5.0", "5"),
        ("1E3", "1000"),
        ("1.5E-3", "0.0015"),
        ("1E400", "1E400"),
        ("x", "x"),
        ("-0", "-0"),
    ],
)
def test_numbers_without_exponents(raw: str, shown: str) -> None:
    assert plain_number(raw) == shown


def test_the_first_visible_sheet_with_content_is_read() -> None:
    book = Workbook()
    hidden = book.active
    hidden.sheet_state = "hidden"
    hidden.append(["X"])
    book.create_sheet("Empty")
    for row in (["A", "B"], [], ["1", None], [None, "2"]):
        (book["Suppliers"] if "Suppliers" in book else book.create_sheet("Suppliers")).append(row)
    out = io.BytesIO()
    book.save(out)
    reader, rows = rows_of(out.getvalue())
    assert reader.sheet == "Suppliers" and reader.columns == ("A", "B")
    assert [(row.number, row.line, row.values) for row in rows] == [
        (1, 3, {"A": "1", "B": ""}),
        (2, 4, {"A": "", "B": "2"}),
    ]


def test_rows_of_a_workbook_that_are_put_aside() -> None:
    body = (
        HEAD
        + '<row r="2"><c r="A2" t="e"><v>#REF!</v></c></row>'
        + '<row r="3"><c r="C3"><v>7</v></c></row>'
        + f'<row r="4"><c r="A4" t="inlineStr"><is><t>{"x" * 40_000}</t></is></c></row>'
        + '<row r="5"><c r="A5" t="s"><v>99</v></c></row>'
        + '<row r="6"><c><v>1</v></c><c><v>2</v></c></row>'
    )
    _, rows = rows_of(sheet(body))
    codes = [row.problem and row.problem.code for row in rows]
    assert codes == ["cell_error", "too_many_columns", "cell_too_long", "cell_error", None]
    assert rows[4].values == {"A": "1", "B": "2"} and len(rows[2].values["A"]) < 3_000


def test_rows_are_not_taken_at_their_word() -> None:
    far = '<row r="99999999999"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="A1"><v>2</v></c></row>'
    _, rows = rows_of(sheet(HEAD + far + '<row r="3"><c r="XFDZZ9"><v>3</v></c></row>'))
    assert [row.line for row in rows] == [2, 1_048_576, 1_048_577]
    assert rows[2].problem.code == "too_many_columns"


def test_a_cell_of_a_hundred_megabytes_is_never_kept_whole() -> None:
    body = HEAD + f'<row r="2"><c r="A2" t="inlineStr"><is><t>{"x" * 60_000_000}</t></is></c></row>'
    content = sheet(body)
    del body
    tracemalloc.start()
    try:
        _, rows = rows_of(content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows[0].problem.code == "cell_too_long" and peak < 8 * 1024 * 1024


def test_shared_texts_stay_out_of_memory() -> None:
    book = Workbook(write_only=True)
    page = book.create_sheet()
    page.append(["Key", "Name"])
    for number in range(12_000):
        page.append([str(number), f"Name of number {number} " * 10])
    out = io.BytesIO()
    book.save(out)
    out.seek(0)
    tracemalloc.start()
    try:
        with read(out) as reader:
            count = sum(1 for row in reader if row.values["Name"].startswith(f"Name of number {row.values['Key']} "))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 12_000 and peak < 22 * 1024 * 1024  # two spools may keep 8 MiB each before they use the disk


def bomb(size: int) -> bytes:
    """A valid workbook of some kilobytes whose sheet unpacks to `size` bytes."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["A"]]))) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            if info.filename != SHEET:
                target.writestr(info.filename, source.read(info.filename))
        with target.open(SHEET, "w") as part:
            for _ in range(size // 1_000_000):
                part.write(b" " * 1_000_000)
    return out.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    content = bomb(100_000_000)
    assert len(content) < 200_000
    tracemalloc.start()
    try:
        assert refused(content) == (TooLarge, "unpacks_too_large")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


def test_too_many_parts_and_overlapping_parts_and_archives_inside() -> None:
    content = workbook([["A"], ["1"]])
    assert refused(content, Limits(parts=3)) == (TooLarge, "unpacks_too_large")
    assert refused(with_part(content, "xl/inner.zip", b"PK")) == (CorrectInput, "unsafe_workbook")
    assert rows_of(with_part(content, "xl/embeddings/book.xlsx", b"PK"))[1]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        first, second = sorted(archive.infolist(), key=lambda info: info.header_offset)[:2]
    moved = bytearray(content)  # the table of contents says the second part begins inside the first
    at = moved.rfind(second.filename.encode()) - 46 + 42
    moved[at : at + 4] = struct.pack("<L", first.header_offset + 1)
    assert refused(bytes(moved))[0] is CorrectInput


def test_a_table_of_contents_that_would_fill_the_memory() -> None:
    content = bytearray(workbook([["A"], ["1"]]))
    at = content.rfind(b"PK\x05\x06") + 12
    content[at : at + 4] = struct.pack("<L", 2**31)
    assert refused(bytes(content)) == (TooLarge, "unpacks_too_large")


@pytest.mark.parametrize(
    "name", [SHEET, "xl/workbook.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels", "_rels/.rels"]
)
def test_entities_are_refused_in_every_part(name: str) -> None:
    content = with_part(workbook([["A"], ["1"]]), name, f"{DOCTYPE}<x>&b;</x>".encode())
    assert refused(content) == (CorrectInput, "unsafe_workbook")


def test_xml_without_end() -> None:
    assert refused(sheet("<a>" * 200))[1] == "unsafe_workbook"
    assert refused(sheet(f'<row r="{"1" * 20_000_000}"/>'))[1] == "unsafe_workbook"
    assert refused(sheet("<row><c>"))[1] == "damaged_workbook"


def test_archives_that_are_no_workbook() -> None:
    content = workbook([["A"], ["1"]])
    assert refused(content[:-30])[1] == "damaged_workbook"
    assert refused(content[: len(content) // 2])[1] == "damaged_workbook"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    assert refused(out.getvalue())[1] == "not_a_workbook"
    assert refused(with_part(content, "xl/workbook.bin", b"x"))[1] == "excel_binary"
    assert refused(workbook([]))[1] == "no_headings"
    assert refused(workbook([["A", "B", "A"], ["1", "2", "3"]]))[1] == "duplicate_column"


def test_every_byte_may_be_wrong() -> None:
    """A damaged file is refused in our words or read; it never ends in an error nobody foresaw."""
    content = workbook([["A", "B"], ["1", "x"], ["2", "y"]])
    for place in range(0, len(content), 41):
        try:
            rows_of(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        except HubError:
            pass
