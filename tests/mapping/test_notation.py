"""How expressions are written in a cell: what is written reads back, what cannot be read says what to write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.mapping import Between, Equals, In, Like, MappingError
from mdm.mapping.notation import HOW, read, write

code = st.text(alphabet="4A.,*?\\- ", min_size=1, max_size=6).filter(lambda text: text == text.strip())


lists = st.builds(lambda codes: In(tuple(codes)), st.sets(code, min_size=2, max_size=4))


@given(st.one_of(st.builds(Equals, code), st.builds(Between, code, code), lists))
def test_what_is_written_reads_back(expression):
    kind = {Equals: "explicit", Between: "between", In: "in"}[type(expression)]
    assert read(write(expression)) == read(write(expression), kind) == expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 400000 ", Equals("400000")),
        ("400000..499999", Between("400000", "499999")),
        ("400000 .. 499999", Between("400000", "499999")),
        ("B, A,B", In(("A", "B"))),
        ("40*", Like("40*")),
        ("a\\,b", Equals("a,b")),
        ("1.5", Equals("1.5")),
    ],
)
def test_reading(text, expected):
    assert read(text) == expected


def test_a_list_of_one_is_a_list_when_one_is_asked_for():
    assert read("A", "in") == In(("A",))


@pytest.mark.parametrize("kind", HOW)
def test_what_is_not_of_its_kind_says_how_to_write_it(kind):
    wrong = "40*" if kind == "explicit" else "400000" if kind != "in" else "1..2"
    with pytest.raises(MappingError) as caught:
        read(wrong, kind)
    assert str(caught.value) == f"“{wrong}” is not written as {kind}; write {HOW[kind]}."


@pytest.mark.parametrize("text", ["", " ", "..", "1..", "1..2..3", "1, 2..3", ",", "4**"])
def test_refused(text):
    with pytest.raises(MappingError):
        read(text)
