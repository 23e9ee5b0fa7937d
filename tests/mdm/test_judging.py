"""Judgements: several people, relations, what follows, what comes back, what a lead steward settles."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mdm import registry
from mdm.errors import CorrectInput, NotAllowed, NotNow
from mdm.models import ChangeRequest, DuplicatePair, MatchDecision
from mdm.selectors import records
from mdm.services import changes, comparisons, inference, judging, merging
from mdm.types import Document
from tests.people import actor, auto_approve, person, propose, supplier

pytestmark = pytest.mark.django_db
STREET = {"kind": "registered", "lines": ["Kaistr. 9"], "city": "Bremen", "postal_code": "28195", "country": "DE"}


def kind() -> registry.RecordType:
    return registry.get("supplier")


def company(name: str = "Weserwerft Metallbau GmbH", **more: Any) -> Document:
    return supplier(legal_name=name, addresses=[STREET], **more)


def family(count: int = 3) -> tuple[list[Document], dict[tuple[int, int], DuplicatePair]]:
    """Records that look alike, and the pairs among them by position."""
    made = [company(f"Weserwerft Metallbau {'GmbH' * (n % 2)}".strip()) for n in range(count)]
    place = {document["uid"]: n for n, document in enumerate(made)}
    pairs = {}
    for pair in DuplicatePair.objects.all():
        one, other = sorted((place[str(pair.left)], place[str(pair.right)]))
        pairs[one, other] = pair
    assert len(pairs) == count * (count - 1) // 2
    return made, pairs


def mara() -> Any:
    return actor("mara", "steward")


def anna() -> Any:
    return actor("anna", "steward")


def lead() -> Any:
    return actor("lena", "lead_steward")


def state(pair: DuplicatePair) -> tuple[str, str, str]:
    pair.refresh_from_db()
    return pair.state, pair.follows, pair.dispute


def decide(pair: DuplicatePair, judgement: str, by: Any = None, **more: Any) -> MatchDecision:
    return judging.decide(pair=pair, judgement=judgement, by=by or mara(), **more)


# --- pairs come by themselves -----------------------------------------------------------------------------------------


def test_a_record_that_is_applied_is_compared_in_the_same_transaction() -> None:
    one, two = company(), company()
    pair = DuplicatePair.objects.get()
    assert {str(pair.left), str(pair.right)} == {one["uid"], two["uid"]} and pair.kind == "duplicate"


def test_a_change_that_matching_does_not_see_compares_nothing() -> None:
    one, _ = company(), company()
    auto_approve("web")
    with CaptureQueriesContext(connection) as caught:
        propose(one, actor("rita", "requester"), payment_terms=None, tags=["checked"])
    assert not [q for q in caught if "mdm_duplicatepair" in q["sql"]]


def test_retiring_a_record_takes_its_pairs_out_of_the_queue_and_keeps_what_was_said() -> None:
    one, _ = company(), company()
    pair = DuplicatePair.objects.get()
    decide(pair, "different")
    auto_approve("web")
    rita = actor("rita", "requester")
    changes.propose(items=[changes.ProposedItem(type="supplier", uid=one["uid"], action="retire")], by=rita)
    assert state(pair) == ("gone", "", "")
    with pytest.raises(NotNow):
        decide(pair, "same")


# --- several people ---------------------------------------------------------------------------------------------------


def test_people_who_disagree_are_shown_and_not_the_same_wins() -> None:
    _, pairs = family(2)
    pair = pairs[0, 1]
    decide(pair, "different", mara())
    decide(pair, "same", anna())
    assert state(pair) == ("different", "", "people")
    decide(pair, "unsure", anna())
    assert state(pair) == ("different", "", "")
    decide(pair, "same", anna())
    judging.take_back(pair=pair, by=mara())
    assert state(pair) == ("same", "", "")
    assert [d.judgement for d in pair.decisions.order_by("pk")] == ["different", "same", "unsure", "same", "open"]


def test_a_lead_steward_settles_and_the_others_lapse() -> None:
    _, pairs = family(2)
    pair = pairs[0, 1]
    with pytest.raises(NotNow):
        decide(pair, "same", lead(), settle=True)
    decide(pair, "different", mara())
    decide(pair, "same", anna())
    with pytest.raises(NotAllowed):
        decide(pair, "same", mara(), settle=True)
    decide(pair, "same", lead(), settle=True, reason="One company, two registers")
    assert state(pair) == ("same", "", "")
    with pytest.raises(NotNow):
        judging.take_back(pair=pair, by=mara())
    assert MatchDecision.objects.filter(pair=pair).count() == 3


def test_nobody_takes_back_what_another_said() -> None:
    _, pairs = family(2)
    decide(pairs[0, 1], "different", mara())
    with pytest.raises(NotNow, match="Mara did"):
        judging.take_back(pair=pairs[0, 1], by=anna())
    assert state(pairs[0, 1]) == ("different", "", "")


def test_the_last_judgement_is_known_until_it_is_taken_back() -> None:
    _, pairs = family(3)
    assert judging.last_of(mara()) is None
    decide(pairs[0, 1], "unsure")
    decide(pairs[1, 2], "unsure")
    assert judging.last_of(mara()) == pairs[1, 2]
    judging.take_back(pair=pairs[1, 2], by=mara())
    assert judging.last_of(mara()) is None and judging.last_of(anna()) is None


def test_somebody_who_looks_at_old_evidence_judges_nothing() -> None:
    _, pairs = family(2)
    with pytest.raises(NotNow):
        decide(pairs[0, 1], "same", seen="0" * 64)
    assert not MatchDecision.objects.exists()
    decide(pairs[0, 1], "same", seen=pairs[0, 1].evidence_hash)


# --- what follows -----------------------------------------------------------------------------------------------------


def test_nobody_is_asked_what_follows() -> None:
    _, pairs = family(3)
    decide(pairs[0, 1], "different")
    assert state(pairs[0, 2]) == ("open", "", "")
    decide(pairs[1, 2], "same")
    assert state(pairs[0, 2]) == ("follows", "different", "")
    judging.take_back(pair=pairs[1, 2], by=mara())
    assert state(pairs[0, 2]) == ("open", "", "")
    assert MatchDecision.objects.filter(pair=pairs[0, 2]).count() == 0


def test_same_goes_on_through_several() -> None:
    _, pairs = family(4)
    for place in ((0, 1), (1, 2), (2, 3)):
        decide(pairs[place], "same")
    assert {state(pairs[p]) for p in ((0, 2), (0, 3), (1, 3))} == {("follows", "same", "")}


def test_a_pair_found_later_is_not_asked_either() -> None:
    made, pairs = family(3)
    decide(pairs[0, 1], "same")
    decide(pairs[1, 2], "same")
    pairs[0, 2].delete()
    comparisons.find_pairs(kind=kind(), uids=[made[0]["uid"]])
    found = DuplicatePair.objects.get(
        left__in=[made[0]["uid"], made[2]["uid"]], right__in=[made[0]["uid"], made[2]["uid"]]
    )
    assert (found.state, found.follows) == ("follows", "same")


def test_judgements_that_contradict_each_other_go_to_a_lead_steward() -> None:
    _, pairs = family(3)
    decide(pairs[0, 1], "same")
    decide(pairs[1, 2], "same")
    decide(pairs[0, 2], "different")  # against what follows
    assert {state(pair)[2] for pair in pairs.values()} == {"logic"}
    assert state(pairs[0, 2])[0] == "different"
    decide(pairs[1, 2], "different", lead(), settle=True)
    assert {state(pair)[2] for pair in pairs.values()} == {""}
    assert [state(pairs[p])[0] for p in ((0, 1), (1, 2), (0, 2))] == ["same", "different", "different"]


def test_only_what_is_touched_is_read() -> None:
    _, pairs = family(3)
    for number in range(6):
        other = [company(f"Ganz Anders {number} Handels AG", website=f"x{number}.example") for _ in range(2)]
        pair = DuplicatePair.objects.get(left__in=[d["uid"] for d in other], right__in=[d["uid"] for d in other])
        decide(pair, "same")
    decide(pairs[0, 1], "same")
    assert inference.groups([pairs[0, 1].left]) == {str(pairs[0, 1].left), str(pairs[0, 1].right)}


# --- what comes back --------------------------------------------------------------------------------------------------


def test_a_judgement_holds_until_a_compared_value_changes_and_says_which() -> None:
    phone = {"contacts": [{"role": "primary", "phone": "+49 421 555123"}]}
    _, two = company(**phone), company(**phone)
    pair = DuplicatePair.objects.get()
    decide(pair, "different", anna(), reason="Two sites")
    auto_approve("web")
    rita = actor("rita", "requester")
    propose(records.current_document("supplier", two["uid"]), rita, website="https://weserwerft.example")
    assert state(pair)[0] == "different"  # only one of them has a website: nothing new was compared
    contact = records.current_document("supplier", two["uid"])["contacts"][0]
    propose(two, rita, contacts=[{"uid": contact["uid"], "phone": "+49 421 777999"}])
    assert state(pair)[0] == "open" and pair.reopened_at is not None
    line = pair.decisions.first()
    assert line is not None and line.decided_by is None
    assert line.reason == "phone changed since Anna said different"


def test_new_weights_bring_nothing_back() -> None:
    _, pairs = family(2)
    pair = pairs[0, 1]
    decide(pair, "different")
    before = pair.evidence_hash
    DuplicatePair.objects.update(score=-3, probability=0.1)  # as another model would have scored it
    comparisons.recompare(kind=kind(), uids=[pair.left])
    assert state(pair)[0] == "different" and pair.evidence_hash == before and pair.score > 0


# --- same group, another legal entity ---------------------------------------------------------------------------------


def test_a_parent_becomes_a_request_and_holds_the_pair_out_of_the_queue() -> None:
    made, pairs = family(2)
    pair = pairs[0, 1]
    decision = decide(pair, "related", relation="parent", reason="Holding and works")
    assert state(pair) == ("related", "", "")
    change = decision.change
    assert change is not None and change.state == "in_review" and change.requester == person("mara")
    item = change.items.get()
    assert str(item.uid) == str(pair.right)
    assert item.changes == [{"path": "parent", "before": None, "after": str(pair.left)}]
    judging.take_back(pair=pair, by=mara())
    change.refresh_from_db()
    assert change.state == "withdrawn" and state(pair)[0] == "open"


def test_sisters_without_a_parent_name_each_other() -> None:
    made, pairs = family(2)
    auto_approve("web")
    decide(pairs[0, 1], "related", relation="sibling")
    for mine, theirs in (made, made[::-1]):
        assert records.current_document("supplier", mine["uid"])["siblings"] == [theirs["uid"]]


def test_a_sister_gets_the_parent_of_the_other() -> None:
    mother = supplier(legal_name="Nordsee Beteiligungen SE")
    one, two = company(parent=mother["uid"]), company()
    auto_approve("web")
    decide(DuplicatePair.objects.get(), "related", relation="sibling")
    assert records.current_document("supplier", two["uid"])["parent"] == mother["uid"]
    assert records.current_document("supplier", one["uid"])["siblings"] == []


def test_relations_never_go_in_a_circle() -> None:
    made, pairs = family(2)
    auto_approve("web")
    pair = pairs[0, 1]
    decide(pair, "related", relation="parent")
    with pytest.raises(CorrectInput, match="circle"):
        decide(pair, "related", relation="child")
    assert MatchDecision.objects.count() == 1 and state(pair)[0] == "related"
    assert decide(pair, "related", relation="parent").change is None  # the records say it already


@pytest.mark.parametrize(
    "said", [{"judgement": "related"}, {"judgement": "same", "relation": "parent"}, {"judgement": "maybe"}]
)
def test_a_judgement_that_is_none(said: dict[str, str]) -> None:
    _, pairs = family(2)
    with pytest.raises(CorrectInput):
        judging.decide(pair=pairs[0, 1], by=mara(), **said)  # type: ignore[arg-type]
    assert not MatchDecision.objects.exists() and not ChangeRequest.objects.filter(state="in_review").exists()


def test_related_counts_as_not_the_same_for_others() -> None:
    _, pairs = family(3)
    decide(pairs[0, 1], "related", relation="sibling")
    decide(pairs[1, 2], "same")
    assert state(pairs[0, 2]) == ("follows", "different", "")


# --- many at once, assigning, merging ---------------------------------------------------------------------------------


def test_several_pairs_are_judged_all_or_none() -> None:
    _, pairs = family(3)
    auto_approve("merge")
    left, right = str(pairs[0, 1].left), str(pairs[0, 1].right)
    judging.decide_many(pairs=list(pairs.values())[:2], judgement="different", by=mara())
    assert MatchDecision.objects.count() == 2
    merging.propose(kind=kind(), survivor=left, losers=[right], by=mara())
    before = MatchDecision.objects.count()
    with pytest.raises(NotNow):
        judging.decide_many(pairs=list(DuplicatePair.objects.all()), judgement="unsure", by=mara())
    assert MatchDecision.objects.count() == before


def test_only_stewards_are_given_pairs() -> None:
    _, pairs = family(2)
    judging.assign(pair=pairs[0, 1], to=person("anna", "steward"), by=mara())
    with pytest.raises(CorrectInput):
        judging.assign(pair=pairs[0, 1], to=person("rita", "requester"), by=mara())
    pairs[0, 1].refresh_from_db()
    assert pairs[0, 1].assigned_to == person("anna")


# --- accounts under two names -----------------------------------------------------------------------------------------


def test_one_account_under_two_names_is_a_warning_and_no_duplicate() -> None:
    iban = {"bank_accounts": [{"iban": "DE89370400440532013000"}]}
    supplier(legal_name="Alpenblick Catering GmbH", **iban)
    supplier(legal_name="Zylinder Motoren Service SARL", country="FR", **iban)
    pair = DuplicatePair.objects.get()
    assert (pair.kind, pair.state, pair.band, pair.flags) == ("account", "open", "none", ["shared_bank_account"])
    assert "one bank account under two names" in pair.ranking["why"]
    assert pair.rank == round(pair.ranking["risk"] * pair.ranking["use"], 4)


def test_every_value_a_judgement_rests_on_is_a_feature_of_the_engine() -> None:
    from mdm.matching.levels import FEATURES
    from mdm.services.evidence import VALUES

    assert set(VALUES) <= set(FEATURES)


def test_an_old_rank_is_made_anew_and_use_counts() -> None:
    from mdm import ports
    from mdm.services import ranking

    _, pairs = family(2)
    pair = pairs[0, 1]
    before = pair.rank
    assert ranking.refresh() == 0
    DuplicatePair.objects.update(ranked_at=None)

    def spent(_: str, uids: Any) -> dict[str, dict[str, int]]:
        return {uid: {"invoices a year": 500} for uid in uids}

    ports.usage.append(spent)
    try:
        assert ranking.refresh() == 1
    finally:
        ports.usage.remove(spent)
    pair.refresh_from_db()
    assert pair.rank > before and any("invoices a year: 1000" in why for why in pair.ranking["why"])
    assert pair.rank == round(pair.ranking["risk"] * pair.ranking["confidence"] * pair.ranking["use"], 4)
