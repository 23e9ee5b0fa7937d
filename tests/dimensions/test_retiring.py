"""A record that others use leaves with a plan for them: refused without one, carried out whole, looked at again when applied."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from mdm import registry
from mdm.errors import CorrectInput, StillUsed
from mdm.models import ApprovalPolicy, ChangeRequest, RecordVersion
from mdm.selectors import records
from mdm.services import changes
from mdm.services.proposing import ProposedItem
from mdm.types import Document
from tests.api.callers import caller
from tests.people import SETUP, actor, auto_approve, make
from tests.web.visitors import browser, page_of, read

pytestmark = pytest.mark.django_db
TODAY = date(2026, 6, 15)


@pytest.fixture(autouse=True)
def day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "localdate", lambda value=None, timezone=None: TODAY)


@pytest.fixture
def profit_center() -> Document:
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")
    make("profit_center", code="PC2", name="Services")
    return make("profit_center", code="PC1", name="Pumps")


def center(code: str = "CC1", **values: Any) -> Document:
    given = {"name": "Foundry", "legal_entity": "NH10", "category": "production", "profit_center": "PC1"}
    return make("cost_center", code=code, **{**given, **values})


def leave(document: Document, plan: Any = None, **more: Any) -> ChangeRequest:
    key = document["schema"].split("/")[0]
    patch = more.pop("patch", None)
    action = "update" if patch else "retire"
    item = ProposedItem(type=key, action=action, uid=document["uid"], patch=patch, plan=plan)
    return changes.propose(items=[item], by=actor("nora", "requester"), reason="Reorganisation", **more)


def approve(asked: ChangeRequest) -> ChangeRequest:
    asked.refresh_from_db()
    return changes.approve(change=asked, by=actor("stan", "steward"), content_hash=asked.content_hash)


def now(document: Document) -> Document:
    return records.current_document(document["schema"].split("/")[0], document["uid"])


def used(document: Document) -> list[tuple[Any, ...]]:
    return [(s["valid_from"], s["valid_to"], s["profit_center"]) for s in now(document)["slices"]]


def test_without_a_plan_it_is_refused_with_who_uses_it(profit_center: Document) -> None:
    center(), center("CC2", name="Assembly")
    make("project", code="P1", name="Plant", legal_entity="NH10", stage="planned", profit_center="PC1")
    before = (RecordVersion.objects.count(), ChangeRequest.objects.count())
    with pytest.raises(StillUsed) as caught:
        leave(profit_center)
    assert "is still used by 2 cost centers and 1 project" in caught.value.message
    assert [problem.message for problem in caught.value.problems] == [
        "Cost center CC1 Foundry refers to it (profit center).",
        "Cost center CC2 Assembly refers to it (profit center).",
        "Project P1 Plant refers to it (profit center).",
    ]
    assert {problem.path for problem in caught.value.problems} == {"plan"}
    assert (RecordVersion.objects.count(), ChangeRequest.objects.count()) == before


def test_nobody_uses_it_any_more_or_only_in_the_past(profit_center: Document) -> None:
    row = {"name": "Old", "legal_entity": "NH10", "category": "sales"}
    center(
        slices=[
            {**row, "profit_center": "PC1", "valid_to": "2026-02-01"},
            {**row, "profit_center": "PC2", "valid_from": "2026-02-01"},
        ],
        name="Old",
        category="sales",
        profit_center="PC2",
    )
    assert approve(leave(profit_center)).state == "applied"
    assert now(profit_center)["status"] == "retired"


def test_a_period_that_begins_later_counts(profit_center: Document) -> None:
    made = center(profit_center="PC2")
    auto_approve("system")
    item = ProposedItem(type="cost_center", uid=made["uid"], patch={"profit_center": "PC1", "valid_from": "2027-01-01"})
    changes.propose(items=[item], by=SETUP, origin="system")
    with pytest.raises(StillUsed):
        leave(profit_center)


def test_everybody_is_repointed_from_a_day_on_or_nobody(profit_center: Document) -> None:
    one, two = center(), center("CC2", name="Assembly", valid_from="2026-01-01")
    asked = leave(profit_center, {"replace_with": "PC2", "from": "2026-05-01"})
    assert (asked.title, asked.items.count(), asked.risk_flags) == ("Replace Pumps by PC2", 3, [])
    assert used(one) == [(None, None, "PC1")]
    assert approve(asked).state == "applied"
    assert used(one) == [(None, "2026-05-01", "PC1"), ("2026-05-01", None, "PC2")]
    assert used(two) == [("2026-01-01", "2026-05-01", "PC1"), ("2026-05-01", None, "PC2")]
    assert now(profit_center)["status"] == "retired"
    patch = {"responsible": "Bea"}  # its past names a retired record, and it can be changed all the same
    auto_approve("system")
    item = ProposedItem(type="cost_center", uid=one["uid"], patch=patch)
    assert changes.propose(items=[item], by=SETUP, origin="system").state == "applied"


def test_they_stay_as_they_are_with_a_reason_that_approvers_see(profit_center: Document) -> None:
    one = center()
    asked = leave(profit_center, {"keep": "They are closed next month."})
    [flag] = asked.risk_flags
    assert (flag["code"], flag["severity"]) == ("still_used", "high")
    assert flag["message"] == "Still used by 1 cost center, which stay as they are: They are closed next month."
    assert "They are closed next month." in read(browser("stan", "steward"), page_of(asked))
    assert approve(asked).state == "applied" and used(one) == [(None, None, "PC1")]


def test_closing_on_a_day_is_leaving_too(profit_center: Document) -> None:
    one = center()
    with pytest.raises(StillUsed):
        leave(profit_center, patch={"valid_to": "2026-12-31"})
    asked = leave(profit_center, {"replace_with": "PC2"}, patch={"valid_to": "2026-12-31"})
    assert approve(asked).state == "applied"
    assert used(one) == [(None, "2026-12-31", "PC1"), ("2026-12-31", None, "PC2")]
    center("CC3", valid_to="2026-12-01")
    with pytest.raises(StillUsed, match="used by 2 cost centers"):
        leave(now(profit_center), patch={"valid_to": "2026-11-30"})
    with pytest.raises(StillUsed, match="used by 1 cost center"):
        leave(now(profit_center), patch={"valid_to": "2026-12-01"})


def test_who_leaves_or_is_repointed_in_the_same_request_needs_no_plan(profit_center: Document) -> None:
    one, two = center(), center("CC2")
    items = [
        ProposedItem(type="profit_center", action="retire", uid=profit_center["uid"]),
        ProposedItem(type="cost_center", action="retire", uid=one["uid"]),
        ProposedItem(type="cost_center", uid=two["uid"], patch={"profit_center": "PC2"}),
    ]
    asked = changes.propose(items=items, by=actor("nora", "requester"), reason="Reorganisation")
    assert approve(asked).state == "applied" and now(profit_center)["status"] == "retired"


def test_who_began_to_use_it_since_is_a_conflict_and_the_plan_is_carried_out_for_them_too(
    profit_center: Document,
) -> None:
    center()
    asked = leave(profit_center, {"replace_with": "PC2"})
    two = center("CC2", name="Assembly")
    count = RecordVersion.objects.count()
    assert approve(asked).state == "conflicted" and RecordVersion.objects.count() == count
    [conflict] = asked.items.get(type="profit_center").conflicts
    assert conflict["path"] == "plan" and "Cost center CC2 Assembly refers to it" in conflict["why"]
    assert "Cost center CC2 Assembly refers to it" in read(browser("stan", "steward"), page_of(asked))
    asked.refresh_from_db()
    with pytest.raises(CorrectInput, match="withdraw it"):
        changes.resolve(change=asked, by=actor("mara", "steward"), choices={"plan": "current"})
    changes.resolve(change=asked, by=actor("mara", "steward"), choices={"plan": "proposed"})
    assert approve(asked).state == "applied"
    assert used(two) == [(None, "2026-06-15", "PC1"), ("2026-06-15", None, "PC2")]
    assert now(profit_center)["status"] == "retired"


def test_more_than_were_told_is_a_conflict_of_a_plan_that_keeps_them(profit_center: Document) -> None:
    center()
    asked = leave(profit_center, {"keep": "Closed next month."})
    center("CC2")
    assert approve(asked).state == "conflicted"
    asked.refresh_from_db()
    changes.resolve(change=asked, by=actor("mara", "steward"), choices={"plan": "proposed"})
    asked.refresh_from_db()
    assert "Still used by 2 cost centers" in asked.risk_flags[0]["message"]
    assert approve(asked).state == "applied"


@pytest.mark.parametrize(
    ("plan", "path", "code"),
    [
        ({}, None, "still_used"),
        ({"keep": "  "}, "plan", "invalid_plan"),
        ({"move": "x"}, "plan", "invalid_plan"),
        ({"replace_with": "PC9"}, "plan/replace_with", "no_replacement"),
        ({"replace_with": "PC1"}, "plan/replace_with", "no_replacement"),
        ({"replace_with": "PC2", "from": "2026-07-01"}, "plan/from", "too_late"),
        ({"replace_with": "PC2", "from": "soon"}, "plan/from", "date_parsing"),
        ({"keep": "Yes", "from": "2026-01-01"}, "plan/from", "without_replacement"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_at_its_field(
    profit_center: Document, plan: Any, path: str | None, code: str
) -> None:
    center()
    before = ChangeRequest.objects.count()
    with pytest.raises(CorrectInput) as caught:
        leave(profit_center, plan)
    problem = caught.value.problems[0]
    assert (problem.path, problem.code) == (path or "plan", code) and ChangeRequest.objects.count() == before


def test_a_plan_belongs_to_a_record_that_leaves(profit_center: Document) -> None:
    with pytest.raises(CorrectInput, match="retired or closed"):
        leave(profit_center, {"keep": "Yes"}, patch={"name": "Pumps and more"})


def test_undoing_a_creation_asks_for_a_plan_like_any_retirement(profit_center: Document) -> None:
    center()
    made = RecordVersion.objects.get(uid=profit_center["uid"]).change
    with pytest.raises(StillUsed):
        changes.revert(change=made, by=actor("nora", "requester"), reason="A mistake")


def test_over_rest(profit_center: Document) -> None:
    one = center()
    ApprovalPolicy.objects.create(name="Everything", auto_approve=True)
    by = caller("steward")
    refused = by.post_json(f"profit-centers/{profit_center['uid']}/retire/", {"reason": "Reorganisation"})
    assert (refused.status_code, refused.json()["code"], refused.json()["used_count"]) == (409, "still_used", 1)
    assert refused.json()["errors"][0]["path"] == "plan" and refused.json()["used"][0]["code"] == "CC1"
    closing = {"valid_to": "2026-12-31", "_plan": {"keep": "For the closing entries."}}
    assert by.patch_json(f"profit-centers/{profit_center['uid']}/", closing, If_Match='"1"').status_code == 200
    plan = {"replace_with": "PC2", "from": "2026-06-01"}
    body = {"reason": "Reorganisation", "plan": plan}
    done = by.post_json(f"profit-centers/{profit_center['uid']}/retire/", body)
    assert (done.status_code, done.json()["status"]) == (200, "retired")
    assert used(one) == [(None, "2026-06-01", "PC1"), ("2026-06-01", None, "PC2")]
    item = {"type": "profit_center", "uid": "code:PC2", "action": "retire"}
    left = by.post_json("change-requests/", {"items": [item], "reason": "Too"})
    assert left.status_code == 409
    kept = by.post_json("change-requests/", {"items": [{**item, "plan": {"keep": "Yes"}}], "reason": "Too"})
    assert kept.status_code == 202 and kept.json()["risk_flags"][0]["code"] == "still_used"


def test_the_page_lists_who_uses_it_and_offers_both_plans(profit_center: Document) -> None:
    one = center()
    nora = browser("nora", "requester")
    asked: Any = nora.post(
        f"/records/profit-centers/{profit_center['uid']}/status/retire/", {"reason": "Reorganisation"}
    )
    url = f"/records/profit-centers/{profit_center['uid']}/leave/"
    assert asked["Location"] == f"{url}?reason=Reorganisation" and not ChangeRequest.objects.filter(state="in_review")
    page = read(nora, asked["Location"])
    for words in (
        "Foundry",
        f"/records/cost-centers/{one['uid']}/",
        "Replace it",
        "leave them as they are",
        "1 cost center",
    ):
        assert words in page
    wrong: Any = nora.post(url, {"reason": "Why not", "plan": "replace", "replace_with": "PC9"})
    assert wrong.status_code == 422 and "PC9" in wrong.content.decode() and "Why not" in wrong.content.decode()
    assert nora.post(url, {"reason": "", "plan": "keep", "keep": "Yes"}).status_code == 422
    sent: Any = nora.post(url, {"reason": "Why not", "plan": "replace", "replace_with": "PC2", "on": "2026-12-31"})
    change = ChangeRequest.objects.latest("pk")
    assert sent["Location"] == f"/requests/{10_000 + change.pk}/" and change.items.count() == 2
    assert "no plan is needed" in read(nora, f"/records/cost-centers/{one['uid']}/leave/")
    assert browser("otto", "auditor").get(url).status_code == 403


def test_records_of_other_companies_are_counted_not_named(profit_center: Document) -> None:
    make("legal_entity", code="NH20", name="Nordhaven France", country="FR", currency="EUR")
    center(), center("CC2", name="Secret plant", legal_entity="NH20"), center("CC3", name="Other", legal_entity="NH20")
    by = caller("requester", entities=("NH10",))
    item = {"type": "profit_center", "uid": profit_center["uid"], "action": "retire"}
    answer = by.post_json("change-requests/", {"items": [item], "reason": "Reorganisation"})
    assert answer.status_code == 409 and b"Secret" not in answer.content
    body = answer.json()
    assert [error["message"] for error in body["errors"]] == [
        "Cost center CC1 Foundry refers to it (profit center).",
        "2 records of companies that you do not see refer to it.",
    ]
    assert ([one["code"] for one in body["used"]], body["used_count"]) == (["CC1"], 3)
    page = read(
        browser("nina", "requester", entities=("NH10",)), f"/records/profit-centers/{profit_center['uid']}/leave/"
    )
    assert "Foundry" in page and "2 records of companies that you do not see" in page and "Secret" not in page
    assert "2 of them belong to companies that you do not see" in page and 'name="replace_with"' not in page
    assert not ChangeRequest.objects.filter(state="in_review").exists()


def test_who_does_not_see_all_of_them_cannot_replace_it_but_leave_them(profit_center: Document) -> None:
    make("legal_entity", code="NH20", name="Nordhaven France", country="FR", currency="EUR")
    center(), center("CC2", name="Secret plant", legal_entity="NH20")
    by = caller("requester", entities=("NH10",))
    item = {"type": "profit_center", "uid": profit_center["uid"], "action": "retire"}

    def asked(plan: Any) -> Any:
        return by.post_json("change-requests/", {"items": [{**item, "plan": plan}], "reason": "Reorganisation"})

    refused = asked({"replace_with": "PC2"})
    assert refused.status_code == 400 and b"Secret" not in refused.content and b"CC2" not in refused.content
    (told,) = refused.json()["errors"]
    assert (told["path"], told["code"]) == ("plan/replace_with", "foreign_entity")
    assert "Leave them as they are" in told["message"] and not ChangeRequest.objects.filter(state="in_review").exists()
    assert asked({"keep": "They end this year"}).status_code == 202


def test_every_kind_of_reference_is_repointed() -> None:
    """Fields, rows of lists and the periods of dated records, of every type that refers to one."""
    kinds = {(other.key, path) for other in registry.all_types() for path in other.references}
    assert {("gl_mapping", "source_chart"), ("cost_center", "slices.legal_entity")} <= kinds
    make("chart_of_accounts", code="NEW", name="New")
    chart = make("chart_of_accounts", code="OLD", name="Old")
    account = make("gl_account", code="A1", chart="OLD", number="1", name="One", kind="asset")
    row = make("gl_mapping", name="M", source_chart="OLD", target_chart="NEW", kind="explicit", source="1", target="2")
    assert approve(leave(chart, {"replace_with": "NEW"})).state == "applied"
    assert now(account)["chart"] == "NEW" and now(row)["source_chart"] == "NEW"


def test_what_waits_cannot_begin_to_use_what_was_retired_meanwhile(profit_center: Document) -> None:
    one = center(profit_center="PC2")
    item = ProposedItem(type="cost_center", uid=one["uid"], patch={"profit_center": "PC1"})
    asked = changes.propose(items=[item], by=actor("nora", "requester"))
    assert approve(leave(profit_center)).state == "applied"
    count = RecordVersion.objects.count()
    assert approve(asked).state == "conflicted" and RecordVersion.objects.count() == count
    [conflict] = asked.items.get().conflicts
    assert conflict["why"] == (
        "Profit center PC1 is not in use any more: keep what is there, or edit the request."
    ) and conflict["path"].endswith("/profit_center")
