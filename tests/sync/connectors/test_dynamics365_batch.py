"""Dynamics 365's `$batch`: how it answers as documented, and first loads where they are particular to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from sync.connectors.dynamics365 import sandbox_batch
from sync.deadline import asking
from sync.errors import Ambiguous, Refused, Separately, Throttled
from sync.multipart import Part, Parts
from sync.protocol import Bulk, FindsMany, Outcome, Push
from sync.sandbox import Response
from tests.sync.connectors.dynamics365_world import ask_batch, in_companies, keys, push_of, said
from tests.sync.sandboxes import Platform, platform

JSON = {"Content-Type": "application/json"}
GO_ON = {"Prefer": "odata.continue-on-error"}
SETS = "/data/VendorsV3?cross-company=true"
BANKS = "/data/VendorBankAccounts?cross-company=true"


@pytest.fixture
def d365(tmp_path: Path) -> Iterator[Platform]:
    with platform("dynamics365", tmp_path / "state.sqlite") as running:
        yield running


def making(number: str, address: str = SETS, id: str = "1", **fields: Any) -> Part:
    vendor = {"dataAreaId": "nh10", "VendorAccountNumber": number}
    if address == SETS:
        vendor |= {"VendorOrganizationName": f"Vendor {number}", "VendorGroupId": "10"}
    return Part(f"POST {address} HTTP/1.1", JSON, json.dumps({**vendor, **fields}).encode(), id)


def reading(address: str) -> Part:
    return Part(f"GET {address} HTTP/1.1", {})


def statuses(found: Parts) -> list[Any]:
    return [[one.status for one in part] if isinstance(part, list) else part.status for part in found]


# [batch] The service


def test_each_is_answered_in_its_place(d365: Platform) -> None:
    parts: Parts = [
        reading("/data/VendorsV3(dataAreaId='nh10',VendorAccountNumber='V-1001')?cross-company=true"),
        [making("V-1"), making("V-1", BANKS, "2", VendorBankAccountId="A", IBAN="DE89370400440532013000")],
        [making("V-2", id="3", CurrencyCode="XXX")],
        reading("/data/VendorsV3(dataAreaId='nh10',VendorAccountNumber='V-0')"),
    ]
    found = ask_batch(d365, parts, **GO_ON)
    assert statuses(found) == [200, [201, 201], 400, 404]
    made, refused = cast(list[Part], found[1]), cast(Part, found[2])
    assert [one.content_id for one in made] == ["1", "2"]
    assert json.loads(made[0].body)["VendorOrganizationName"] == "Vendor V-1"
    assert "'XXX'" in json.loads(refused.body)["error"]["innererror"]["message"]
    assert "nh10/V-1" in keys(d365) and "nh10/V-2" not in keys(d365)


def test_an_error_ends_it_unless_the_client_prefers_to_go_on(d365: Platform) -> None:
    parts: Parts = [[making("V-1")], [making("V-2", id="2", CurrencyCode="XXX")], [making("V-3", id="3")]]
    assert statuses(ask_batch(d365, parts)) == [[201], 400]
    assert "nh10/V-1" in keys(d365) and "nh10/V-3" not in keys(d365)


def test_a_changeset_that_fails_leaves_nothing(d365: Platform) -> None:
    parts: Parts = [[making("V-1"), making("V-1", BANKS, "2", VendorBankAccountId="A", IBAN="DE00")]]
    assert statuses(ask_batch(d365, parts)) == [400]
    assert "nh10/V-1" not in keys(d365) and d365.effects() == []


@pytest.mark.parametrize("parts", [[making("V-1", id="")], [making("V-1"), making("V-2")], [reading(SETS)]])
def test_what_may_not_stand_in_a_changeset(d365: Platform, parts: list[Part]) -> None:
    assert statuses(ask_batch(d365, [parts])) == [400]
    assert d365.effects() == []


@pytest.mark.parametrize("form", ["{}/data/VendorsV3", "/data/VendorsV3", "VendorsV3"])
def test_an_address_may_be_written_in_three_ways(d365: Platform, form: str) -> None:
    assert statuses(ask_batch(d365, [reading(form.format(d365.url))])) == [200]


def test_what_is_no_batch_is_refused_as_a_whole(d365: Platform) -> None:
    assert ask_batch(d365, [making("V-1")], Content_Type="application/json") == 400
    assert ask_batch(d365, [making("V-1")], Authorization="Bearer nobody") == 401
    assert d365.effects() == []


# First loads


def loads(count: int, changes: dict[int, dict[str, Any]] | None = None) -> list[Push]:
    return [
        push_of(
            in_companies("NH10", **{"code": f"S-{n}", "tax_registrations": [], **(changes or {}).get(n, {})}),
            reference=f"{n:08d}-7e11-7cc4-9e0f-{n:012d}",
            idempotency_key=f"1:x:{n}",
            correlation_id=f"c-{n}",
        )
        for n in range(count)
    ]


def results(d365: Platform, pushes: list[Push]) -> list[Any]:
    return [answer.result for answer in cast(Bulk, d365.connector()).push_many(pushes)]


def made(d365: Platform) -> set[str]:
    return {effect["key"] for effect in d365.effects() if effect["kind"] == "created"}


def bad_account() -> dict[str, Any]:
    """Passes every check of ours: Finance knows no such currency."""
    account = in_companies("NH10")["bank_accounts"][0]
    return {"bank_accounts": [{**account, "currency": "ZAR"}]}


def test_a_load_is_one_look_one_request_and_one_look_back(d365: Platform) -> None:
    connector, pushes = d365.connector(), loads(3)
    assert cast(FindsMany, connector).find_many(pushes) == [False] * 3
    assert said(connector) == [("POST", "$batch")]
    answers = cast(Bulk, connector).push_many(pushes)
    assert said(connector) == [("POST", "$batch")] * 2
    assert all(isinstance(answer.result, Outcome) and answer.result.verified for answer in answers)
    told = [(effect["idempotency_key"], effect["correlation_id"]) for effect in d365.effects()]
    assert set(told) == {(f"1:x:{n}", f"c-{n}") for n in range(3)}


@pytest.mark.parametrize("encloses", [False, True])
def test_a_vendor_whose_account_is_refused_is_not_made(
    d365: Platform, encloses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(d365.sandbox, "encloses_errors", encloses)
    pushes = loads(3, {1: bad_account()})
    answers = cast(Bulk, d365.connector()).push_many(pushes)
    refused = answers[1].result
    assert isinstance(refused, Refused) and refused.problems[0].field == "CurrencyCode" and not answers[1].in_part
    assert "'ZAR'" in answers[1].said[0].response and '"status": 400' in answers[1].said[0].response
    assert made(d365) == {"nh10/S-0", "nh10/S-2"}


def test_nothing_was_done_where_all_are_refused(d365: Platform) -> None:
    with asking(lambda: None) as writes:
        found = results(d365, loads(2, {0: bad_account(), 1: bad_account()}))
    assert all(isinstance(one, Refused) for one in found) and writes.done == 0


def test_those_behind_an_error_go_alone_where_it_ends_the_batch(
    d365: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(d365.sandbox, "heeds_preference", False)
    found = results(d365, loads(4, {1: bad_account()}))
    assert [type(one) for one in found] == [Outcome, Refused, Separately, Separately]
    assert made(d365) == {"nh10/S-0"}


@pytest.mark.parametrize(("kind", "meaning"), [("429", Throttled), ("500", Ambiguous), ("refuse", Refused)])
def test_what_happens_to_one_part_is_said_of_that_one(d365: Platform, kind: str, meaning: type[Exception]) -> None:
    d365.fail(kind, match="POST /data/VendorBankAccounts")
    found = results(d365, loads(3))
    assert [type(one) for one in found] == [meaning, Outcome, Outcome]
    assert made(d365) == {"nh10/S-1", "nh10/S-2"}


def test_an_environment_without_bank_accounts_takes_vendors_alone(
    d365: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(d365.sandbox, "without", frozenset({"VendorBankAccounts"}))
    pushes = loads(2)
    assert [type(one) for one in results(d365, pushes)] == [Separately, Separately] and made(d365) == set()
    assert d365.connector().push(pushes[0]).effect == "created"
    bare = loads(4, {2: {"bank_accounts": []}, 3: {"bank_accounts": []}})[2:]
    assert all(isinstance(one, Outcome) and one.verified for one in results(d365, bare))


def test_an_account_that_comes_before_its_vendor_is_no_matter_for_a_person(
    d365: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OData leaves the order within a changeset to the server."""
    answered = sandbox_batch.BatchRoute._changeset
    monkeypatch.setattr(
        sandbox_batch.BatchRoute, "_changeset", lambda self, parts, around: answered(self, parts[::-1], around)
    )
    found = results(d365, loads(2, {1: {"bank_accounts": []}}))
    assert [type(one) for one in found] == [Separately, Outcome]


def test_a_look_back_that_fails_leaves_them_made(d365: Platform) -> None:
    d365.fail("500", match=r"GET /data/VendorsV3\(")
    found = results(d365, loads(2))
    assert [(one.effect, one.verified) for one in found] == [("created", False)] * 2


def test_an_answer_that_lacks_one_is_in_doubt_for_that_one(d365: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    written = sandbox_batch._written
    monkeypatch.setattr(sandbox_batch, "_written", lambda answers: written(answers[:2]))
    assert [type(one) for one in results(d365, loads(3))] == [Outcome, Outcome, Ambiguous]
    assert len(made(d365)) == 3


def test_an_answer_in_another_order_is_in_doubt(d365: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    written = sandbox_batch._written
    monkeypatch.setattr(sandbox_batch, "_written", lambda answers: written(answers[::-1]))
    assert [type(one) for one in results(d365, loads(2))] == [Ambiguous] * 2


def test_an_answer_cut_short_is_in_doubt_for_all(d365: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    written = sandbox_batch._written

    def cut(answers: Parts) -> Response:
        whole = written(answers)
        return Response(whole.status, whole.body[:-60], whole.headers)

    monkeypatch.setattr(sandbox_batch, "_written", cut)
    found = results(d365, loads(2))
    assert [type(one) for one in found] == [Ambiguous] * 2 and "S-" not in found[0].body, "nothing of the others"


# Looking for several


def vat(number: str) -> dict[str, Any]:
    return {"tax_registrations": [{"uid": "t", "country": "DE", "scheme": "VAT", "number": number}]}


def test_of_two_with_one_tax_number_only_the_first_goes_along(d365: Platform) -> None:
    """The other one may be the same supplier: that is told when the first is there, as it is for single pushes."""
    pushes = loads(3, {0: vat("DE129273398"), 2: vat("DE129273398")})
    connector = d365.connector()
    assert cast(FindsMany, connector).find_many(pushes) == [False, False, True]
    assert all(isinstance(one, Outcome) for one in results(d365, pushes[:2]))
    assert cast(FindsMany, connector).find_many(pushes) == [True] * 3


def test_what_has_its_number_in_another_company_goes_alone(d365: Platform) -> None:
    """It joins the party there."""
    document = in_companies("NH10", "NH20", code="S-0", tax_registrations=[])
    d365.connector(company="nh20").push(push_of(document, {"companies": {"NH20": "nh20"}}))
    connector = d365.connector(company="nh10")
    assert cast(FindsMany, connector).find_many(loads(2)) == [True, False]


def test_what_cannot_be_placed_goes_alone(d365: Platform) -> None:
    pushes = [loads(1)[0], push_of(in_companies("NH10", "NH20", code="S-9"))]
    assert cast(FindsMany, d365.connector()).find_many(pushes) == [False, True]
    found = results(d365, pushes)
    assert isinstance(found[0], Outcome)
    assert isinstance(found[1], Refused) and found[1].problems[0].code == "several_companies"
