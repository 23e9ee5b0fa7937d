"""The mapping as the document says it, without an index: all rows are read and sorted. And rows drawn at random."""

from __future__ import annotations

import itertools
import re
import uuid
from datetime import date, timedelta

from hypothesis import strategies as st

from mdm.mapping import Between, Equals, In, Like, Row, when

CHARACTERS = "01A"
CODES = ["".join(p) for n in (1, 2, 3) for p in itertools.product(CHARACTERS, repeat=n)]
ENTITIES, UNITS = ["E1", "E2", "E3"], ["10", "11", "12", "1A"]
FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(-1, 6)]
DIMENSION = "account"


def matches(source, code: str) -> bool:
    if source is None:
        return True
    if isinstance(source, Equals):
        return code == source.code
    if isinstance(source, In):
        return code in source.codes
    if isinstance(source, Like):
        pattern = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in source.pattern)
        return re.fullmatch(pattern, code) is not None
    low, high = source.first, source.last
    if re.sub("[0-9]", "0", low) == re.sub("[0-9]", "0", high):
        alike = re.sub("[0-9]", "0", code) == re.sub("[0-9]", "0", low)
        return alike and int(digits(low)) <= int(digits(code)) <= int(digits(high))
    return low <= code <= high


def digits(code: str) -> str:
    return re.sub("[^0-9]", "", code) or "0"


def rank(row: Row):
    """Rules 1 to 4 of docs/mapping.md."""
    kind = ["explicit", "between", "in", "multi", "like"].index(row.kind)
    source, narrow = row.source, ()
    if isinstance(source, Between):
        if re.sub("[0-9]", "0", source.first) == re.sub("[0-9]", "0", source.last):
            narrow = (0, int(digits(source.last)) - int(digits(source.first)))
        else:
            narrow = (1, place(source.last) - place(source.first))
    elif isinstance(source, In):
        narrow = (len(set(source.codes)),)
    elif isinstance(source, Like):
        stars, ones = source.pattern.count("*"), source.pattern.count("?")
        narrow = (-(len(source.pattern) - stars - ones), stars, -ones)
    return (kind, -len(row.conditions), narrow, row.order, str(row.uid))


def place(code: str) -> int:
    number = 0
    for character in code.ljust(8, "\0"):
        number = number * 0x110000 + ord(character)
    return number


def applies(row: Row, code: str, context: dict[str, str], on: date) -> bool:
    seen = {**context, DIMENSION: code}
    return (
        row.active
        and (row.valid_from is None or row.valid_from <= on)
        and (row.valid_to is None or on < row.valid_to)
        and matches(row.source, code)
        and all(d in seen and matches(test, seen[d]) for d, test in row.conditions)
    )


def winner(rows: list[Row], code: str, context: dict[str, str], on: date) -> Row | None:
    return min((row for row in rows if applies(row, code, context, on)), key=rank, default=None)


def contexts() -> list[dict[str, str]]:
    entities = [{}, *({"entity": code} for code in ENTITIES)]
    units = [{}, *({"unit": code} for code in UNITS)]
    return [one | other for one in entities for other in units]


def expressions(codes: list[str], characters: str):
    code = st.sampled_from(codes)
    patterns = st.text(alphabet=characters + "*?", min_size=1, max_size=4).filter(
        lambda text: ("*" in text or "?" in text) and "**" not in text
    )
    return st.one_of(
        st.builds(Equals, code),
        st.builds(lambda a, b: Between(min(a, b), max(a, b)), code, code),
        st.builds(Between, code, code),
        st.builds(lambda found: In(tuple(found)), st.lists(code, min_size=1, max_size=3)),
        st.builds(Like, patterns),
    )


def conditions():
    return st.fixed_dictionaries(
        {},
        optional={
            "entity": expressions(ENTITIES, "E12"),
            "unit": expressions(UNITS, "1A0"),
            DIMENSION: expressions(CODES, CHARACTERS),
        },
    ).map(when)


# Made once: a strategy that is made for each row is also looked through for each.
_SOURCES = st.one_of(st.none(), expressions(CODES, CHARACTERS), expressions(CODES, CHARACTERS))
_CONDITIONS = conditions()
_TARGETS = st.sampled_from(["T1", "T2", "T-*"])
_FROM = st.one_of(st.none(), st.sampled_from(DAYS))
_TO = st.one_of(st.none(), st.none(), st.sampled_from(DAYS))
_ACTIVE = st.sampled_from([True, True, True, False])
_EITHER, _ORDERS = st.booleans(), st.integers(0, 1)


@st.composite
def some_rows(draw, most: int = 10) -> list[Row]:
    made = []
    numbers = draw(st.lists(st.integers(1, 10_000), min_size=0, max_size=most, unique=True))
    for number in numbers:
        source = draw(_SOURCES)
        tests = draw(_CONDITIONS) if source is None or draw(_EITHER) else ()
        if source is None and not tests:
            source = Like("*")
        made.append(
            Row(
                uid=uuid.UUID(int=number),
                source=source,
                target=draw(_TARGETS) if not isinstance(source, Like) else "T3",
                conditions=tests,
                flip=draw(_EITHER),
                valid_from=draw(_FROM),
                valid_to=draw(_TO),
                order=draw(_ORDERS),
                active=draw(_ACTIVE),
            )
        )
    return made
