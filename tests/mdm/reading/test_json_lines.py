"""JSON lines: flattened to columns, or documents as they are; a broken line costs itself."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm.errors import CorrectInput
from mdm.reading.json_lines import read_row
from mdm.reading.rows import Limits
from mdm.reading.tables import read_documents
from tests.mdm.reading.streams import rows_of

GOOD = b'{"k": "1"}\n'


def code_of(line: bytes, limits: Limits | None = None) -> str | None:
    _, rows = rows_of(GOOD + line + b"\n" + GOOD, limits)
    assert len(rows) == 3 and not rows[0].problem and not rows[2].problem
    assert not rows[1].problem or rows[1].raw
    return rows[1].problem.code if rows[1].problem else None


def test_nested_names_are_joined_by_dots() -> None:
    line = '{"k":"1","Bank":{"No":"DE89","Days":3e1},"n":1.10,"l":["a",{"b":true}],"z":null'
    _, rows = rows_of((line + ',"big":12345678901234567890}').encode())
    assert rows[0].values == {
        "k": "1",
        "Bank.No": "DE89",
        "Bank.Days": "3e1",
        "n": "1.10",
        "l.0": "a",
        "l.1.b": "true",
        "z": "",
        "big": "12345678901234567890",
    }


def test_columns_are_those_of_the_first_rows_and_empty_lines_are_counted() -> None:
    reader, rows = rows_of(b'{"a": 1}\n\n{"b": 2, "a": 3}\r\n  \n{"c": 1')
    assert reader.columns == ("a", "b") and reader.skipped == 2
    assert [(row.number, row.line) for row in rows] == [(1, 1), (2, 3), (3, 5)]
    assert rows[2].problem.code == "bad_json" and rows[2].raw == '{"c": 1'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(
        st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="."), max_size=8),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
            max_size=4,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_survives(encoding: str, values: list[dict[str, str]]) -> None:
    lines = [json.dumps({"key": "k", **value}, ensure_ascii=False).replace("\x7f", "\\u007f") for value in values]
    _, rows = rows_of("\n".join(lines).encode(encoding))
    assert [row.values for row in rows] == [{"key": "k", **value} for value in values]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"k": ', "bad_json"),
        (b"42", "bad_json"),
        (b'["k"]', "bad_json"),
        (b'{"k": "1", "k": "2"}', "bad_json"),
        (b'{"a": {"b": 1}, "a.b": 2}', "bad_json"),
        (b'{"k": NaN}', "bad_json"),
        (b'{"k": "\\ud800"}', "bad_json"),
        (b'{"k": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "bad_json"),
        (b'{"k":' * 30 + b"1" + b"}" * 30, "bad_json"),
        (b'{"k": "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9 \xff"}', "bad_encoding"),
        (b'{"k": "' + b"x" * 40_000 + b'"}', "cell_too_long"),
        (b'{"k": "' + b"x" * 10_000_000 + b'"}', "cell_too_long"),
        (json.dumps({str(n): n for n in range(1001)}).encode(), "too_many_columns"),
        (b'{"k": ' + b"9" * 10_000 + b"}", None),
    ],
)
def test_bad_lines(line: bytes, code: str | None) -> None:
    assert code_of(line) == code


def test_a_line_longer_than_every_limit() -> None:
    assert code_of(b'{"k": "' + b"x" * 3_000_000 + b'"}', Limits(row=1_000_000)) == "cell_too_long"


def test_a_corrected_line_is_read_by_itself() -> None:
    row = read_row('{"k": "1", "b": {"c": 2}}', Limits())
    assert not row.problem and row.values == {"k": "1", "b.c": "2"}


def test_documents_stay_nested() -> None:
    document: dict[str, Any] = {"key": "1", "places": [{"city": "Kiel", "n": 3}], "on": True}
    lines = json.dumps(document).encode() + b"\n{broken\n"
    good, bad = read_documents(io.BytesIO(lines))
    assert good.document == document and not good.problem
    assert bad.problem.code == "bad_json" and bad.raw == "{broken" and bad.number == 2
    with pytest.raises(CorrectInput):
        read_documents(io.BytesIO(b"A;B\n1;2\n"))
