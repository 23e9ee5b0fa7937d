"""Rules of survivorship change by proposal, rehearsal on every record, a second person's signature, and a walk in batches."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import IntegrityError, transaction
from django.test import Client

from mdm import registry
from mdm.errors import CorrectInput, FourEyes, NotAllowed, NotNow
from mdm.models import ApprovalPolicy, ChangeItem, ChangeRequest, Event, Participant, RuleChange, SurvivorshipRule
from mdm.selectors import records
from mdm.services import background, changes, rebuilding, rule_changes, survivorship
from mdm.survival.rules import Rule
from suppliers.models import Supplier
from tests.mdm.test_survivorship import document, origin, state, two_sources
from tests.people import actor, person, supplier

pytestmark = pytest.mark.django_db
OLDEST = [Rule("payment_terms", ("oldest",), ranks={"buy": 1})]
BUY_FIRST = [Rule("payment_terms", ("source_rank",), ranks={"buy": 1, "erp": 5})]


def kind():
    return registry.get("supplier")


def aiko():
    return actor("aiko", "governance")


def propose(rules=None, **values: Any) -> RuleChange:
    return rule_changes.propose(
        kind=kind(), rules=rules or BUY_FIRST, reason="Buyers know", by=values.pop("by", aiko())
    )


def rehearsed(rules=None) -> RuleChange:
    row = rule_changes.run(propose(rules).pk)
    assert row is not None and row.state == "ready", row and row.error
    return row


def sign(row: RuleChange, by=None) -> None:
    assert row.change is not None
    changes.approve(change=row.change, by=by or actor("sue", "steward"), content_hash=row.change.content_hash)


def test_a_rehearsal_says_what_would_change_and_changes_nothing():
    two_sources()
    supplier(legal_name="Nobody else knows it")
    before = state()
    row = rehearsed()
    assert row.counts == {
        "records": 2, "changed": 1, "unchanged": 1, "asked": 0, "refused": 0, "fields": {"payment_terms": 1}
    }  # fmt: skip
    effect = row.effects.get()
    assert (effect.code, effect.path, effect.before, effect.after, effect.verdict) == (
        document()["code"], "payment_terms", "NET30", "NET45", "changed"
    )  # fmt: skip
    assert state() == before and not SurvivorshipRule.objects.exists()
    assert row.change is not None and (row.change.state, row.change.kind) == ("in_review", "rules")


def test_a_second_person_signs_and_the_records_follow_under_one_request():
    two_sources()
    supplier(legal_name="Nobody else knows it")
    row = rehearsed()
    before = state()
    with pytest.raises(FourEyes):
        sign(row, actor("aiko", "governance", "steward"))
    assert state() == before and not SurvivorshipRule.objects.exists()
    sign(row)
    assert survivorship.stored(kind()) == BUY_FIRST
    events = Event.objects.count()
    done = rule_changes.run(row.pk)
    assert done is not None and done.change is not None
    assert (done.state, done.change.state) == ("applied", "applied")
    assert {name: done.done[name] for name in ("changed", "unchanged")} == {"changed": 1, "unchanged": 1}
    assert (document()["payment_terms"], origin("payment_terms")["rule"]) == ("NET45", "source_rank")
    assert Event.objects.count() == events + 1
    assert [item.uid for item in ChangeItem.objects.filter(request=done.change)] == [
        Supplier.objects.order_by("id")[0].uid
    ]
    after = state()
    assert rule_changes.run(row.pk) is None  # a late ring finds nothing to do
    assert state() == after


def test_the_database_refuses_one_person_on_both_sides():
    two_sources()
    row = rehearsed()
    with pytest.raises(IntegrityError), transaction.atomic():
        Participant.objects.create(request=row.change, person=person("aiko"), side="checker")
    with pytest.raises(IntegrityError), transaction.atomic():
        RuleChange.objects.filter(pk=row.pk).update(state="applied", change=None)


def test_one_change_of_a_type_at_a_time_and_not_the_same_rules_again():
    two_sources()
    row = propose()
    with pytest.raises(NotNow, match="under way"):
        propose(OLDEST)
    rule_changes.withdraw(rule_change=row, by=aiko())
    with pytest.raises(CorrectInput, match="in force already"):
        rule_changes.propose(kind=kind(), rules=[], reason="x", by=aiko())
    assert propose(OLDEST).state == "rehearsing"


def test_only_governance_proposes_and_mistakes_are_named():
    with pytest.raises(NotAllowed):
        propose(by=actor("mara", "steward"))
    with pytest.raises(CorrectInput) as refused:
        propose([Rule("legal_name", ("union",)), Rule("nonsense")])
    assert {(p.path, p.code) for p in refused.value.problems} >= {
        ("legal_name/order", "aggregate_type"), ("nonsense/path", "unknown_path")
    }  # fmt: skip
    with pytest.raises(CorrectInput):
        rule_changes.propose(kind=kind(), rules=OLDEST, reason=" ", by=aiko())
    assert not RuleChange.objects.exists()


def test_a_rejected_or_withdrawn_change_is_over():
    two_sources()
    row = rehearsed()
    assert row.change is not None
    changes.reject(change=row.change, by=actor("sue", "steward"), content_hash=row.change.content_hash, comment="No")
    background.tick()
    row.refresh_from_db()
    assert (row.state, SurvivorshipRule.objects.count()) == ("closed", 0)
    other = rehearsed(OLDEST)
    rule_changes.withdraw(rule_change=other, by=aiko(), reason="Wrong")
    assert other.change is not None
    other.change.refresh_from_db()
    assert other.change.state == "withdrawn"
    with pytest.raises(NotNow):
        rule_changes.withdraw(rule_change=other, by=aiko())


def test_rules_that_moved_since_the_rehearsal_are_not_signed():
    two_sources()
    row = rehearsed()
    SurvivorshipRule.objects.create(type="supplier", path="", order="recency")
    with pytest.raises(NotNow, match="since this rehearsal"):
        sign(row)
    row.change.refresh_from_db()  # type: ignore[union-attr]
    assert row.change is not None and row.change.state == "in_review"


def test_no_policy_signs_rules_by_itself():
    ApprovalPolicy.objects.create(name="Everything", auto_approve=True)
    two_sources()
    row = rehearsed()
    assert row.change is not None
    assert (row.change.state, [step.role for step in row.change.steps.all()]) == ("in_review", ["steward"])


def test_a_killed_walk_goes_on_where_it_was_and_doubles_nothing(monkeypatch):
    monkeypatch.setattr(rebuilding, "BATCH", 2)
    two_sources()
    for number in range(4):
        supplier(legal_name=f"Other {number}")
    row = propose()
    rule_changes.run(row.pk, batches=1)
    row.refresh_from_db()
    assert (row.state, row.counts["records"]) == ("rehearsing", 2)
    assert rule_changes.waiting() == [row.pk]
    rule_changes.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.counts["records"], row.effects.count()) == ("ready", 5, 1)
    sign(row)
    rule_changes.run(row.pk, batches=2)
    row.refresh_from_db()
    assert (row.state, row.done["records"]) == ("applying", 4)
    background.tick()
    rule_changes.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.done["records"], row.done["changed"]) == ("applied", 5, 1)
    assert ChangeItem.objects.filter(request=row.change).count() == 1


def test_what_a_policy_leaves_to_people_is_counted_and_asked_for():
    ApprovalPolicy.objects.create(name="Terms", paths=["payment_terms"], origins=["survivorship"])
    two_sources()
    row = rehearsed()
    assert (row.counts["asked"], row.effects.get().verdict) == (1, "asked")
    before = document()
    sign(row)
    rule_changes.run(row.pk)
    assert document() == before
    change = ChangeRequest.objects.get(origin="survivorship")
    assert (change.state, change.requester) == ("in_review", None)
    changes.approve(change=change, by=actor("sue", "steward"), content_hash=change.content_hash)
    assert (document()["payment_terms"], origin("payment_terms")["system"]) == ("NET45", "buy")


def test_a_union_is_applied_and_taken_back():
    uid = supplier(trade_names=["Ours"], tags=["x"])["uid"]
    sign(row := rehearsed([Rule("trade_names", ("union",))]))
    rule_changes.run(row.pk)
    assert records.current_document("supplier", uid)["trade_names"] == ["Ours"]


def test_rules_that_make_no_sense_stop_the_start_and_imports_with_words():
    two_sources()
    SurvivorshipRule.objects.create(type="supplier", path="legal_name", order="union")
    with pytest.raises(SystemCheckError, match="legal_name/order makes no sense"):
        call_command("check", databases=["default"])
    with pytest.raises(CorrectInput, match="survivorship rules of suppliers have mistakes"):
        survivorship.load(kind())


# --- the admin ----------------------------------------------------------------------------------------------------


@pytest.fixture
def admin() -> Client:
    user = person("aiko", "governance")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


FORM = {"type": "supplier", "path": "payment_terms", "order": "recency", "ranks": "{}", "together": "", "keep_last": "on",
        "why": "Because"}  # fmt: skip
ADD = "/admin/mdm/survivorshiprule/add/"


def test_saving_in_the_admin_proposes(admin):
    answer = admin.post(ADD, FORM)
    row = RuleChange.objects.get()
    assert answer.status_code == 302 and answer["Location"] == f"/survivorship/changes/{row.uid}/"
    assert (row.rules, row.reason) == ([Rule("payment_terms", ("recency",)).as_json()], "Because")
    assert not SurvivorshipRule.objects.exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"order": "union"}, "only a list can be the union"),
        ({"order": "newest"}, "“newest” is none of"),
        ({"path": "nonsense"}, "has no field “nonsense”"),
        ({"type": "nonsense"}, "Name a record type"),
        ({"ranks": '{"oracle": 1}'}, "There is no system “oracle”"),
        ({"ranks": "[1]"}, "Give ranks as"),
        ({"together": "addresses"}, "is a list of rows"),
        ({"why": ""}, "This field is required"),
    ],
)
def test_the_form_says_what_is_wrong(admin, given, words):
    answer = admin.post(ADD, FORM | given)
    assert answer.status_code == 200 and words in answer.content.decode()
    assert not RuleChange.objects.exists()


def test_changing_and_deleting_in_the_admin_propose_too(admin):
    rule = SurvivorshipRule.objects.create(type="supplier", path="payment_terms", order="source_rank")
    url = f"/admin/mdm/survivorshiprule/{rule.pk}"
    assert admin.get(f"{url}/change/").status_code == 200
    assert admin.post(f"{url}/change/", {**FORM, "type": ""}).status_code == 302
    first = RuleChange.objects.get()
    assert first.rules[0]["order"] == ["recency"]
    refused = admin.post(f"{url}/delete/", {"post": "yes"}, follow=True)
    assert "under way" in refused.content.decode()
    rule_changes.withdraw(rule_change=first, by=aiko())
    admin.post(f"{url}/delete/", {"post": "yes"})
    assert RuleChange.objects.exclude(pk=first.pk).get().rules == []
    assert SurvivorshipRule.objects.filter(pk=rule.pk).exists()


def test_a_system_s_rank_is_not_changed_past_a_rehearsal(admin):
    from tests.people import system

    row = system("erp", rank=10)
    admin.post(
        f"/admin/mdm/system/{row.pk}/change/", {"title": "ERP", "mark": "ER", "tone": "a", "rank": "1", "code": "x"}
    )
    row.refresh_from_db()
    assert (row.title, row.rank, row.code) == ("ERP", 10, "erp")
