"""CSV as it comes: every encoding and delimiter, broken rows that cost only themselves, memory that stays
flat.
"""

from __future__ import annotations

import codecs
import io
import time
import tracemalloc
from itertools import islice

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mdm.errors import CorrectInput, TooLarge
from mdm.reading.cells import guard, unguard
from mdm.reading.rows import Limits
from mdm.reading.tables import read
from tests.mdm.reading.streams import Generated, Trickle, csv_text, rows_of

# what is written before the text, how it is encoded, and what the reader calls it
ENCODINGS = {
    "utf-8": (b"", "utf-8"),
    "utf-8-sig": (codecs.BOM_UTF8, "utf-8"),
    "utf-16-le": (b"", "utf-16-le"),
    "utf-16-be": (b"", "utf-16-be"),
    "utf-16-le with BOM": (codecs.BOM_UTF16_LE, "utf-16-le"),
    "utf-16-be with BOM": (codecs.BOM_UTF16_BE, "utf-16-be"),
    "cp1252": (b"", "cp1252"),
}
HEADINGS = ["Key", "Name", "Größe"]
wide = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
latin = st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]) | st.sampled_from("\r\n\t"), max_size=30)


def encode(text: str, encoding: str) -> bytes:
    bom, codec = ENCODINGS[encoding]
    return bom + text.encode(codec)


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_text_survives(encoding: str, delimiter: str, data: st.DataObject) -> None:
    text = latin if encoding == "cp1252" else wide
    cells = data.draw(st.lists(st.lists(text, min_size=2, max_size=2), min_size=1, max_size=8))
    # a bare table of control characters is a binary file to any eye: enough words stand around them here
    rows = [["k" * 400, *(guard(cell) for cell in row)] for row in cells]
    content = csv_text([HEADINGS, *rows], delimiter)
    assume(sum(char < " " and char not in "\t\r\n\x0b\x0c\x1b" for char in content) * 300 < len(content))
    reader, found = rows_of(encode(content, encoding))
    assert (reader.delimiter, reader.encoding) == (delimiter, encoding.removesuffix(" with BOM"))
    assert [[row.values[name] for name in HEADINGS[1:]] for row in found] == cells
    assert not any(row.problem for row in found)


@given(text=wide, most=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_pieces_of_any_size_give_the_same(text: str, most: int) -> None:
    assume(sum(char < " " or char == "\x7f" for char in text) < 2)
    content = csv_text([HEADINGS, ["a", text, "b"], ["c", "d", text]]).encode()
    with read(Trickle(content, most)) as reader:
        assert [list(row.values.values()) for row in reader] == [
            ["a", unguard(text), "b"],
            ["c", "d", unguard(text)],
        ]


@given(wide)
def test_the_guard_against_formulas_comes_off_again(text: str) -> None:
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end(end: str) -> None:
    _, rows = rows_of(f'A;B{end}1;"x{end}y"{end}{end}2;z{end}'.encode())
    assert [row.values for row in rows] == [{"A": "1", "B": f"x{end}y"}, {"A": "2", "B": "z"}]
    assert [(row.number, row.line) for row in rows] == [(1, 2), (2, 5)]


def test_characters_that_are_line_ends_elsewhere_stay_in_their_cell() -> None:
    _, rows = rows_of("A;B\n1;x\u2028y\x85z\x0bw\n".encode())
    assert rows[0].values["B"] == "x\u2028y\x85z\x0bw"


def test_latin_letters_that_come_late_decide_the_encoding() -> None:
    start = b"Key;Name\n" + b"1;plain\n" * 20_000
    reader, rows = rows_of(start + "2;Müller".encode("cp1252"))
    assert (reader.encoding, rows[-1].values["Name"]) == ("cp1252", "Müller")
    reader, rows = rows_of(start + "2;Müller".encode())
    assert (reader.encoding, rows[-1].values["Name"]) == ("utf-8", "Müller")


@pytest.mark.parametrize("shift", range(4))
def test_a_letter_cut_in_two_by_the_piece_decides_nothing_wrongly(shift: int) -> None:
    head = b"Key;Name\n" + b"1;" + b"x" * (64 * 1024 - 13 + shift)
    reader, rows = rows_of(head + "é€😀\n2;ü\n".encode())
    assert reader.encoding == "utf-8"
    assert rows[0].values["Name"].endswith("é€😀") or rows[0].problem.code == "cell_too_long"
    assert rows[1].values["Name"] == "ü"


def test_bytes_that_are_no_text_cost_their_row() -> None:
    good = "".join(f"{n};Ünïcödé\n" for n in range(20)).encode()
    reader, rows = rows_of(b"Key;Name\n" + good + b"bad;M\xfcller\n" + good)
    assert reader.encoding == "utf-8"
    (bad,) = [row for row in rows if row.problem]
    assert bad.problem.code == "bad_encoding" and bad.values == {"Key": "bad", "Name": "M\ufffdller"}
    assert bad.number == 21 and "\ufffd" in bad.raw


def test_the_delimiter_named_by_the_file() -> None:
    reader, rows = rows_of(b"sep=,\r\nKey,Name;x\r\n1,a;b\r\n")
    assert reader.delimiter == "," and rows[0].values == {"Key": "1", "Name;x": "a;b"}


def test_commas_within_headings_do_not_make_the_delimiter() -> None:
    reader, _ = rows_of(b"Name, first;City;Country\nAnna, B;Bern;CH\nC;Wien;AT\n")
    assert reader.delimiter == ";"


def test_rows_of_the_wrong_width_are_told_and_kept() -> None:
    _, rows = rows_of(b"A;B;C\n1;2\n1;2;3;4\n1;2;3;\n1;2;3\n")
    assert [row.problem and row.problem.code for row in rows] == [
        "too_few_columns",
        "too_many_columns",
        "too_many_columns",
        None,
    ]
    assert rows[0].values == {"A": "1", "B": "2"} and rows[0].raw == "1;2"
    assert rows[1].values == {"A": "1", "B": "2", "C": "3", "(column 4)": "4"}


def test_empty_ends_are_no_columns_when_the_headings_have_them_too() -> None:
    reader, rows = rows_of(b"A;B;;\n1;2;;\n3;4\n5;6;7;\n")
    assert reader.columns == ("A", "B")
    assert [row.problem and row.problem.code for row in rows] == [None, None, "too_many_columns"]


def test_empty_rows_are_counted_not_given() -> None:
    reader, rows = rows_of(b"\n\nA;B\n\n1;2\n ; \n;\n3;4\n\n")
    assert [row.number for row in rows] == [1, 2] and reader.skipped == 4


def test_an_open_quotation_mark_costs_its_row_only() -> None:
    _, rows = rows_of(b'A;B\n1;"open\n2;two\n3;"fine ""quoted"""\n4;12" pipe\n5;"a"b\n6;"x" \n')
    assert [row.problem and row.problem.code for row in rows] == [
        "bad_quotes",
        None,
        None,
        None,
        "bad_quotes",
        None,
    ]
    assert rows[0].raw == '1;"open'
    assert [row.values.get("B") for row in rows[1:4]] == ["two", 'fine "quoted"', '12" pipe']


def test_many_open_quotation_marks_stay_quick() -> None:
    content = b"A;B\n" + b'1;"open\n' * 30_000
    started = time.monotonic()
    _, rows = rows_of(content)
    assert len(rows) == 30_000 and all(row.problem.code == "bad_quotes" for row in rows)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("cell", ["x" * 10_000_000, '"' + "line of text\n" * 750_000 + '"'], ids=["plain", "quoted"])
def test_ten_megabytes_in_one_cell(cell: str) -> None:
    content = f"A;B;C\n1;x;y\n2;{cell};y\n3;x;y\n".encode()
    tracemalloc.start()
    try:
        with read(io.BytesIO(content)) as reader:
            rows = [(row.problem and row.problem.code, len(row.raw), row.values) for row in reader]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    codes = [code for code, _, _ in rows]
    assert codes == [None, "cell_too_long", None]
    assert max(size for _, size, _ in rows) < 70_000 and peak < 100 * 1024 * 1024
    assert rows[1][2]["A"] == "2" and rows[1][2]["C"] == "y"
    assert len(rows[1][2]["B"]) < 3_000 and rows[1][2]["B"].endswith("…[cut here]")


def test_a_row_beyond_every_limit_is_never_kept_whole() -> None:
    pieces = (piece for piece in [b"A;B\n1;x\n2;", *[b"x" * 65_536] * 800, b";y\n3;x\n"])
    tracemalloc.start()
    try:
        with read(Generated(pieces), limits=Limits(row=1024 * 1024)) as reader:
            codes = [row.problem and row.problem.code for row in reader]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert codes == [None, "cell_too_long", None] and peak < 8 * 1024 * 1024


def test_memory_does_not_grow_with_the_file() -> None:
    def pieces():
        yield b"Key;Name;City\n"
        for number in range(0, 200_000, 100):
            yield b"".join(b'%d;"Name of number %d";Berlin\n' % (n, n) for n in range(number, number + 100))

    with read(Generated(pieces())) as reader:
        count = sum(1 for row in islice(reader, 150_000) if not row.problem)
        tracemalloc.start()  # makes reading slow; what keeps rows would keep the last quarter too
        try:
            count += sum(1 for row in reader if not row.problem)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert count == 200_000 and peak < 1024 * 1024


def test_a_file_over_the_limit_is_refused_while_reading() -> None:
    with (
        pytest.raises(TooLarge) as refused,
        read(io.BytesIO(b"A;B\n" + b"1;2\n" * 50_000), limits=Limits(file=100_000)) as reader,
    ):
        list(reader)
    assert refused.value.problems[0].code == "file_too_large"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"A;B;A\n1;2;3\n", "duplicate_column"),
        (b"A;B\n", "no_rows"),
        (b"A;B\n\n;\n", "no_rows"),
        (b"\n\n\n", "empty_file"),
        (b"x" * 300 + b";B\n1;2\n", "heading_too_long"),
        (b";".join(b"%d" % n for n in range(1001)) + b"\n1\n", "too_many_columns"),
        (b'A;"B\n1;2\n', "unreadable_headings"),
    ],
)
def test_tables_that_are_refused_whole(content: bytes, code: str) -> None:
    with pytest.raises(CorrectInput) as refused:
        rows_of(content)
    assert refused.value.problems[0].code == code
