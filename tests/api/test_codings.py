"""POST /codings/validate/: what is wrong with each line, its golden records, what the target calls them; never a guess."""

from __future__ import annotations

from typing import Any

import pytest

from dimensions.models import AskedBatch, ChartUse, MappingGap
from mdm import registry
from mdm.models import ChangeRequest, Event
from mdm.services import changes, crosswalks, merging
from tests.api.callers import Caller, caller, make_record
from tests.api.codings_world import DAY, account, ask, change, one, row, rule, wrong
from tests.people import actor

pytestmark = pytest.mark.django_db


def test_a_line_that_may_be_posted_with_all_it_stands_for(tool: Caller, books: dict[str, Any]) -> None:
    found = one(tool, cost_center="K-1", tax_code="V1", project="P-1", amount="100.55")
    assert found["valid"] and found["errors"] == found["warnings"] == []
    assert found["golden"] == {
        "legal_entity": {"code": "NH10", "uid": str(books["NH10"].uid)},
        "cost_center": {"code": "CC-1", "uid": str(books["CC-1"].uid)},
        "profit_center": {"code": "PC-1", "uid": str(books["PC-1"].uid)},
        "project": {"code": "P-1", "uid": str(books["P-1"].uid)},
        "gl_account": {
            "code": "GROUP/400000", "uid": found["golden"]["gl_account"]["uid"], "chart": "GROUP", "number": "400000",
        },
        "tax_code": {"code": "DE-19", "uid": str(books["DE-19"].uid)},
    }  # fmt: skip
    assert found["target"] == {
        "legal_entity": {"code": "NH10", "mapped": False},
        "cost_center": {"code": "K-1", "mapped": True},
        "profit_center": {"code": "PC-1", "mapped": False},
        "project": {"code": "P-1", "mapped": False},
        "gl_account": {"code": "5100", "chart": "LOCAL", "sign": 1, "row": str(books["row"].uid)},
        "tax_code": {"code": "V1", "mapped": True},
    }
    assert found["tax"] == {
        "rate": "19.000", "deductible": "50.000", "currency": "EUR", "amount": "19.10", "deductible_amount": "9.55",
    }  # fmt: skip
    assert one(tool, cost_center="CC-1")["target"]["cost_center"] == {"code": "K-1", "mapped": True}


def test_the_posting_date_decides_not_today(tool: Caller, books: dict[str, Any]) -> None:
    change("cost_center", books["CC-1"], valid_to="2026-07-01")
    assert one(tool, cost_center="CC-1", posting_date="2026-06-30")["valid"]
    assert wrong(tool, cost_center="CC-1", posting_date="2019-12-31") == [("cost_center", "not_valid_on")]
    after = one(tool, cost_center="K-1", posting_date="2026-07-01")["errors"]
    assert after == [{"path": "cost_center", "code": "not_valid_on",
                      "message": "Cost center K-1 (CC-1) is not valid on 2026-07-01; it ended on 2026-07-01."}]  # fmt: skip
    before = one(tool, cost_center="CC-1", posting_date="2019-12-31")["errors"][0]["message"]
    assert before == "Cost center CC-1 is not valid on 2019-12-31, but from 2020-01-01 on."
    change("tax_code", books["DE-19"], rate="16", valid_from="2026-07-01", valid_to="2027-01-01")
    rates = [one(tool, tax_code="DE-19", posting_date=day)["tax"]["rate"] for day in (DAY, "2026-07-01", "2027-01-01")]
    assert rates == ["19.000", "16.000", "19.000"]


def test_blocked_retired_closed_and_of_others(tool: Caller, books: dict[str, Any]) -> None:
    change("cost_center", books["CC-1"], blocked_for_costs=True, valid_from="2026-06-01", valid_to="2026-07-01")
    assert wrong(tool, cost_center="CC-1") == [("cost_center", "blocked")]
    assert wrong(tool, cost_center="CC-1", posting_date="2026-05-31") == []
    assert wrong(tool, cost_center="CC-2") == [("cost_center", "wrong_entity")]
    change("cost_center", books["CC-2"], "retire")
    assert wrong(tool, cost_center="CC-2", legal_entity="NH20") == [("cost_center", "retired")]
    change("legal_entity", books["NH20"], "block")
    assert wrong(tool, legal_entity="NH20") == [("legal_entity", "blocked")]
    for day, code in (("2025-12-31", "not_valid_on"), ("2026-07-01", "closed_project")):
        assert wrong(tool, project="P-1", posting_date=day) == [("project", code)]
    change("project", books["P-1"], stage="completed", valid_from="2026-06-01")
    assert wrong(tool, project="P-1") == [("project", "closed_project")]
    assert wrong(tool, project="P-1", posting_date="2026-05-31") == []
    make_record("project", "P-2", legal_entity="NH10", stage="planned")
    assert wrong(tool, project="P-2") == [("project", "not_released")]
    change("profit_center", books["PC-1"], blocked=True, valid_from="2026-08-01")
    assert wrong(tool, cost_center="CC-1", posting_date="2026-08-01") == [("profit_center", "blocked")]
    supplier = make_record("supplier", "SU-1")
    assert one(tool, supplier="SU-1")["target"]["supplier"] == {"code": "SU-1", "mapped": False}
    change("supplier", supplier, "block")
    assert wrong(tool, supplier="SU-1") == [("supplier", "blocked")]


def test_what_nobody_knows(tool: Caller, books: dict[str, Any]) -> None:
    names = {
        "cost_center": "C",
        "profit_center": "P",
        "project": "J",
        "tax_code": "T",
        "supplier": "S",
        "legal_entity": "L",
    }
    found = one(tool, gl_account="999", dimensions={"COLOUR": "red"}, **names)
    errors = {error["path"]: (error["code"], error["message"]) for error in found["errors"]}
    assert errors == {
        "legal_entity": ("unknown", "There is no legal entity L."),
        "cost_center": ("unknown", "There is no cost center C."),
        "project": ("unknown", "There is no project J."),
        "profit_center": ("unknown", "There is no profit center P."),
        "tax_code": ("unknown", "There is no tax code T."),
        "supplier": ("unknown", "There is no supplier S."),
        "gl_account": ("unknown", "Chart GROUP has no account 999."),
        "dimensions/COLOUR": ("unknown", "COLOUR has no value red."),
    }
    assert found["golden"] == found["target"] == {} and found["tax"] is None and not MappingGap.objects.exists()


def test_a_key_of_the_system_goes_before_a_code_of_the_hub(tool: Caller, books: dict[str, Any]) -> None:
    crosswalks.link(system=books["erp"], type="cost_center", key="CC-2", uid=books["CC-1"].uid)
    assert one(tool, cost_center="CC-2")["golden"]["cost_center"]["code"] == "CC-1"
    hub = ask(tool, {"gl_account": "400000", "cost_center": "CC-2"}, system=None, legal_entity="NH20")["results"][0]
    assert hub["valid"] and hub["golden"]["cost_center"]["code"] == "CC-2"
    assert hub["target"]["cost_center"] == {"code": "CC-2", "mapped": True}
    assert hub["target"]["gl_account"] == {"code": "400000", "chart": "GROUP", "sign": 1, "row": None}
    crosswalks.link(system=books["erp"], type="legal_entity", key="1000", uid=books["NH10"].uid)
    keyed = ask(tool, {"gl_account": "400000"}, legal_entity="1000")["results"][0]
    assert keyed["golden"]["legal_entity"]["code"] == "NH10" and keyed["target"]["legal_entity"]["code"] == "1000"
    assert keyed["target"]["gl_account"]["code"] == "5100"


def test_merged_records_are_followed_with_a_warning(tool: Caller, books: dict[str, Any]) -> None:
    kept, lost = make_record("supplier", "SU-1"), make_record("supplier", "SU-2", legal_name="Bergbau Nord AG")
    crosswalks.link(system=books["erp"], type="supplier", key="4711", uid=kept.uid)
    crosswalks.link(system=books["erp"], type="supplier", key="4712", uid=lost.uid)
    merge = merging.propose(
        kind=registry.get("supplier"), survivor=kept.uid, losers=[lost.uid], by=actor("nora", "steward")
    )
    changes.approve(change=merge, by=actor("ann", "approver"), content_hash=merge.content_hash)
    for name in ("SU-2", "4712"):
        found = one(tool, supplier=name)
        assert found["valid"] and found["golden"]["supplier"]["code"] == "SU-1"
        assert found["target"]["supplier"] == {"code": "4711", "mapped": True}
    warned = one(tool, supplier="SU-2")["warnings"]
    assert warned == [{"path": "supplier", "code": "merged",
                       "message": "Supplier SU-2 was merged into SU-1, which is used instead."}]  # fmt: skip


def test_a_profit_center_that_was_merged_is_followed_from_what_names_it(tool: Caller, books: dict[str, Any]) -> None:
    kept = make_record("profit_center", "PC-2", name="All pumps")
    crosswalks.link(system=books["erp"], type="profit_center", key="9002", uid=kept.uid)
    merge = merging.propose(
        kind=registry.get("profit_center"), survivor=kept.uid, losers=[books["PC-1"].uid], by=actor("nora", "steward")
    )
    changes.approve(change=merge, by=actor("ann", "approver"), content_hash=merge.content_hash)
    for _call in ("cold", "at hand"):
        found = one(tool, cost_center="CC-1")
        assert found["golden"]["profit_center"]["code"] == "PC-2", found
        assert found["target"]["profit_center"] == {"code": "9002", "mapped": True}


def test_an_account_by_the_mapping_in_the_context_of_the_line(tool: Caller, books: dict[str, Any]) -> None:
    row("400000", "5900", "R-2", conditions=[{"dimension": "cost_center", "codes": "CC-2"}])
    row("400000", "5901", "R-3", conditions=[{"dimension": "profit_center", "codes": "PC-*"}], flip=True)
    row("400000", "5902", "R-4", conditions=[{"dimension": "country", "codes": "JP"}])
    found = ask(
        tool,
        {"gl_account": "400000"},
        {"gl_account": "400000", "cost_center": "CC-2", "legal_entity": "NH20"},
        {"gl_account": "400000", "cost_center": "CC-1"},
        {"gl_account": "400000", "legal_entity": "NH30"},
    )["results"]
    assert [(line["target"]["gl_account"]["code"], line["target"]["gl_account"]["sign"]) for line in found] == [
        ("5100", 1), ("5900", 1), ("5901", -1), ("5902", 1),
    ]  # fmt: skip


def test_the_chart_that_is_booked_in(tool: Caller, books: dict[str, Any]) -> None:
    make_record("chart_of_accounts", "FRENCH", name="French")
    ChartUse.objects.create(system="erp", legal_entity="NH20", chart="FRENCH")
    french = one(tool, legal_entity="NH20")
    assert [(error["path"], error["code"]) for error in french["errors"]] == [("gl_account", "unmapped")]
    assert french["errors"][0]["message"] == "GL account 400000 has no account in FRENCH on 2026-06-15."
    assert "gl_account" not in french["target"] and one(tool)["target"]["gl_account"]["chart"] == "LOCAL"
    local = ask(tool, {"gl_account": "5100"}, chart="LOCAL")["results"][0]
    assert local["target"]["gl_account"] == {"code": "5100", "chart": "LOCAL", "sign": 1, "row": None}
    ChartUse.objects.filter(system="").delete()
    nowhere = one(tool)["errors"]
    assert nowhere[0]["message"] == "No chart of accounts is known for this company."
    ChartUse.objects.all().delete()
    asked = ask(tool, {"gl_account": "400000"}, chart="GROUP")["results"][0]["errors"]
    assert [(error["code"], error["message"]) for error in asked] == [
        ("unmapped", "Which chart The ERP books in is not known; a governance lead can say so.")
    ]


def test_the_chart_of_a_company_that_was_merged_is_that_of_what_it_became(tool: Caller, books: dict[str, Any]) -> None:
    old = make_record("legal_entity", "NH90", name="NH90", country="DE", currency="EUR")
    ChartUse.objects.create(legal_entity="NH10", chart="LOCAL")
    merge = merging.propose(
        kind=registry.get("legal_entity"), survivor=books["NH10"].uid, losers=[old.uid], by=actor("nora", "steward")
    )
    changes.approve(change=merge, by=actor("ann", "approver"), content_hash=merge.content_hash)
    for _time in range(2):
        found = ask(tool, {"gl_account": "5100"}, legal_entity="NH90")["results"][0]
        assert (found["golden"]["gl_account"]["chart"], found["errors"]) == ("LOCAL", [])


def test_what_has_no_target_waits_for_stewards(tool: Caller, books: dict[str, Any]) -> None:
    account("GROUP", "490000")
    make_record("tax_code", "FR-20", country="FR", rate="20")
    for _time in range(2):
        found = ask(
            tool, {"gl_account": "490000", "tax_code": "FR-20"}, {"gl_account": "490000"}, {"gl_account": "400000"}
        )
        assert [line["valid"] for line in found["results"]] == [False, False, True] and not found["valid"]
        assert [error["code"] for error in found["results"][0]["errors"]] == ["unmapped", "unmapped"]
        assert found["results"][0]["errors"][1]["message"] == "Tax code FR-20 has no code in The ERP on 2026-06-15."
        assert "tax_code" not in found["results"][0]["target"]
    gaps = MappingGap.objects.order_by("mapping").values_list("mapping", "source", "target", "code", "times")
    assert list(gaps) == [
        ("gl_mapping", "GROUP", "LOCAL", "490000", 4),
        ("tax_code_mapping", "", "erp", "FR-20", 2),
    ]
    here = {"legal_entity": "NH10", "country": "DE"}
    assert AskedBatch.objects.latest("pk").uses == [
        ["gl_mapping", "GROUP", "LOCAL", {**here, "tax_code": "FR-20"}, DAY, {"490000": 1}],
        ["tax_code_mapping", "", "erp", here, DAY, {"FR-20": 1}],
        ["gl_mapping", "GROUP", "LOCAL", here, DAY, {"490000": 1, "400000": 1}],
    ]


def test_rules_refuse_require_and_forbid(tool: Caller, books: dict[str, Any]) -> None:
    rule("RU-1", {"account_kind": "expense"}, {"cost_center": True})
    rule("RU-2", {"account_kind": "asset"}, {"cost_center": False})
    rule("RU-3", {"country": "DE", "tax_code": True}, {"tax_code": "DE-*"})
    rule("RU-4", {"project": "P-1", "gl_account": "400000..409999", "cost_center_category": "logistics"})
    assert one(tool)["errors"] == [
        {"path": "cost_center", "code": "missing", "message": "Says RU-1.", "rule": "RU-1"}
    ]  # fmt: skip
    assert wrong(tool, cost_center="CC-1", tax_code="DE-19") == []
    row("140000", "1200", "R-2")
    assert wrong(tool, gl_account="140000") == []
    assert wrong(tool, gl_account="140000", cost_center="CC-1") == [("cost_center", "not_allowed")]
    french = make_record("tax_code", "FR-20", country="FR", rate="20")
    crosswalks.link(system=books["erp"], type="tax_code", key="F1", uid=french.uid)
    assert wrong(tool, cost_center="CC-1", tax_code="F1") == [("tax_code", "not_allowed")]
    assert wrong(tool, cost_center="CC-1", project="P-1") == [("cost_center", "not_allowed")]
    assert wrong(tool, cost_center="C") == [("cost_center", "unknown")], "what is not known breaks no rule"


def test_rules_hold_for_their_days_and_are_heard_of_at_once(tool: Caller, books: dict[str, Any]) -> None:
    made = rule(
        "RU-1", {"account_kind": "expense"}, {"cost_center": True}, valid_from="2026-06-15", valid_to="2026-06-20"
    )
    days = ("2026-06-14", "2026-06-15", "2026-06-19", "2026-06-20")
    assert [one(tool, posting_date=day)["valid"] for day in days] == [True, False, False, True]
    change("coding_rule", made, "block")
    assert one(tool)["valid"]
    change("coding_rule", made, "unblock")
    change("coding_rule", made, message="Another sentence.")
    assert one(tool)["errors"][0]["message"] == "Another sentence."


def test_currencies_and_the_rounding_of_tax(tool: Caller, books: dict[str, Any]) -> None:
    account("GROUP", "113000", kind="asset", currency="USD")
    row("113000", "1800", "R-2")
    assert wrong(tool, gl_account="113000", currency="EUR") == [("currency", "wrong_currency")]
    assert wrong(tool, gl_account="113000", currency="USD") == [] == wrong(tool, gl_account="113000")
    for values, amounts in (
        ({"amount": 0.5}, ("0.10", "0.05")),
        ({"amount": "-0.5"}, ("-0.10", "-0.05")),
        ({"amount": "1000", "currency": "JPY"}, ("190", "95")),
        ({"amount": "1", "currency": "KWD"}, ("0.190", "0.095")),
        ({"amount": "1005", "legal_entity": "NH30"}, ("191", "96")),
        ({}, (None, None)),
    ):
        tax = one(tool, tax_code="DE-19", **values)["tax"]
        assert (tax["amount"], tax["deductible_amount"]) == amounts, values


def test_companies_of_others_are_not_there(books: dict[str, Any]) -> None:
    mine = caller("integrator", entities=("NH10",))
    assert one(mine, cost_center="CC-1")["valid"]
    for line in ({"legal_entity": "NH20"}, {"cost_center": "CC-2"}):
        found = one(mine, **line)
        field = next(iter(line))
        assert [(error["path"], error["code"]) for error in found["errors"]] == [(field, "unknown")]
        assert field not in found["golden"] and "NH20" not in found["errors"][0]["message"].replace(line[field], "")


def test_periods_of_others_are_not_there_either(books: dict[str, Any]) -> None:
    change("cost_center", books["CC-1"], legal_entity="NH20", valid_from="2026-06-10", valid_to="2026-06-20")
    mine = caller("integrator", entities=("NH10",))
    found = one(mine, cost_center="CC-1")["errors"]
    assert [(error["code"], error["message"]) for error in found] == [
        ("not_valid_on", "Cost center CC-1 is not valid on 2026-06-15; it ended on 2026-06-10.")
    ]
    assert one(mine, cost_center="CC-1", posting_date="2026-06-20")["valid"]


def test_dimensions_of_the_groups_own(tool: Caller, books: dict[str, Any]) -> None:
    for code in ("REGION", "CHANNEL"):
        make_record("dimension", code, name=code.title())
    north = make_record("dimension_value", "", dimension="REGION", value="NORTH", valid_from="2026-01-01")
    make_record("dimension_value", "", dimension="CHANNEL", value="NORTH", blocked=True)
    crosswalks.link(system=books["erp"], type="dimension_value", key="N", uid=north.uid)
    rule("RU-1", {"REGION": "NORTH"}, {"cost_center": True})
    row("400000", "5999", "R-2", conditions=[{"dimension": "REGION", "codes": "N*"}])
    for value in ("NORTH", "N"):
        found = one(tool, cost_center="CC-1", dimensions={"REGION": value})
        assert found["valid"] and found["target"]["gl_account"]["code"] == "5999"
        assert found["golden"]["dimensions"] == {
            "REGION": {"code": "REGION/NORTH", "uid": str(north.uid), "value": "NORTH"}
        }
        assert found["target"]["dimensions"] == {"REGION": {"code": "N", "mapped": True}}
    assert wrong(tool, dimensions={"REGION": "N"}) == [("cost_center", "missing")]
    assert wrong(tool, dimensions={"CHANNEL": "NORTH"}) == [("dimensions/CHANNEL", "blocked")]
    assert wrong(tool, dimensions={"CHANNEL": "N"}) == [("dimensions/CHANNEL", "unknown")], "a key of another dimension"
    late = {"REGION": "N"}
    assert wrong(tool, dimensions=late, posting_date="2025-12-31") == [
        ("dimensions/REGION", "not_valid_on"),
        ("cost_center", "missing"),
    ]


def test_what_cannot_be_asked_is_refused_and_leaves_nothing(tool: Caller, books: dict[str, Any]) -> None:
    before = ChangeRequest.objects.count(), Event.objects.count(), AskedBatch.objects.count()

    def refused(*lines: Any, **more: Any) -> dict[str, str]:
        answer = ask(tool, *lines, status=400, **more)
        return {error["path"]: error["code"] for error in answer["errors"]}

    line = {"gl_account": "400000"}
    assert refused(line, system="mars") == {"system": "unknown_system"}
    assert set(refused()) == {"lines"} and set(refused(*[line] * 1001)) == {"lines"}
    assert set(refused({**line, "colour": "red"})) == {"lines/0/colour"}
    assert set(refused({"cost_center": "CC-1"})) == {"lines/0/gl_account"}
    assert set(refused({**line, "posting_date": "2026-02-30"})) == {"lines/0/posting_date"}
    assert set(refused({**line, "amount": "much"})) == {"lines/0/amount"}
    assert set(refused({**line, "currency": "euro"})) == {"lines/0/currency"}
    assert set(refused(line, posting_date=None)) == {"posting_date"}
    assert before == (ChangeRequest.objects.count(), Event.objects.count(), AskedBatch.objects.count())


def test_every_type_named_needs_its_scope(books: dict[str, Any]) -> None:
    some = caller("integrator", scopes=["read:gl-accounts", "read:legal-entities"])
    assert one(some)["valid"]
    refused = ask(some, {"gl_account": "400000", "cost_center": "CC-1"}, status=403)
    assert refused["scope"] == "read:cost-centers"


def test_the_same_call_is_answered_once(tool: Caller, books: dict[str, Any]) -> None:
    account("GROUP", "490000")
    body = {"system": "erp", "legal_entity": "NH10", "posting_date": DAY, "lines": [{"gl_account": "490000"}]}
    first, second = (tool.post_json("codings/validate/", body, Idempotency_Key="c-1") for _time in range(2))
    assert first.json() == second.json() and second["Idempotent-Replayed"] == "true"
    assert MappingGap.objects.get().times == 1
    assert tool.post_json("codings/validate/", {**body, "system": None}, Idempotency_Key="c-1").status_code == 422


def test_a_mapping_of_tax_codes_goes_before_keys(tool: Caller, books: dict[str, Any]) -> None:
    given = {"name": "Input VAT", "system": "erp", "kind": "explicit", "source": "DE-19", "target": "VX"}
    make_record("tax_code_mapping", "TM-1", **given, conditions=[{"dimension": "project", "codes": "P-1"}])
    assert one(tool, tax_code="DE-19")["target"]["tax_code"] == {"code": "V1", "mapped": True}
    assert one(tool, tax_code="DE-19", project="P-1")["target"]["tax_code"] == {"code": "VX", "mapped": True}
