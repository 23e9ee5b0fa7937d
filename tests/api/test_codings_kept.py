"""What codings keep in the process: heard of at once when it changes, bounded, and asked for by a fixed number of queries."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dimensions.models import ChartUse
from dimensions.services import coded_records
from mdm import registry
from mdm.models import Crosswalk
from mdm.services import changes, crosswalks, merging
from tests import database
from tests.api.callers import Caller, make_record
from tests.api.codings_world import account, ask, change, one, row, rule, wrong
from tests.people import actor, system

pytestmark = pytest.mark.django_db
MOST_QUERIES = 12


def test_records_are_kept_until_they_change(tool: Caller, books: dict[str, Any]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert one(tool, cost_center="K-1", tax_code="V1")["valid"]
        return len(captured)

    first = queries()
    assert queries() < first, "records, rules and mappings are at hand"
    change("cost_center", books["CC-1"], "block")
    assert wrong(tool, cost_center="K-1") == [("cost_center", "blocked")]
    change("cost_center", books["CC-1"], "unblock")
    change("profit_center", books["PC-1"], "block")
    assert wrong(tool, cost_center="K-1") == [("profit_center", "blocked")]
    change("profit_center", books["PC-1"], "unblock")
    change("cost_center", books["CC-1"], legal_entity="NH20", valid_from="2026-06-15")
    assert wrong(tool, cost_center="K-1") == [("cost_center", "wrong_entity")]
    crosswalks.link(system=books["erp"], type="cost_center", key="K-2", uid=books["CC-2"].uid)
    assert one(tool, cost_center="K-2", legal_entity="NH20")["golden"]["cost_center"]["code"] == "CC-2"


def test_keys_are_heard_of_at_once(tool: Caller, books: dict[str, Any]) -> None:
    """Of keys no event tells: a push that creates one brings its key back."""
    supplier, other = make_record("supplier", "SU-1"), make_record("supplier", "SU-2", legal_name="Bergbau Nord AG")

    def said() -> Any:
        found = one(tool, supplier="4711")
        return found["golden"].get("supplier", {}).get("code"), found["target"].get("supplier")

    def named() -> Any:
        return one(tool, supplier="SU-1")["target"]["supplier"]

    assert (said(), said()) == ((None, None), (None, None)) and named() == {"code": "SU-1", "mapped": False}
    key = crosswalks.link(system=books["erp"], type="supplier", key="4711", uid=supplier.uid)
    assert said() == ("SU-1", {"code": "4711", "mapped": True}) and named() == {"code": "4711", "mapped": True}
    crosswalks.link(system=books["erp"], type="supplier", key="4711", uid=other.uid, move=True)
    assert said() == ("SU-2", {"code": "4711", "mapped": True}) and named() == {"code": "SU-1", "mapped": False}
    Crosswalk.objects.filter(pk=key.pk).update(active=False)
    assert said() == (None, None)
    crosswalks.link(system=system("other"), type="supplier", key="4711", uid=supplier.uid)
    assert said() == (None, None), "keys of other systems are none of this one"


def test_a_profit_center_that_was_given_once_is_named_when_it_is_not(tool: Caller, books: dict[str, Any]) -> None:
    crosswalks.link(system=books["erp"], type="profit_center", key="9000", uid=books["PC-1"].uid)
    for given in ({"profit_center": "PC-1"}, {}, {"profit_center": "9000"}, {}):
        found = one(tool, cost_center="CC-1", **given)["target"]["profit_center"]
        assert found == {"code": "9000", "mapped": True}


def test_a_changed_mapping_and_a_new_code_in_one_call(tool: Caller, books: dict[str, Any]) -> None:
    """The rows are asked for while the account is at hand and the supplier is not."""
    assert one(tool)["target"]["gl_account"]["code"] == "5100"
    make_record("supplier", "SU-9")
    rule("RU-9", {"supplier": "SU-9"})
    change("gl_mapping", books["row"], target="5200")
    found = one(tool, supplier="SU-9")
    assert found["target"]["gl_account"]["code"] == "5200" and found["golden"]["supplier"]["code"] == "SU-9"
    assert [(error["path"], error.get("rule")) for error in found["errors"]] == [("supplier", "RU-9")]


def test_what_is_kept_is_bounded(tool: Caller, books: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coded_records, "MOST", 20)
    for number in range(50):
        assert wrong(tool, supplier=f"X{number}") == [("supplier", "unknown")]
    assert sum(map(coded_records._size, coded_records._KEPT._known.values())) <= 30
    assert one(tool, supplier="X1", cost_center="K-1")["golden"]["cost_center"]["code"] == "CC-1"


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize("worst", [False, True])
def test_the_number_of_queries_is_fixed(tool: Caller, books: dict[str, Any], count: int, worst: bool) -> None:
    rule("RU-1", {"account_kind": "expense"}, {"cost_center": True})
    lines: list[dict[str, Any]] = [{"gl_account": "400000"}] * count
    if worst:
        kept, lost = make_record("supplier", "SU-1"), make_record("supplier", "SU-2", legal_name="Bergbau Nord AG")
        merge = merging.propose(
            kind=registry.get("supplier"), survivor=kept.uid, losers=[lost.uid], by=actor("nora", "steward")
        )
        changes.approve(change=merge, by=actor("ann", "approver"), content_hash=merge.content_hash)
        for number in range(4):
            chart = f"L{number}"
            make_record("chart_of_accounts", chart, name=chart)
            ChartUse.objects.create(system="erp", legal_entity=f"NH{number}", chart=chart)
            make_record("legal_entity", f"NH{number}")
            row("40*", "5*", f"R-{chart}", kind="like", target_chart=chart)
            account("GROUP", f"49000{number}")
        make_record("tax_code", "FR-20", country="FR", rate="20")
        make_record("tax_code_mapping", "TM-1", name="T", system="erp", kind="explicit", source="DE-19", target="VX")
        lines = [
            {
                "legal_entity": f"NH{number % 5}", "posting_date": f"2026-0{1 + number % 9}-15",
                "gl_account": ("400000", "490000", "490001", f"{number}")[number % 4],
                "cost_center": ("CC-1", "K-1", "CC-2", f"C{number}")[number % 4],
                "profit_center": (None, "PC-1", f"PC{number}")[number % 3],
                "project": ("P-1", f"P{number}")[number % 2], "tax_code": ("DE-19", "V1", "FR-20", f"T{number}")[number % 4],
                "supplier": ("SU-1", "SU-2", f"S{number}")[number % 3], "amount": f"{number}.01", "currency": "USD",
                "dimensions": {f"D{place}": f"V{number}" for place in range(5)},
            }
            for number in range(count)
        ]  # fmt: skip
    tool.read("tax-codes/?page_size=1")  # the day's first call of a token is put down
    with CaptureQueriesContext(connection) as captured:
        found = ask(tool, *lines)
    assert len(found["results"]) == count
    assert len(captured) <= MOST_QUERIES, [query["sql"][:90] for query in captured]


@pytest.mark.django_db(transaction=True)
def test_a_rule_that_cannot_be_read_is_named_and_the_next_call_is_answered(tool: Caller, books: dict[str, Any]) -> None:
    """The rule is found out while records are on their way: they are let go of, and the connection goes on."""
    rule("RU-1", {"gl_account": "400000..499999"}, {"cost_center": True})

    def write(codes: str) -> None:
        with database.connect_as_owner() as owner, owner.transaction():
            owner.execute("SELECT set_config('mdm.maintenance', 'on', true)")
            owner.execute("UPDATE dimensions_codingrulecondition SET codes = %s WHERE side = 'when'", [codes])

    write("1..2..3")
    refused = ask(tool, {"gl_account": "400000", "cost_center": "K-1"}, status=409)
    assert "RU-1" in refused["detail"] and "put it right or retire it" in refused["detail"]
    write("400000..499999")
    assert wrong(tool, cost_center="K-1") == [] and wrong(tool) == [("cost_center", "missing")]
