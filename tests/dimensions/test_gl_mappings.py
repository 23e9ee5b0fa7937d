"""GL mappings as records: each text is read as the engine reads it, and refused at the field that has it."""

from __future__ import annotations

from typing import Any

import pytest

from dimensions import demo
from dimensions.models import GLMapping, GLMappingCondition
from mdm.errors import CorrectInput
from mdm.models import ChangeRequest, Event, RecordVersion
from mdm.services import changes
from mdm.services.changes import ProposedItem
from tests.people import SETUP, auto_approve, make

pytestmark = pytest.mark.django_db
ROW = {
    "name": "Raw materials", "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", "source": "400000",
    "target": "5100",
}  # fmt: skip


@pytest.fixture(autouse=True)
def charts() -> None:
    for code in ("GROUP", "LOCAL"):
        make("chart_of_accounts", code=code, name=code.title())


def refused(**values: Any) -> dict[str, str]:
    """{path: message}; a refusal leaves nothing behind."""
    before = GLMapping.objects.count(), ChangeRequest.objects.count(), Event.objects.count()
    with pytest.raises(CorrectInput) as error:
        make("gl_mapping", **{**ROW, **values})
    assert before == (GLMapping.objects.count(), ChangeRequest.objects.count(), Event.objects.count())
    return {problem.path: problem.message for problem in error.value.problems}


def test_a_row_is_a_record_with_its_conditions() -> None:
    conditions = [{"dimension": "tax_code", "codes": "EU-*"}, {"dimension": "legal_entity", "codes": "NH10, NH20"}]
    made = make("gl_mapping", **ROW, conditions=conditions, valid_from="2026-01-01")
    assert made["conditions"][0].keys() == {"uid", "dimension", "codes"}
    assert (made["flip"], made["order"], made["valid_from"], made["valid_to"]) == (False, 0, "2026-01-01", None)
    held = GLMappingCondition.objects.filter(record__uid=made["uid"]).values_list("dimension", "codes")
    assert dict(held) == {"tax_code": "EU-*", "legal_entity": "NH10, NH20"}
    auto_approve("system")
    patch = {"target": "5110", "conditions": [{"uid": made["conditions"][0]["uid"], "_end": True}]}
    item = ProposedItem(type="gl_mapping", uid=made["uid"], patch=patch)
    assert changes.propose(items=[item], by=SETUP, origin="system").state == "applied"
    versions = RecordVersion.objects.filter(uid=made["uid"]).order_by("version")
    assert [v.document["target"] for v in versions] == ["5100", "5110"]
    assert [len(v.document["conditions"]) for v in versions] == [2, 1]


@pytest.mark.parametrize(
    ("kind", "source"),
    [("between", "400000..499999"), ("in", "400000, 400100"), ("in", "400000"), ("like", "40*"), ("explicit", r"A\,B")],
)
def test_every_kind_is_written_in_its_way(kind: str, source: str) -> None:
    assert make("gl_mapping", **{**ROW, "kind": kind, "source": source})["source"] == source


@pytest.mark.parametrize(
    ("values", "path", "words"),
    [
        ({"kind": "between"}, "source", "not written as between; write two codes with two dots"),
        ({"source": "40*"}, "source", "not written as explicit; write one code"),
        ({"source": None}, "source", "This field is needed; write one code: 400000."),
        ({"kind": "between", "source": "500..400"}, "source", "begins with 500 after its end 400"),
        ({"kind": "like", "source": "4**"}, "source", "has two * in a row"),
        ({"kind": "multi", "conditions": [{"dimension": "tax_code", "codes": "A"}]}, "source", "A multi row has no source"),
        ({"kind": "multi", "source": None}, "conditions", "A multi row needs a condition"),
        ({"kind": "like", "source": "40*", "target": "*-*"}, "target", "has a * with nothing to stand for"),
        ({"conditions": [{"dimension": "tax_code", "codes": "A..B, C"}]}, "conditions/0/codes", "mixes a range"),
        ({"conditions": [{"dimension": "tax_code", "codes": "B..A"}]}, "conditions/0/codes", "after its end A"),
        ({"conditions": [{"dimension": "tax_code", "codes": code} for code in "AB"]}, "conditions/1/dimension", "with commas"),
        ({"conditions": [{"dimension": "taxes", "codes": "A"}]}, "conditions/0/dimension", "no dimension “taxes”"),
        ({"source": r"4\00000"}, "source", "write 400000"),
        ({"source": "4" * 201}, "source", "at most 200 characters; this has 201"),
        ({"valid_from": "2026-01-01", "valid_to": "2026-01-01"}, "valid_to", "no day is in this period"),
        ({"target_chart": "NOWHERE"}, "target_chart", "There is no chart of accounts “NOWHERE”."),
        ({"target": " "}, "target", "This field is needed."),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_where_it_stands(values: dict[str, Any], path: str, words: str) -> None:
    found = refused(**values)
    assert list(found) == [path] and words in found[path], found


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = refused(kind="between", conditions=[{"dimension": "tax_code", "codes": "B..A"}], valid_from="2026-02-01",
                    valid_to="2026-01-01")  # fmt: skip
    assert set(found) == {"source", "conditions/0/codes", "valid_to"}


def test_the_demo_loads_twice_and_maps_into_both_charts() -> None:
    auto_approve("system")
    demo.load(lambda words: None)
    count = GLMapping.objects.count(), RecordVersion.objects.count()
    assert count[0] == sum(map(len, demo.charts.MAPPINGS.values()))
    demo.load(lambda words: None)
    assert (GLMapping.objects.count(), RecordVersion.objects.count()) == count
