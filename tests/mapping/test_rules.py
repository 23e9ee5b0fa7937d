"""The numbered rules of docs/mapping.md, one test each."""

from __future__ import annotations

import re
import uuid
from datetime import date

import pytest

from mdm.mapping import Between, Equals, In, Like, MappingError, Row, compile, when
from tests.database import ROOT

DAY = date(2026, 1, 31)
_UIDS = iter(range(1, 10_000))


def row(source, target: str = "T", *, entity: str = "", **more) -> Row:
    if entity:
        more["conditions"] = when({"entity": Equals(entity)})
    return Row(more.pop("uid", uuid.UUID(int=next(_UIDS))), source, target, **more)


def target(code: str, *rows: Row, on: date = DAY, dimension: str = "", **context: str) -> str | None:
    """Whatever the order in which the rows come."""
    found = {compile(order, dimension).resolve(code, context, on).target for order in (rows, rows[::-1])}
    assert len(found) == 1
    return found.pop()


def test_every_rule_has_its_test():
    written = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "mapping.md").read_text(), re.MULTILINE)
    tested = [found[1] for name in globals() if (found := re.match(r"test_rule_(\d+)_", name))]
    assert written == tested == [str(n + 1) for n in range(20)]


def test_rule_1_kinds():
    rows = [
        row(Equals("400100"), "explicit"),
        row(Between("400000", "499999"), "between"),
        row(In(("400100", "400200")), "in"),
        row(None, "multi", entity="DE"),
        row(Like("400100*"), "like"),
    ]
    for first, found in enumerate(rows):
        assert target("400100", *rows[first:], entity="DE") == found.target


def test_rule_2_more_conditions_first():
    two = row(Like("4*"), "two", conditions=when({"entity": Equals("DE"), "unit": Like("1*")}))
    assert target("4000", row(Like("400*"), "one", entity="DE"), two, entity="DE", unit="10") == "two"
    assert target("4000", row(Equals("4000"), "none"), row(Equals("4000"), "one", entity="DE"), entity="DE") == "one"


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (Between("400000", "499999"), Between("400000", "409999")),
        (In(("400100", "400200", "400300")), In(("400100", "400200"))),
        (Like("40*"), Like("4001*")),
    ],
)
def test_rule_3_the_narrower_first(wide, narrow):
    assert target("400100", row(wide, "wide"), row(narrow, "narrow")) == "narrow"


def test_rule_4_order_then_uid():
    low, high = uuid.UUID(int=5), uuid.UUID(int=6)
    assert target("1", row(Equals("1"), "a", order=2, uid=low), row(Equals("1"), "b", order=1, uid=high)) == "b"
    assert target("1", row(Equals("1"), "a", uid=low), row(Equals("1"), "b", uid=high)) == "a"


def test_rule_5_active_and_valid():
    january = row(Equals("1"), "january", valid_from=date(2026, 1, 1), valid_to=date(2026, 2, 1))
    assert target("1", january, on=date(2025, 12, 31)) is None
    assert target("1", january, on=date(2026, 1, 1)) == target("1", january, on=date(2026, 1, 31)) == "january"
    assert target("1", january, on=date(2026, 2, 1)) is None
    assert target("1", row(Equals("1"), active=False)) is None
    assert target("1", row(Equals("1")), on=date.min) == target("1", row(Equals("1")), on=date.max) == "T"


def test_rule_6_all_conditions():
    both = row(Equals("1"), conditions=when({"entity": Equals("DE"), "unit": Between("10", "19")}))
    assert target("1", both, entity="DE", unit="15", project="P") == "T"
    assert target("1", both, entity="DE", unit="20") is None
    assert target("1", both, entity="DE") is None
    assert target("1", both, entity="DE", unit="") is None


def test_rule_7_the_next_takes_over():
    rows = (
        row(Equals("1"), "later", valid_from=date(2027, 1, 1)),
        row(In(("1",)), "fr", entity="FR"),
        row(Like("*"), "rest"),
    )
    assert target("1", *rows, entity="DE") == "rest"
    assert target("1", *rows, entity="FR") == "fr"
    assert target("1", *rows, entity="FR", on=date(2027, 1, 1)) == "later"


def test_rule_8_exactly_as_written():
    assert target("0400", row(Equals("400"))) is None
    assert target("v1", row(Equals("V1"))) is None


def test_rule_9_both_ends():
    assert {target(code, row(Between("10", "19"))) for code in ("10", "19")} == {"T"}
    assert {target(code, row(Between("10", "19"))) for code in ("09", "20")} == {None}


def test_rule_10_ends_of_one_shape():
    assert {target(code, row(Between("1000", "1999"))) for code in ("150", "15000", "15A0", "01500")} == {None}
    assert target("CC-150", row(Between("CC-100", "CC-199"))) == "T"
    assert {target(code, row(Between("CC-100", "CC-199"))) for code in ("CC-1500", "CC-15", "CD-150")} == {None}


def test_rule_11_texts_between():
    texts = row(Between("A", "Cz"))
    assert {target(code, texts) for code in ("A", "B9", "BERLIN", "C", "Cy")} == {"T"}
    assert {target(code, texts) for code in ("9", "D", "a")} == {None}


def test_rule_12_how_wide_ranges_are():
    shape, texts, narrower = Between("100", "999"), Between("1", "500"), Between("40", "450")
    assert target("444", row(texts, "texts"), row(shape, "shape")) == "shape"
    assert target("444", row(texts, "texts"), row(narrower, "narrower")) == "narrower"


def test_rule_13_patterns():
    assert {target(code, row(Like("4*1?"))) for code in ("410", "4991x", "41111")} == {"T"}
    assert {target(code, row(Like("4*1?"))) for code in ("41", "4100", "x410")} == {None}
    assert target("4*", row(Like("4\\*?"))) is None
    assert target("4*1", row(Like("4\\*?"))) == "T"


def test_rule_14_which_pattern_is_narrower():
    assert target("41", row(Like("4*"), "star"), row(Like("4?"), "one")) == "one"
    assert target("41", row(Like("4*"), "star"), row(Like("4?*"), "longer")) == "longer"


def test_rule_15_multi():
    assert target("anything", row(None, entity="DE"), entity="DE") == "T"
    with pytest.raises(MappingError, match="needs a condition"):
        row(None)


@pytest.mark.parametrize("test", [Equals("15"), Between("10", "19"), In(("15", "25")), Like("1?")])
def test_rule_16_conditions_of_every_kind(test):
    conditioned = row(Like("*"), conditions=when({"unit": test}))
    assert target("1", conditioned, unit="15") == "T"
    assert target("1", conditioned, unit="30") is None


def test_rule_17_conditions_on_the_code_itself():
    itself = row(None, conditions=when({"gl_account": Like("4*"), "entity": Equals("DE")}))
    assert target("400", itself, dimension="gl_account", entity="DE") == "T"
    assert target("500", itself, dimension="gl_account", entity="DE", gl_account="400") is None


def test_rule_18_text_taken_over():
    assert target("401", row(Like("4*"), "8*")) == "801"
    assert target("DE-401-7", row(Like("??-*-?"), "*.?")) == "401.D"
    assert target("401", row(Between("400", "499"), "US_*")) == "US_401"
    assert target("401", row(Equals("401"), "a\\*b")) == "a*b"
    for source, wrong in ((Like("4*"), "*-*"), (Equals("4"), "?"), (Like("4?"), "*")):
        with pytest.raises(MappingError, match="nothing to stand for"):
            row(source, wrong)


def test_rule_19_as_little_as_it_can():
    assert target("a-b-c", row(Like("*-*"), "*/*")) == "a/b-c"


def test_rule_20_sign():
    built = compile([row(Equals("1"), flip=True), row(Equals("2"))])
    assert [found.sign for found in built.resolve_many(["1", "2", "3"], {}, DAY)] == [-1, 1, 1]
