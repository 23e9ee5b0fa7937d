"""Reviewing: one screen for a request, decisions that sign what was seen, four eyes, conflicts, discussion, undo."""

from __future__ import annotations

import pytest

from mdm.models import AuditEntry, ChangeRequest
from mdm.services import changes, merging
from mdm.services.proposing import ProposedItem
from mdm.types import Document
from tests.people import actor, make, propose, supplier
from tests.web.visitors import IBAN, MASK, browser, page_of, queries, read

pytestmark = pytest.mark.django_db


def asked(**patch: object) -> tuple[Document, ChangeRequest]:
    record = supplier(legal_name="Bergbau Nord GmbH")
    return record, propose(record, actor("nora", "requester"), **(patch or {"website": "https://bergbau.example"}))


def decide(name: str, change: ChangeRequest, decision: str, *roles: str, comment: str = "", seen: str = "") -> object:
    data = {"decision": decision, "content_hash": seen or change.content_hash, "comment": comment}
    answer = browser(name, *roles).post(page_of(change, "decide/"), data)
    change.refresh_from_db()
    return answer


def test_the_review_shows_what_changes_and_who_decides() -> None:
    _, change = asked()
    html = read(browser("mara", "steward"), page_of(change))
    for words in ("Bergbau Nord GmbH", "https://bergbau.example", "Needs you", "Approve change", "Data steward: you"):
        assert words in html


def test_bank_numbers_are_masked() -> None:
    _, change = asked(bank_accounts=[{"iban": IBAN, "holder": "Bergbau Nord"}])
    html = read(browser("mara", "steward"), page_of(change))
    assert MASK in html
    assert IBAN not in html


def test_approving_applies_and_says_so() -> None:
    _, change = asked()
    answer = browser("mara", "steward").post(
        page_of(change, "decide/"), {"decision": "approve", "content_hash": change.content_hash}, follow=True
    )
    change.refresh_from_db()
    assert change.state == "applied"
    assert "Applied: " in answer.content.decode()
    assert page_of(change, "undo/") in answer.content.decode()


def test_nobody_approves_their_own_request() -> None:
    change = propose(supplier(), actor("mara", "steward"), website="https://own.example")
    html = read(browser("mara"), page_of(change))
    assert "somebody else must decide" in html
    answer = decide("mara", change, "approve")
    assert answer.status_code == 403  # type: ignore[attr-defined]
    assert change.state == "in_review"


def test_a_requester_without_the_right_sees_why_not() -> None:
    _, change = asked()
    answer = decide("rita", change, "approve", "requester")
    assert answer.status_code == 403  # type: ignore[attr-defined]
    assert "do not have the right to approve" in answer.content.decode()  # type: ignore[attr-defined]


def test_what_changed_after_it_was_opened_is_not_approved() -> None:
    _, change = asked()
    answer = decide("mara", change, "approve", "steward", comment="Fine with me.", seen="0" * 64)
    assert answer.status_code == 409  # type: ignore[attr-defined]
    html = answer.content.decode()  # type: ignore[attr-defined]
    assert "was changed after you opened it" in html
    assert "Fine with me." in html
    assert change.state == "in_review"


@pytest.mark.parametrize(("decision", "state"), [("reject", "rejected"), ("return", "returned")])
def test_turning_down_needs_words(decision: str, state: str) -> None:
    _, change = asked()
    assert decide("mara", change, decision, "steward").status_code == 422  # type: ignore[attr-defined]
    assert change.state == "in_review"
    assert decide("mara", change, decision, comment="The domain is not theirs.").status_code == 302  # type: ignore[attr-defined]
    assert change.state == state
    assert "The domain is not theirs." in read(browser("mara"), page_of(change))


def test_an_unknown_decision_changes_nothing() -> None:
    _, change = asked()
    assert decide("mara", change, "apply", "steward").status_code == 422  # type: ignore[attr-defined]
    assert change.state == "in_review"


def test_next_never_leads_away_from_the_hub() -> None:
    _, change = asked()
    data = {"decision": "approve", "content_hash": change.content_hash, "next": "https://evil.example/"}
    answer = browser("mara", "steward").post(page_of(change, "decide/"), data)
    assert answer["Location"] == page_of(change)


def test_withdrawing_is_for_its_requester() -> None:
    _, change = asked()
    assert decide("rita", change, "withdraw", "requester").status_code == 403  # type: ignore[attr-defined]
    assert decide("nora", change, "withdraw").status_code == 302  # type: ignore[attr-defined]
    assert change.state == "withdrawn"


def test_two_steps_one_after_the_other() -> None:
    from mdm.models import ApprovalPolicy

    policy = ApprovalPolicy.objects.create(name="Both", actions=["update"], types=["supplier"])
    policy.steps.create(order=1, role="steward")
    policy.steps.create(order=2, role="treasury")
    _, change = asked()
    assert "Approving passes it to" in read(browser("mara", "steward"), page_of(change))
    decide("mara", change, "approve")
    assert change.state == "in_review"
    assert decide("diego", change, "approve", "approver").status_code == 403  # type: ignore[attr-defined]
    decide("tom", change, "approve", "treasury")
    assert change.state == "applied"


def test_undo_asks_for_the_values_of_before() -> None:
    _, change = asked()
    decide("mara", change, "approve", "steward")
    answer = browser("mara").post(page_of(change, "undo/"))
    inverse = ChangeRequest.objects.get(reverts=change)
    assert answer["Location"] == page_of(inverse)
    assert "This undoes" in read(browser("mara"), page_of(inverse))
    assert inverse.state == "in_review"


# --- conflicts ------------------------------------------------------------------------------------------------


def conflicted() -> ChangeRequest:
    record, change = asked(currency="USD")
    other = propose(record, actor("rita", "requester"), currency="GBP")
    decide("mara", other, "approve", "steward")
    assert "Somebody changed the same fields since" in read(browser("mara"), page_of(change))
    decide("mara", change, "approve")
    assert change.state == "conflicted"
    return change


def test_a_conflict_is_settled_row_by_row() -> None:
    change = conflicted()
    html = read(browser("nora"), page_of(change))
    assert 'name="choice-0/currency"' in html
    nothing = browser("nora").post(page_of(change, "resolve/"), {})
    assert nothing.status_code == 422
    answer = browser("nora").post(page_of(change, "resolve/"), {"choice-0/currency": "proposed"})
    assert answer.status_code == 302
    change.refresh_from_db()
    assert change.state == "in_review"


def test_who_decided_does_not_settle() -> None:
    change = conflicted()
    answer = browser("mara").post(page_of(change, "resolve/"), {"choice-0/currency": "proposed"})
    assert answer.status_code == 403


# --- discussion and surroundings ------------------------------------------------------------------------------


def test_comments() -> None:
    _, change = asked()
    browser("rita", "requester").post(page_of(change, "comment/"), {"text": "Seen the <b>letter</b>."})
    html = read(browser("mara", "steward"), page_of(change))
    assert "Seen the &lt;b&gt;letter&lt;/b&gt;." in html
    assert browser("rita").post(page_of(change, "comment/"), {"text": "  "}).status_code == 422


def test_a_new_record_is_held_against_those_that_exist() -> None:
    supplier(legal_name="Caprice Électronique SAS", country="FR")
    twin = {"legal_name": "Caprice Electronique SAS", "country": "FR"}
    change = changes.propose(
        items=[ProposedItem(type="supplier", action="create", patch=twin)], by=actor("nora", "requester")
    )
    html = read(browser("mara", "steward"), page_of(change))
    assert "Possible duplicates" in html
    assert "Caprice Électronique SAS" in html


def test_a_merge_shows_every_record() -> None:
    from mdm import registry

    left, right = supplier(legal_name="Left AG"), supplier(legal_name="Right AG")
    change = merging.propose(
        kind=registry.get("supplier"), survivor=left["uid"], losers=[right["uid"]], by=actor("nora", "requester")
    )
    html = read(browser("mara", "steward"), page_of(change))
    assert "Left AG" in html
    assert "Right AG" in html


def test_many_records_come_page_by_page() -> None:
    items = [
        ProposedItem(type="supplier", action="create", patch={"legal_name": f"Number {n:02} AG"}) for n in range(14)
    ]
    change = changes.propose(items=items, by=actor("nora", "requester"))
    mara = browser("mara", "steward")
    first = mara.get(page_of(change))
    assert "14 records" in first.content.decode()
    assert "Number 13 AG" not in first.content.decode()
    assert "Number 13 AG" in read(mara, page_of(change) + first.context["review"]["items_pager"].next)


# --- who sees what --------------------------------------------------------------------------------------------


def entity_rows() -> tuple[Document, ChangeRequest]:
    for code in ("NH10", "NH20"):
        make("legal_entity", code=code, name=code, country="DE", currency="EUR")
    record = supplier(extensions=[{"legal_entity": "NH10"}, {"legal_entity": "NH20"}])
    theirs = next(row for row in record["extensions"] if row["legal_entity"] == "NH20")
    patch = {"extensions": [{"uid": theirs["uid"], "reconciliation_account": "0000161999"}]}
    return record, propose(record, actor("nora", "requester"), **patch)


def test_rows_of_other_companies_are_neither_shown_nor_decided() -> None:
    _, change = entity_rows()
    bound = browser("mara", "steward", entities=("NH10",))
    html = read(bound, page_of(change))
    assert "0000161999" not in html
    assert "of other companies is not shown" in html
    data = {"decision": "approve", "content_hash": change.content_hash}
    assert bound.post(page_of(change, "decide/"), data).status_code == 403
    change.refresh_from_db()
    assert change.state == "in_review"
    assert "0000161999" in read(browser("sue", "steward"), page_of(change))


def test_without_a_role_there_is_nothing_to_see() -> None:
    _, change = asked()
    assert "no role in the hub" in read(browser("nobody"), page_of(change), 403)


def test_what_is_not_there() -> None:
    mara = browser("mara", "steward")
    read(mara, "/requests/10000/", 404)
    read(mara, "/requests/99999999/", 404)


def test_the_number_of_queries_is_fixed() -> None:
    _, change = asked()
    mara = browser("mara", "steward")
    changes.comment(change=change, by=actor("nora"), text="The first comment")
    few = queries(mara, page_of(change))
    for number in range(8):
        changes.comment(change=change, by=actor("nora"), text=f"Comment {number}")
    assert queries(mara, page_of(change)) == few <= 36


def test_get_changes_nothing() -> None:
    _, change = asked()
    mara = browser("mara", "steward")
    before = AuditEntry.objects.count()
    for part in ("decide/", "undo/", "resolve/", "comment/"):
        assert mara.get(page_of(change, part)).status_code == 405
    assert AuditEntry.objects.count() == before
