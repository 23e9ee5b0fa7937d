"""POST /translate/: accounts by mapping rows, other records by their keys; unmapped is said, never guessed."""

from __future__ import annotations

import contextlib
import random
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dimensions.models import AskedCode, MappingGap
from dimensions.services import asking, mappings
from mdm import registry
from mdm.errors import HubError
from mdm.models import ApiToken, ChangeRequest, Crosswalk, Event
from mdm.services import changes, crosswalks, merging
from mdm.services.changes import ProposedItem
from mdm.types import Actor
from tests.api.callers import Caller, caller, make_record
from tests.people import actor, system

pytestmark = pytest.mark.django_db
MOST_QUERIES = 12


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "_KEPT", mappings._Kept())


@pytest.fixture
def reader() -> Caller:
    return caller("requester")


@pytest.fixture
def charts() -> None:
    for code in ("GROUP", "LOCAL"):
        make_record("chart_of_accounts", code, name=code.title())


def row(source: str | None, target: str, code: str, **values: Any) -> Any:
    given = {"name": code, "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit"}
    return make_record("gl_mapping", code, **{**given, "source": source, "target": target, **values})


def accounts(by: Caller, *values: str, status: int = 200, **more: Any) -> Any:
    body = {"type": "gl_account", "from_chart": "GROUP", "to_chart": "LOCAL", "values": list(values), **more}
    answer = by.post_json("translate/", body)
    assert answer.status_code == status, answer.content
    return answer.json()


def refused(by: Caller, **body: Any) -> dict[str, str]:
    answer = by.post_json("translate/", body)
    assert answer.status_code == 400, answer.content
    return {error["path"]: error["code"] for error in answer.json()["errors"]}


def test_accounts_by_the_row_that_wins(reader: Caller, charts: None) -> None:
    first = row("400000", "5100", "R-1")
    row("47*", "66*", "R-2", kind="like", flip=True)
    account = make_record("gl_account", "LOCAL/5100", chart="LOCAL", number="5100", name="Materials", kind="expense")
    found = accounts(reader, "400000", "471000", "999", "400000", "999")
    assert [(one["value"], one["code"], one["sign"]) for one in found["results"]] == [
        ("400000", "5100", 1), ("471000", "661000", -1), ("999", None, 1), ("400000", "5100", 1), ("999", None, 1),
    ]  # fmt: skip
    assert found["unmapped"] == ["999"] and found["on_date"] == timezone.localdate().isoformat()
    one, two, three = found["results"][:3]
    assert one["record"] == {"uid": str(account.uid), "code": "LOCAL/5100", "status": "active"}
    assert one["rule"] == {"uid": str(first.uid), "code": "R-1", "words": "explicit 400000"}
    assert two["record"] is None and two["rule"]["words"] == "like 47*"
    assert three["rule"] is None and three["why"].startswith("No row of the mapping that holds on ")
    assert "trace" not in one


def test_the_day_and_the_context_decide(reader: Caller, charts: None) -> None:
    row("471000", "6660", "R-1", valid_from="2030-01-01")
    row("47*", "6650", "R-2", kind="like")
    row("471000", "9000", "R-3", conditions=[{"dimension": "legal_entity", "codes": "NH10"}])
    assert accounts(reader, "471000", on_date="2029-12-31")["results"][0]["code"] == "6650"
    assert accounts(reader, "471000", on_date="2030-01-01")["results"][0]["code"] == "6660"
    in_company = accounts(reader, "471000", on_date="2029-12-31", context={"legal_entity": "NH10"})
    assert in_company["results"][0]["code"] == "9000"
    assert accounts(reader, "1", context={"colour": "red"}, status=400)["errors"][0]["path"] == "context/colour"


def test_a_trace_says_why_every_row_won_or_lost(reader: Caller, charts: None) -> None:
    row("471000", "6660", "R-1", valid_from="2030-01-01")
    row("47*", "6650", "R-2", kind="like")
    traced = accounts(reader, "471000", "481000", on_date="2029-12-31", trace=True)
    steps = traced["results"][0]["trace"]
    assert [(step["rule"]["code"], step["won"], step["reason"]) for step in steps] == [
        ("R-1", False, "not valid on 2029-12-31, but from 2030-01-01 on"),
        ("R-2", True, "like 47* wins"),
    ]
    assert traced["results"][1]["trace"] == []
    assert traced["results"][1]["why"].startswith("No row of the mapping is for it; nearest are ")
    body = {"type": "gl-accounts", "from_chart": "GROUP", "to_chart": "LOCAL", "values": ["1"] * 101, "trace": True}
    assert refused(reader, **body) == {"trace": "too_many"}


def test_keys_from_system_to_system(reader: Caller) -> None:
    coupa, sap = system("coupa"), system("sap")
    center = make_record("cost_center", "CC-7")
    lonely = make_record("cost_center", "CC-8")
    crosswalks.link(system=coupa, type="cost_center", key="100", uid=center.uid)
    crosswalks.link(system=coupa, type="cost_center", key="101", uid=lonely.uid)
    crosswalks.link(system=sap, type="cost_center", key="S7", uid=center.uid)
    crosswalks.link(system=sap, type="cost_center", key="S7-OLD", uid=center.uid)
    body = {"type": "cost_center", "values": ["100", "101", "102"], "from_system": "coupa", "to_system": "sap"}
    found = reader.post_json("translate/", body).json()
    assert [one["code"] for one in found["results"]] == ["S7", None, None] and found["unmapped"] == ["101", "102"]
    assert found["results"][0]["rule"] == {
        "uid": str(center.uid), "code": "CC-7", "words": "key 100 of Coupa is CC-7, its key at Sap is S7",
    }  # fmt: skip
    assert [one["why"] for one in found["results"][1:]] == ["CC-8 has no key at Sap.", "Coupa has no such key."]
    to_hub = reader.post_json("translate/", {"type": "cost_center", "values": ["S7-OLD"], "from_system": "sap"}).json()
    assert (to_hub["results"][0]["code"], to_hub["results"][0]["record"]["uid"]) == ("CC-7", str(center.uid))
    from_hub = {"type": "cost-centers", "values": ["CC-7", "CC-9"], "to_system": "sap"}
    assert [one["code"] for one in reader.post_json("translate/", from_hub).json()["results"]] == ["S7", None]
    center_row = Crosswalk.objects.filter(system=sap)
    center_row.update(primary=False)
    several = reader.post_json("translate/", from_hub).json()["results"][0]
    assert several["code"] is None and several["why"] == "CC-7 has 2 keys at Sap, none of them the primary."
    center_row.update(active=False)
    assert reader.post_json("translate/", from_hub).json()["unmapped"] == ["CC-7", "CC-9"]


def tax_row(source: str | None, target: str, code: str, **values: Any) -> Any:
    given = {"name": code, "system": "sap", "kind": "explicit", "source": source, "target": target}
    return make_record("tax_code_mapping", code, **{**given, **values})


def test_tax_codes_go_to_a_system_by_rows_then_by_keys(reader: Caller) -> None:
    coupa, sap = system("coupa"), system("sap")
    first, second, third = (make_record("tax_code", code, name=code) for code in ("DE-V19", "DE-V7", "FR-V20"))
    crosswalks.link(system=sap, type="tax_code", key="K7", uid=second.uid)
    crosswalks.link(system=sap, type="tax_code", key="K19", uid=first.uid)
    crosswalks.link(system=coupa, type="tax_code", key="C7", uid=second.uid)
    crosswalks.link(system=coupa, type="tax_code", key="C19", uid=first.uid)
    won = tax_row("DE-V*", "V*", "T-1", kind="like", conditions=[{"dimension": "country", "codes": "DE"}])
    body = {"type": "tax_code", "values": ["DE-V19", "DE-V7", "FR-V20", "XX"], "to_system": "sap", "trace": True}
    here = reader.post_json("translate/", {**body, "context": {"country": "DE"}}).json()
    assert [one["code"] for one in here["results"]] == ["V19", "V7", None, None] and here["unmapped"] == [
        "FR-V20",
        "XX",
    ]
    rule = {"uid": str(won.uid), "code": "T-1", "words": "like DE-V* for country DE"}
    assert here["results"][0]["rule"] == rule and here["results"][0]["record"]["uid"] == str(first.uid)
    assert here["results"][2]["record"]["uid"] == str(third.uid)
    assert here["results"][2]["why"].endswith("FR-V20 has no key at Sap.")
    elsewhere = reader.post_json("translate/", body).json()["results"]
    assert [one["code"] for one in elsewhere] == ["K19", "K7", None, None]
    assert elsewhere[0]["trace"][0]["reason"] == "condition country DE not met: there is none"
    back = {"type": "tax-codes", "values": ["C19", "C0"], "from_system": "coupa", "to_system": "sap"}
    found = reader.post_json("translate/", {**back, "context": {"country": "DE"}}).json()["results"]
    assert [(one["value"], one["code"], one["why"]) for one in found] == [
        ("C19", "V19", None), ("C0", None, "Coupa has no such key."),
    ]  # fmt: skip
    asking.count()
    assert set(AskedCode.objects.values_list("code", flat=True)) == {"DE-V19", "DE-V7", "FR-V20", "XX"}
    assert {(one.mapping, one.source, one.code) for one in MappingGap.objects.all()} == {
        ("tax_code_mapping", "", "FR-V20"), ("tax_code_mapping", "", "XX"), ("tax_code", "coupa", "C0"),
    }  # fmt: skip
    alone = caller("requester", scopes=["read:tax-codes"])
    answer = alone.post_json("translate/", body)
    assert (answer.status_code, answer.json()["scope"]) == (403, "read:tax-code-mappings")


def test_merged_records_are_followed(reader: Caller) -> None:
    sap = system("sap")
    kept, lost = make_record("supplier", "SU-1"), make_record("supplier", "SU-2", legal_name="Bergbau Nord AG")
    crosswalks.link(system=sap, type="supplier", key="4711", uid=kept.uid)
    change = merging.propose(
        kind=registry.get("supplier"), survivor=kept.uid, losers=[lost.uid], by=actor("nora", "steward")
    )
    changes.approve(change=change, by=actor("ann", "approver"), content_hash=change.content_hash)
    body = {"type": "supplier", "values": ["SU-2"], "to_system": "sap"}
    one = reader.post_json("translate/", body).json()["results"][0]
    assert (one["code"], one["record"]["code"]) == ("4711", "SU-1")


def test_companies_of_others_are_not_there() -> None:
    sap = system("sap")
    for code in ("NH10", "NH20"):
        made = make_record("legal_entity", code)
        crosswalks.link(system=sap, type="legal_entity", key=f"S{code}", uid=made.uid)
    mine = caller("requester", entities=("NH10",))
    for body in (
        {"values": ["NH10", "NH20"], "to_system": "sap"},
        {"values": ["SNH10", "SNH20"], "from_system": "sap"},
    ):
        found = mine.post_json("translate/", {"type": "legal_entity", **body}).json()
        assert [one["code"] is None for one in found["results"]] == [False, True]


def test_what_cannot_be_asked_is_refused(reader: Caller, charts: None) -> None:
    before = ChangeRequest.objects.count(), Event.objects.count()
    both = {"from_chart": "GROUP", "to_chart": "LOCAL"}
    assert refused(reader, type="planet", values=["1"]) == {"type": "unknown_type"}
    assert refused(reader, type="gl_account", values=["1"]) == {"to_chart": "missing", "to_system": "missing"}
    assert refused(reader, type="gl_account", values=["1"], to_chart="LOCAL") == {"from_chart": "missing"}
    assert refused(reader, type="gl_account", values=["1"], to_system="sap", **both) == {"to_system": "two_ways"}
    assert refused(reader, type="cost_center", values=["1"], **both) == dict.fromkeys(both, "not_for_type")
    assert refused(reader, type="cost_center", values=["1"], to_system="mars") == {"to_system": "unknown_system"}
    both["to_chart"] = "NONE"
    assert refused(reader, type="gl_account", values=["1"], **both) == {"to_chart": "unknown_chart"}
    assert set(refused(reader, type="gl_account", values=[], **both)) == {"values"}
    assert set(refused(reader, type="gl_account", values=["1"] * 1001, **both)) == {"values"}
    assert set(refused(reader, type="gl_account", values=[" "], **both)) == {"values/0"}
    system("sap")
    assert refused(reader, type="cost_center", values=["1"], to_system="sap", trace=True) == {"trace": "not_for_type"}
    assert before == (ChangeRequest.objects.count(), Event.objects.count())


def test_each_type_needs_its_own_scope(charts: None) -> None:
    only_centers = caller("requester", scopes=["read:cost-centers", "read:gl-accounts"])
    answer = only_centers.post_json("translate/", {"type": "supplier", "values": ["1"], "to_system": "sap"})
    assert (answer.status_code, answer.json()["scope"]) == (403, "read:suppliers")
    assert accounts(only_centers, "1", status=403)["scope"] == "read:gl-mappings"


def test_what_was_known_before_is_answered_as_it_was_then(reader: Caller, charts: None) -> None:
    """Against a plain model: after every random edit all answers are noted, and asked for again at the end."""
    chance, made, noted = random.Random(3), dict[str, Any](), list[tuple[str, Any]]()
    codes, contexts = ["400000", "400001", "410000", "5"], [{}, {"legal_entity": "NH10"}]
    conditions = [{"dimension": "legal_entity", "codes": "NH10"}]

    def answered(**more: Any) -> Any:
        found = [accounts(reader, *codes, context=context, on_date="2026-06-15", **more) for context in contexts]
        return [[(one["code"], one["sign"]) for one in each["results"]] for each in found]

    def edit(number: int) -> None:
        what = chance.choice(["new", "new", "target", "source", "status", "chart"])
        if what == "new" or not made:
            source, kind = chance.choice(
                [("400000", "explicit"), ("400001", "explicit"), ("4*", "like"), ("400000..409999", "between")]
            )
            given = {"kind": kind, "order": number, "conditions": conditions if chance.random() < 0.4 else []}
            made[f"R-{number}"] = row(source, str(number), f"R-{number}", **given)
            return
        one = made[chance.choice(list(made))]
        patch = {"target": {"target": f"T{number}", "flip": True}, "chart": {"target_chart": chance.choice(["GROUP", "LOCAL"])},
                 "source": {"source": chance.choice(["5", "410000"]), "kind": "explicit"}}.get(what)  # fmt: skip
        action = "update" if patch else chance.choice(["block", "unblock", "retire"])
        item = ProposedItem(type="gl_mapping", uid=str(one.uid), action=action, patch=patch)
        with contextlib.suppress(HubError):
            changes.propose(items=[item], by=Actor.system("tests"), origin="system")

    noted.append((timezone.now().isoformat(), answered()))
    for number in range(14):
        edit(number)
        noted.append((timezone.now().isoformat(), answered()))
    assert len({str(found) for _at, found in noted}) > 5, "the edits change something"
    for at, found in noted:
        assert answered(known_at=at) == found
    asking.count()
    used = sum(AskedCode.objects.values_list("times", flat=True))
    assert used == len(noted) * len(codes) * len(contexts), "looking back is no use"
    both = {"type": "gl_account", "from_chart": "GROUP", "to_chart": "LOCAL", "values": ["1"]}
    assert refused(reader, **both, known_at="2026-01-01T00:00:00") == {"known_at": "no_time_zone"}
    system("sap")
    keys = {"type": "cost_center", "values": ["1"], "to_system": "sap", "known_at": "2026-01-01T00:00:00Z"}
    assert refused(reader, **keys) == {"known_at": "not_for_type"}


def test_a_row_changed_is_heard_of_at_once(reader: Caller, charts: None) -> None:
    made = row("400000", "5100", "R-1")
    assert accounts(reader, "400000")["results"][0]["code"] == "5100"
    item = ProposedItem(type="gl_mapping", uid=str(made.uid), patch={"target": "5200"})
    assert changes.propose(items=[item], by=Actor.system("tests"), origin="system").state == "applied"
    assert accounts(reader, "400000")["results"][0]["code"] == "5200"


def test_what_is_asked_is_counted_and_what_is_unmapped_waits_for_stewards(charts: None) -> None:
    row("400000", "5100", "R-1")
    sap = system("sap")
    make_record("cost_center", "CC-9")
    by = caller("requester", scopes=["read:*"])
    accounts(by, "400000", "400000", "999", on_date="2026-06-15", context={"legal_entity": "NH10"})
    assert (
        by.post_json("translate/", {"type": "cost_center", "values": ["CC-9"], "to_system": sap.code}).status_code
        == 200
    )
    asking.count()
    used = {(one.code, one.times, one.last_on, one.context["legal_entity"]) for one in AskedCode.objects.all()}
    assert used == {("400000", 2, date(2026, 6, 15), "NH10"), ("999", 1, date(2026, 6, 15), "NH10")}
    waiting = {(one.mapping, one.source, one.target, one.code) for one in MappingGap.objects.all()}
    assert waiting == {("gl_mapping", "GROUP", "LOCAL", "999"), ("cost_center", "", "sap", "CC-9")}
    assert list(MappingGap.objects.get(code="999").asked_by) == [ApiToken.objects.get(owner=by.user).name]
    before = MappingGap.objects.count(), AskedCode.objects.count()
    accounts(by, "1", context={"colour": "red"}, status=400)
    some = caller("requester", entities=("NH10",))
    some.post_json("translate/", {"type": "legal_entity", "values": ["NH20"], "to_system": "sap"})
    asking.count()
    assert before == (MappingGap.objects.count(), AskedCode.objects.count())


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize("idempotent", [False, True])
def test_the_number_of_queries_is_fixed(reader: Caller, charts: None, count: int, idempotent: bool) -> None:
    row("4*", "5*", "R-1", kind="like")
    for number in range(5):
        row(f"9{number}", "1", f"R-9{number}")
    sap, coupa = system("sap"), system("coupa")
    for number in range(5):
        center = make_record("cost_center", f"CC-{number}")
        crosswalks.link(system=coupa, type="cost_center", key=f"{number}", uid=center.uid)
        crosswalks.link(system=sap, type="cost_center", key=f"S{number}", uid=center.uid)
    values = [f"{number}" for number in range(400, 400 + count)]
    keys = {"type": "cost_center", "values": [f"{number}" for number in range(count)]}
    bodies = (
        {"type": "gl_account", "values": values, "from_chart": "GROUP", "to_chart": "LOCAL"},
        {"type": "gl_account", "values": values[:100], "from_chart": "GROUP", "to_chart": "LOCAL", "trace": True},
        {**keys, "from_system": "coupa", "to_system": "sap"},
        {**keys, "type": "tax_code", "from_system": "coupa", "to_system": "sap"},
    )
    for number, body in enumerate(bodies):
        headers = {"Idempotency_Key": f"t-{number}"} if idempotent else {}
        with CaptureQueriesContext(connection) as captured:
            assert reader.post_json("translate/", body, **headers).status_code == 200
        most = MOST_QUERIES + (3 if idempotent else 0)
        assert len(captured) <= most, [query["sql"][:90] for query in captured]
