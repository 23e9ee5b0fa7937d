"""Value maps written as every mapping is: which row wins, the way back, and that what is on file keeps its meaning."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from mdm.errors import CorrectInput
from sync import transforms, value_maps
from sync.errors import Unmapped
from sync.models import MappingVersion, Target
from sync.payloads import renderer
from sync.selectors import mapping_views
from sync.selectors.mapping_views import DROP, row_value
from sync.services import exceptions, mappings
from sync.transforms import Scope
from sync.value_maps import NONE, Default
from tests.api.callers import caller
from tests.people import actor
from tests.sync import world

TERMS = "countries"
TABLE = {
    "NET30": "Z030",
    "NET*": "ZNET",
    "NET10..NET19": "Z010",
    "CASH, DUE": "Z000",
    r"A\,B": "comma",
    "?": "one",
}


@pytest.mark.parametrize(
    ("value", "theirs"),
    [
        ("NET30", "Z030"),  # one value before a pattern
        ("NET15", "Z010"),  # a range before a pattern
        ("NET99", "ZNET"),
        ("DUE", "Z000"),
        ("A,B", "comma"),
        ("A", "one"),
        ("NET*", "ZNET"),  # a value that looks like a pattern is a value
        ("due", NONE),
        ("NET1", "ZNET"),  # another shape than the ends of the range
    ],
)
def test_the_engines_precedence(value: str, theirs: Any):
    assert value_maps.find(TABLE, value) is theirs or value_maps.find(TABLE, value) == theirs


def test_a_row_for_one_value_asks_no_engine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(value_maps, "_compiled", lambda keys: pytest.fail("not needed"))
    assert value_maps.find(TABLE, "NET30") == "Z030"
    assert value_maps.find({"A": "1", "B": "2"}, "C") is NONE


def lookup(value: Any, table: dict[str, Any], back: bool = False, current: Any = None) -> Any:
    scope = Scope({"terms": table}, "payment_terms", current)
    steps = (("lookup", "terms"),)
    return transforms.reverse(steps, value, scope) if back else transforms.apply(steps, value, scope)


def test_the_way_back_uses_rows_that_name_one_value():
    assert lookup("Z030", TABLE, back=True) == "NET30"
    assert lookup("comma", TABLE, back=True) == "A,B"
    for unknown in ("Z010", "ZNET", "Z000"):
        with pytest.raises(Unmapped):
            lookup(unknown, TABLE, back=True)


def test_what_we_hold_stays_when_it_leads_there():
    assert lookup("ZNET", TABLE, back=True, current="NET77") == "NET77"
    assert lookup("Z030", TABLE, back=True, current="NET77") == "NET30"


def test_a_marked_row_is_meant_before_the_first():
    plain = {"NET30": "Z", "30D": "Z"}
    assert lookup("Z", plain, back=True) == "NET30"
    assert lookup("Z", {**plain, "30D": Default("Z")}, back=True) == "30D"
    assert lookup("Z", {**plain, "30D": Default("Z")}, back=True, current="NET30") == "NET30"


def test_findings_are_those_of_the_engine():
    assert value_maps.findings({"A": "1", "B": "2"}) == []
    found = {(one.ours, one.severity) for one in value_maps.findings({"A": "1", "A, A": "2", "B, C": "3", "C, D": "4"})}
    assert ("A, A", "error") in found and ("C, D", "warning") in found
    assert (
        value_maps.findings({"Z*": "1", "": None, " A ": "x"}) == []
    )  # what cannot be read means itself, and harms nobody


@pytest.fixture
def target(db: None) -> Target:
    world.allow_everything()
    return world.target("coupa", "http://127.0.0.1:9")


@pytest.fixture
def by(db: None):
    return actor("mara", "steward")


def test_rows_are_checked_kept_and_versioned(target, by):
    mappings.change(
        target, {(TERMS, "NET*"): "N", (TERMS, "NET30"): row_value("30", True), (TERMS, "30D"): "30"}, by=by
    )
    table = renderer(target, "supplier").values[TERMS]
    assert value_maps.find(table, "NET77") == "N" and isinstance(table["NET30"], Default)
    before = mapping_views.state_of(target)
    for wrong, code in (
        ({"A..B..C": "1"}, "unreadable"), ({"X*": row_value("9", True)}, "default_of_many"),
        ({"30D": row_value("30", True)}, "default_twice"), ({"Y": {"theirs": "1", "more": 2}}, "empty"),
        ({"x" * 601: "1"}, "too_long"),
    ):  # fmt: skip
        with pytest.raises(CorrectInput) as refused:
            mappings.change(target, {(TERMS, ours): value for ours, value in wrong.items()}, by=by)
        assert [problem.code for problem in refused.value.problems] == [code]
    assert mapping_views.state_of(target) == before and MappingVersion.objects.count() == 1
    mappings.change(target, {(TERMS, "NET30"): "30", (TERMS, "NET*"): DROP}, by=by)
    assert mapping_views.state_at(target, 1) == before
    mappings.revert(target, number=1, by=by)
    assert mapping_views.state_of(target) == before


def test_a_mark_sends_nothing_anew(target, by):
    mappings.change(target, {(TERMS, "NET30"): "30"}, by=by)
    version = renderer(target, "supplier").version
    mappings.change(target, {(TERMS, "NET30"): row_value("30", True)}, by=by)
    assert renderer(target, "supplier").version == version


def test_a_file_comes_back_as_it_went(target, by):
    mappings.change(target, {(TERMS, "NET*"): "N", (TERMS, r"A\,B"): row_value("ab", True)}, by=by)
    text = mapping_views.to_file(target)
    assert mapping_views.from_file(target, text) == mapping_views.state_of(target)
    with pytest.raises(CorrectInput, match="format 3"):
        mapping_views.from_file(target, text.replace("format: 2", "format: 3"))


def test_an_older_file_keeps_its_meaning(target, by):
    """In it a name was one value, whatever characters it had."""
    text = "connector: coupa\nvalues:\n  countries:\n    '2% 10, NET 30': A\n    'N*': B\n    NET30: C\n"
    mappings.change(target, mappings.whole(target, mapping_views.from_file(target, text)), by=by)
    table = renderer(target, "supplier").values[TERMS]
    assert [value_maps.find(table, value) for value in ("2% 10, NET 30", "N*", "NET30")] == ["A", "B", "C"]
    assert value_maps.find(table, "NX") is NONE and value_maps.find(table, "NET 30") is NONE


def test_a_missing_value_gets_a_row_for_itself_alone(target, by):
    row, _ = exceptions.map_value(target, table=TERMS, ours="2%, NET*", theirs="X", by=by)
    assert row.ours == r"2%\, NET\*"
    table = renderer(target, "supplier").values[TERMS]
    assert value_maps.find(table, "2%, NET*") == "X" and value_maps.find(table, "NETX") is NONE


def test_the_page_and_the_api_say_how_it_reads(target, client):
    mara = caller("steward")
    client.force_login(mara.user)
    url = reverse("sync:mapping-values", args=[target.code])
    assert client.post(url, {"table": TERMS, "ours": "NET30", "theirs": "30", "default": "1"}).status_code == 302
    assert client.post(url, {"table": TERMS, "ours": "NET30, NET40", "theirs": "X"}).status_code == 302
    shown = client.get(url).content.decode()
    assert "Read back" in shown and "NET30, NET40: in NET30, NET40 loses NET30 to explicit NET30" in shown
    refused = client.post(url, {"table": TERMS, "ours": "A..B..C", "theirs": "kept"})
    text = refused.content.decode()
    assert refused.status_code == 422 and "names 3 ends" in text
    assert 'value="A..B..C"' in text and 'value="kept"' in text and 'class="error-summary"' in text
    empty = client.post(url, {"table": TERMS, "ours": "NET9", "theirs": " "}).content.decode()
    assert f'id="theirs-{TERMS}-error"' in empty and 'value="NET9"' in empty
    body = mara.read(f"targets/{target.code}/value-maps/").json()
    found = next(one for one in body["maps"] if one["map"] == TERMS)
    assert {"ours": "NET30", "theirs": "30", "default": True, "own": True} in found["rows"]
    assert [one["severity"] for one in found["findings"]] == ["note"]
    rows = [
        {"map": TERMS, "ours": "T1..T9", "theirs": "T"},
        {"map": TERMS, "ours": "T0", "theirs": "T", "default": True},
    ]
    assert mara.post_json(f"targets/{target.code}/value-maps/", {"rows": rows}).status_code == 200
    wrong = mara.post_json(
        f"targets/{target.code}/value-maps/", {"rows": [{"map": TERMS, "ours": "A..", "theirs": "T"}]}
    )
    assert wrong.status_code == 400 and wrong.json()["errors"][0]["code"] == "unreadable"


def test_a_long_map_lies_closed(target, by, client):
    mappings.change(target, {(TERMS, f"V{place:02}"): f"T{place}" for place in range(30)}, by=by)
    client.force_login(by.user)
    shown = client.get(reverse("sync:mapping-values", args=[target.code])).content.decode()
    assert '<details class="diff-fold">' in shown and "rows</summary>" in shown
