"""The life of a change request: proposed, decided by others, applied whole or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from mdm.errors import AlreadyDone, CorrectInput, FourEyes, NotAllowed, NotNow, Reload, StaleVersion
from mdm.models import ApprovalPolicy, AuditEntry, ChangeRequest, Event, PolicyStep, RecordVersion
from mdm.selectors import records
from mdm.services import changes
from mdm.services.changes import ProposedItem
from tests.people import actor, propose, supplier

pytestmark = pytest.mark.django_db


def approve(change, by):
    return changes.approve(change=change, by=by, content_hash=change.content_hash)


def test_an_approved_change_becomes_version_history_event_and_audit_together():
    before = supplier(legal_name="Acme AG")
    change = propose(before, actor("rita", "requester"), legal_name="Acme SE")
    assert (change.state, records.current_document("supplier", before["uid"])["legal_name"]) == (
        "in_review",
        "Acme AG",
    )

    change = approve(change, actor("stan", "steward"))

    after = records.current_document("supplier", before["uid"])
    assert (change.state, after["legal_name"], after["version"]) == ("applied", "Acme SE", 2)
    version = RecordVersion.objects.get(uid=before["uid"], version=2)
    assert (version.changed_paths, version.actor_name, version.change) == (["legal_name"], "Rita", change)
    event = Event.objects.get(subject=before["uid"], version=2)
    assert (event.verb, event.correlation_id) == ("updated", change.correlation_id)
    assert AuditEntry.objects.filter(object_uid=before["uid"], action="record.updated").count() == 1
    from suppliers.models import Supplier

    rows = Supplier.history.filter(uid=before["uid"]).order_by("history_id")
    assert [(row.history_type, row.legal_name) for row in rows] == [("+", "Acme AG"), ("~", "Acme SE")]
    assert rows.last().history_user.username == "rita"


@pytest.mark.parametrize("roles", [("steward",), ("requester", "steward", "approver", "treasury")])
def test_nobody_approves_what_they_made_whatever_their_roles(roles):
    document = supplier()
    maker = actor("maker", "requester", *roles)
    change = propose(document, maker, legal_name="Other")
    with pytest.raises(FourEyes):
        approve(change, maker)
    assert changes.why_not(change, "approve", maker)[0] is FourEyes
    assert records.current_document("supplier", document["uid"])["version"] == 1


def test_who_edits_a_request_becomes_its_maker_and_approvals_lapse():
    PolicyStep.objects.create(
        policy=ApprovalPolicy.objects.create(name="two", origins=["web"]), role="approver", quorum=2
    )
    document = supplier()
    change = propose(document, actor("rita", "requester"), legal_name="First")
    change = approve(change, actor("ann", "approver"))
    editor = actor("sue", "steward", "approver")
    item = ProposedItem(type="supplier", uid=document["uid"], patch={"legal_name": "Second"})
    edited = changes.edit(change=change, by=editor, items=[item])
    assert edited.content_hash != change.content_hash
    assert edited.approvals.filter(lapsed_at=None).count() == 0
    with pytest.raises(FourEyes):
        approve(edited, editor)


def test_a_checker_cannot_turn_maker():
    PolicyStep.objects.create(policy=ApprovalPolicy.objects.create(name="two"), role="approver", quorum=2)
    document = supplier_with_policy()
    change = propose(document, actor("rita", "requester"), legal_name="First")
    ann = actor("ann", "approver")
    change = approve(change, ann)
    item = ProposedItem(type="supplier", uid=document["uid"], patch={"legal_name": "Second"})
    with pytest.raises(FourEyes):
        changes.edit(change=change, by=actor("ann", "steward"), items=[item])
    assert change.items.get().changes[0]["after"] == "First"


def supplier_with_policy():
    policies = list(ApprovalPolicy.objects.all())
    ApprovalPolicy.objects.update(active=False)
    document = supplier()
    for policy in policies:
        policy.active = True
        policy.save()
    return document


def test_approving_something_other_than_what_was_seen_is_refused():
    document = supplier()
    change = propose(document, actor("rita", "requester"), legal_name="Seen")
    seen = change.content_hash
    item = ProposedItem(type="supplier", uid=document["uid"], patch={"legal_name": "Changed afterwards"})
    changes.edit(change=change, by=actor("rita", "requester"), items=[item])
    with pytest.raises(Reload):
        changes.approve(change=change, by=actor("stan", "steward"), content_hash=seen)
    with pytest.raises(CorrectInput):
        changes.approve(change=change, by=actor("stan", "steward"), content_hash="")
    assert records.current_document("supplier", document["uid"])["version"] == 1


def test_a_step_is_for_its_role_and_a_quorum_needs_different_people():
    policy = ApprovalPolicy.objects.create(name="bank", paths=["bank_accounts"], actions=["update"])
    PolicyStep.objects.create(policy=policy, order=1, role="approver", quorum=2)
    PolicyStep.objects.create(policy=policy, order=2, role="treasury")
    document = supplier()
    account = [{"iban": "DE89370400440532013000"}]
    change = propose(document, actor("rita", "requester"), bank_accounts=account)
    with pytest.raises(NotAllowed):
        approve(change, actor("tom", "treasury"))
    ann = actor("ann", "approver")
    change = approve(change, ann)
    with pytest.raises(AlreadyDone):
        approve(change, ann)
    change = approve(change, actor("bob", "second_approver"))
    assert change.state == "in_review"
    change = approve(change, actor("tom", "treasury"))
    assert change.state == "applied"
    assert [a.participant.side for a in change.approvals.all()] == ["checker"] * 3


def test_a_superuser_is_no_approver():
    from django.contrib.auth.models import User

    from mdm.permissions import actor_of

    root = actor_of(User.objects.create_superuser("root", password="x"))
    change = propose(supplier(), actor("rita", "requester"), legal_name="Other")
    with pytest.raises(NotAllowed):
        approve(change, root)


def test_changes_of_other_fields_are_no_conflict_and_the_same_field_is():
    document = supplier(legal_name="Acme", currency="EUR", website="acme.example")
    rita, stan = actor("rita", "requester"), actor("stan", "steward")
    name, site = (
        propose(document, rita, legal_name="Acme 2"),
        propose(document, rita, website="acme2.example"),
    )
    rival = propose(document, rita, legal_name="Acme 3")
    assert [approve(c, stan).state for c in (name, site, rival)] == ["applied", "applied", "conflicted"]
    current = records.current_document("supplier", document["uid"])
    assert (current["legal_name"], current["website"], current["version"]) == ("Acme 2", "acme2.example", 3)
    rival.refresh_from_db()
    assert rival.items.get().conflicts == [
        {"path": "legal_name", "base": "Acme", "proposed": "Acme 3", "current": "Acme 2"}
    ]
    rival = changes.resolve(change=rival, by=rita, choices={"legal_name": "proposed"})
    assert rival.state == "in_review"
    assert approve(rival, stan).state == "applied"
    assert records.current_document("supplier", document["uid"])["legal_name"] == "Acme 3"


def test_all_items_commit_or_none():
    one, two = supplier(currency="EUR"), supplier(currency="EUR")
    rita, stan = actor("rita", "requester"), actor("stan", "steward")
    items = [ProposedItem(type="supplier", uid=d["uid"], patch={"currency": "USD"}) for d in (one, two)]
    both = changes.propose(items=items, by=rita)
    approve(propose(two, rita, currency="GBP"), stan)
    assert approve(both, stan).state == "conflicted"
    assert records.current_document("supplier", one["uid"])["currency"] == "EUR"


def test_a_request_with_a_future_date_waits_and_is_applied_on_its_day(monkeypatch):
    document = supplier(currency="EUR")
    day = timezone.localdate() + timedelta(days=3)
    item = ProposedItem(type="supplier", uid=document["uid"], patch={"currency": "USD"})
    change = changes.propose(items=[item], by=actor("rita", "requester"), effective_on=day)
    change = approve(change, actor("stan", "steward"))
    assert (change.state, records.current_document("supplier", document["uid"])["currency"]) == (
        "scheduled",
        "EUR",
    )
    assert changes.apply_due(by=actor("stan")) == 0
    change.effective_on = timezone.localdate()
    change.save()
    changes.apply_due(by=actor("stan"))
    assert records.current_document("supplier", document["uid"])["currency"] == "USD"


def test_a_decision_against_needs_a_reason_and_leaves_the_record_alone():
    document = supplier()
    change = propose(document, actor("rita", "requester"), legal_name="Other")
    stan = actor("stan", "steward")
    with pytest.raises(CorrectInput):
        changes.reject(change=change, by=stan, content_hash=change.content_hash, comment=" ")
    change = changes.reject(change=change, by=stan, content_hash=change.content_hash, comment="No.")
    assert (change.state, records.current_document("supplier", document["uid"])["version"]) == ("rejected", 1)
    with pytest.raises(NotNow):
        approve(change, actor("sue", "steward"))


def test_a_returned_request_comes_back_after_its_requester_changed_it():
    document = supplier()
    rita, stan = actor("rita", "requester"), actor("stan", "steward")
    change = propose(document, rita, legal_name="Othr")
    change = changes.send_back(change=change, by=stan, content_hash=change.content_hash, comment="Typo")
    item = ProposedItem(type="supplier", uid=document["uid"], patch={"legal_name": "Other"})
    change = changes.edit(change=change, by=rita, items=[item])
    change = changes.submit_request(change=change, by=rita)
    assert approve(change, stan).state == "applied"


def test_revert_proposes_the_inverse_and_erases_nothing():
    document = supplier(legal_name="Acme")
    rita, stan = actor("rita", "requester"), actor("stan", "steward")
    change = approve(propose(document, rita, legal_name="Wrong"), stan)
    back = changes.revert(change=change, by=rita, reason="Typed into the wrong record.")
    assert (back.state, back.reverts) == ("in_review", change)
    approve(back, stan)
    assert records.current_document("supplier", document["uid"])["legal_name"] == "Acme"
    assert RecordVersion.objects.filter(uid=document["uid"]).count() == 3


def test_block_unblock_and_retire_follow_each_other():
    document = supplier()
    rita, stan = actor("rita", "requester"), actor("stan", "steward")
    for action, status in (("block", "blocked"), ("unblock", "active"), ("retire", "retired")):
        item = ProposedItem(type="supplier", action=action, uid=document["uid"])
        approve(changes.propose(items=[item], by=rita), stan)
        assert records.current_document("supplier", document["uid"])["status"] == status
    with pytest.raises(NotNow):
        changes.propose(items=[ProposedItem(type="supplier", action="block", uid=document["uid"])], by=rita)


def test_a_stale_base_version_is_refused_before_anything_is_stored():
    document = supplier()
    rita = actor("rita", "requester")
    approve(propose(document, rita, legal_name="New"), actor("stan", "steward"))
    item = ProposedItem(type="supplier", uid=document["uid"], patch={"currency": "USD"}, base_version=1)
    with pytest.raises(StaleVersion):
        changes.propose(items=[item], by=rita)


def test_without_the_right_nothing_can_be_proposed():
    document = supplier()
    with pytest.raises(NotAllowed):
        propose(document, actor("jonas", "auditor"), legal_name="Other")


def test_a_policy_may_demand_a_reason():
    ApprovalPolicy.objects.create(name="why", origins=["web"], require_reason=True)
    with pytest.raises(CorrectInput, match="Say why"):
        propose(supplier(), actor("rita", "requester"), legal_name="Other")


def test_the_date_of_a_request_can_be_taken_away_again():
    day = timezone.localdate() + timedelta(days=9)
    rita = actor("rita", "requester")
    before = supplier()
    item = ProposedItem(type="supplier", uid=before["uid"], patch={"legal_name": "Later AG"})
    change = changes.propose(items=[item], by=rita, effective_on=day)
    kept = changes.edit(change=change, by=rita, reason="As agreed.")
    assert (kept.effective_on, kept.content_hash) == (day, change.content_hash)
    freed = changes.edit(change=kept, by=rita, effective_on=None)
    assert freed.effective_on is None and freed.content_hash != change.content_hash
    assert approve(freed, actor("stan", "steward")).state == "applied"


def test_a_code_is_text():
    item = ProposedItem(type="supplier", action="create", patch={"legal_name": "Number AG", "code": 4711})
    with pytest.raises(CorrectInput) as refused:
        changes.propose(items=[item], by=actor("rita", "requester"))
    assert [(p.path, p.code) for p in refused.value.problems] == [("code", "string_type")]
    assert ChangeRequest.objects.count() == 0
