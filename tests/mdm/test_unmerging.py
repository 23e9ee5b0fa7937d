"""Taking a merge apart: everything goes back, what happened since stays, later merges stand in the way by name."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from mdm import registry
from mdm.errors import CorrectInput, FourEyes, KeptApart, NotAllowed, NotNow
from mdm.models import (
    ChangeRequest,
    Crosswalk,
    DuplicatePair,
    Event,
    MergeBlock,
    Provenance,
    RecordVersion,
    SourceRecord,
)
from mdm.selectors import records
from mdm.services import changes, comparisons, crosswalks, judging, merge_blocks, merging, unmerging
from mdm.types import Document
from tests.people import actor, auto_approve, propose, supplier, system

pytestmark = pytest.mark.django_db
STREET = {"lines": ["Hauptstr. 1"], "city": "Berlin", "postal_code": "10115", "country": "DE"}
REGISTERED, REMIT = {"kind": "registered", **STREET}, {"kind": "remit_to", **STREET}


def kind() -> registry.RecordType:
    return registry.get("supplier")


def approve(change: ChangeRequest) -> ChangeRequest:
    return changes.approve(change=change, by=actor("ann", "approver"), content_hash=change.content_hash)


def merge(survivor: Document, *losers: Document, **more: Any) -> ChangeRequest:
    return approve(
        merging.propose(
            kind=kind(),
            survivor=survivor["uid"],
            losers=[one["uid"] for one in losers],
            by=actor("mara", "steward"),
            **more,
        )
    )


def ask(change: ChangeRequest, *members: Document, **more: Any) -> ChangeRequest:
    uids = [one["uid"] for one in members] or None
    return unmerging.propose(merge=change, members=uids, by=actor("mara", "steward"), **more)


def unmerge(change: ChangeRequest, *members: Document, **more: Any) -> ChangeRequest:
    done = approve(ask(change, *members, **more))
    assert done.state == "applied", done.state
    return done


def edit(document: Document, **patch: Any) -> Document:
    auto_approve("web")
    done = propose(records.current_document("supplier", document["uid"]), actor("rita", "requester"), **patch)
    assert done.state == "applied"
    return now(document)


def now(document: Document) -> Document:
    return records.current_document("supplier", document["uid"])


def body(document: Document) -> Document:
    return {name: value for name, value in now(document).items() if name != "version"}


def source(code: str, key: str, document: Document) -> SourceRecord:
    where = system(code)
    crosswalks.link(system=where, type="supplier", key=key, uid=document["uid"])
    return SourceRecord.objects.create(
        system=where,
        type="supplier",
        key=key,
        digest=key,
        document={},
        golden_uid=document["uid"],
        received_at=timezone.now(),
    )


def keys() -> dict[tuple[str, str], tuple[str, bool, bool]]:
    rows = Crosswalk.objects.select_related("system")
    return {(row.system.code, row.key): (str(row.uid), row.primary, row.active) for row in rows}


def origins(document: Document) -> dict[str, Any]:
    fields: dict[str, Any] = Provenance.objects.get(uid=document["uid"]).fields
    return fields


def twins() -> tuple[Document, Document]:
    one = supplier(legal_name="Acme Tools GmbH", addresses=[REGISTERED], currency="EUR", trade_names=["Acme"])
    two = supplier(
        legal_name="ACME Tools", addresses=[REGISTERED, REMIT], website="acme.example", trade_names=["Acme", "AT"]
    )
    return one, two


# --- everything goes back ---------------------------------------------------------------------------------------------


def test_a_merge_undone_leaves_everything_as_it_was():
    one, two = twins()
    child = supplier(legal_name="Daughter", parent=two["uid"])
    source("erp", "1", one), source("erp", "2", two), source("buy", "9", two)
    comparisons.find_pairs(kind=kind(), uids=[two["uid"]])
    before = [body(one), body(two), body(child), keys(), origins(one), origins(two)]
    sources = dict(SourceRecord.objects.values_list("key", "golden_uid"))

    merged = merge(one, two)
    assert (now(one)["website"], len(now(one)["addresses"])) == ("acme.example", 2)
    assert now(child)["parent"] == one["uid"]
    change = unmerge(merged, reason="Two companies after all")

    assert [body(one), body(two), body(child), keys(), origins(one), origins(two)] == before
    assert dict(SourceRecord.objects.values_list("key", "golden_uid")) == sources
    row = kind().model.objects.get(uid=two["uid"])
    assert (row.status, row.merged_into, records.survivor_uid(kind(), two["uid"])) == ("active", None, two["uid"])
    assert (change.kind, change.reverts, change.title) == ("unmerge", merged, "Unmerge ACME Tools from Acme Tools GmbH")
    told = {str(e.subject): (e.verb, e.data.get("unmerged_from")) for e in Event.objects.filter(change=change)}
    assert told == {
        one["uid"]: ("unmerged", None),
        two["uid"]: ("unmerged", one["uid"]),
        child["uid"]: ("updated", None),
    }


def test_rows_the_merge_dropped_come_back_where_they_stood():
    one = supplier(addresses=[REGISTERED, REMIT], contacts=[{"role": "primary", "name": "Eva"}])
    two = supplier(addresses=[{**REGISTERED, "city": "Bonn"}])
    first = now(one)["addresses"][0]
    merged = merge(one, two, drops=[f"addresses/{first['uid']}"])
    assert [row["city"] for row in now(one)["addresses"] if row["kind"] == "registered"] == ["Bonn"]
    unmerge(merged)
    assert [(r["uid"], r["city"]) for r in now(one)["addresses"]] == [(r["uid"], r["city"]) for r in one["addresses"]]


def test_one_of_several_comes_back_and_the_others_stay():
    one = supplier(legal_name="Acme Tools GmbH")
    two = supplier(legal_name="ACME Tools", website="two.example", addresses=[REMIT])
    three = supplier(legal_name="Acme", website="three.example", currency="EUR", tags=["old"])
    source("erp", "2", two), source("erp", "3", three)
    child = supplier(parent=three["uid"])
    merged = merge(one, two, three)
    assert keys() == {("erp", "2"): (one["uid"], True, True), ("erp", "3"): (one["uid"], False, True)}
    unmerge(merged, two)
    assert now(two)["status"] == "active" and now(three)["status"] == "merged"
    held = now(one)
    # The website came from the one that left: now the other's fills the gap, with its origin.
    assert (held["website"], held["addresses"]) == ("three.example", [])
    assert (held["currency"], held["tags"], now(child)["parent"]) == ("EUR", ["old"], one["uid"])
    assert origins(one)["website"]["key"] == three["code"]
    assert keys() == {("erp", "2"): (two["uid"], True, True), ("erp", "3"): (one["uid"], True, True)}
    unmerge(merged)
    held = now(one)
    assert (held["website"], held["currency"], held["tags"]) == (None, None, [])
    assert now(child)["parent"] == three["uid"] == str(keys()["erp", "3"][0])
    with pytest.raises(NotNow, match="was undone already by CR-"):
        ask(merged)


def test_a_blocked_record_comes_back_blocked():
    auto_approve("web")
    one, two = twins()
    changes.propose(
        items=[changes.ProposedItem(type="supplier", action="block", uid=two["uid"])], by=actor("rita", "requester")
    )
    unmerge(merge(one, two))
    assert now(two)["status"] == "blocked"


def test_a_parent_merged_into_its_daughter_is_its_parent_again():
    mother = supplier(legal_name="Acme Holding")
    daughter = supplier(legal_name="Acme Tools", parent=mother["uid"])
    merged = merge(daughter, mother)
    assert now(daughter)["parent"] is None
    unmerge(merged)
    assert now(daughter)["parent"] == mother["uid"]


# --- what happened since ----------------------------------------------------------------------------------------------


def test_values_changed_since_stay_unless_somebody_moves_them():
    one, two = twins()
    merged = merge(one, two)
    edit(one, website="new.example", incoterm="FCA", trade_names=["Acme", "AT", "A.T."])
    seen = unmerging.preview(merge=merged)
    since = {row["path"]: (row["value"], row["holder"]) for row in seen["since"]}
    assert since == {
        "website": ("new.example", one["uid"]),
        "incoterm": ("FCA", one["uid"]),
        "trade_names": (["Acme", "AT", "A.T."], one["uid"]),
    }
    unmerge(merged, holders={"website": two["uid"], "incoterm": one["uid"]})
    held, back = now(one), now(two)
    assert (held["website"], held["incoterm"], held["trade_names"]) == (None, "FCA", ["Acme", "A.T."])
    assert (back["website"], back["incoterm"], back["trade_names"]) == ("new.example", None, ["Acme", "AT"])
    assert (origins(two)["website"]["system"], origins(one).get("website")) == ("hub", None)


def test_rows_changed_since_stay_or_go():
    one, two = twins()
    merged = merge(one, two)
    (remit,) = (row for row in now(one)["addresses"] if row["kind"] == "remit_to")
    edit(one, addresses=[{"uid": remit["uid"], "city": "Potsdam"}], contacts=[{"role": "primary", "name": "Eva"}])
    seen = unmerging.preview(merge=merged)
    paths = [row["path"] for row in seen["since"]]
    assert paths[0] == f"addresses/{remit['uid']}" and paths[1].startswith("contacts/") and len(paths) == 2
    unmerge(merged, holders=dict.fromkeys(paths, two["uid"]))
    assert [row["kind"] for row in now(one)["addresses"]] == ["registered"] and now(one)["contacts"] == []
    own = next(row["uid"] for row in two["addresses"] if row["kind"] == "remit_to")
    assert [(r["uid"], r["city"]) for r in now(two)["addresses"] if r["kind"] == "remit_to"] == [(own, "Potsdam")]
    assert [row["name"] for row in now(two)["contacts"]] == ["Eva"]


def test_a_value_whose_source_goes_back_goes_with_it():
    one, two = twins()
    source("buy", "9", two)
    merged = merge(one, two)
    edit(one, currency="USD", incoterm="FCA")
    fields = origins(one)
    fields["currency"] = {"system": "buy", "key": "9", "rule": "source_rank", "since": "2026-01-01"}
    Provenance.objects.filter(uid=one["uid"]).update(fields=fields)
    since = {row["path"]: row["default"] for row in unmerging.preview(merge=merged)["since"]}
    assert since == {"currency": two["uid"], "incoterm": one["uid"]}
    unmerge(merged)
    assert (now(one)["currency"], now(two)["currency"], now(one)["incoterm"]) == ("EUR", "USD", "FCA")
    assert origins(two)["currency"]["key"] == "9"


def test_a_choice_about_what_did_not_change_is_refused():
    one, two = twins()
    merged = merge(one, two)
    edit(one, website="new.example")
    stranger = supplier()
    for holders, words in (
        ({"currency": two["uid"]}, "goes back by itself"),
        ({"website": stranger["uid"]}, "can stay"),
    ):
        with pytest.raises(CorrectInput, match=words):
            ask(merged, holders=holders)
    assert not ChangeRequest.objects.filter(kind="unmerge").exists()


def test_keys_linked_since_stay_and_keys_that_moved_on_are_named():
    one, two = twins()
    other = supplier()
    source("erp", "2", two), source("buy", "9", two)
    merged = merge(one, two)
    crosswalks.link(system=system("erp"), type="supplier", key="3", uid=one["uid"])
    crosswalks.link(system=system("buy"), type="supplier", key="9", uid=other["uid"], move=True)
    seen = unmerging.preview(merge=merged)
    assert [(row["key"], row["after"]) for row in seen["linked_since"]] == [("3", one["uid"])]
    assert [(row["key"], row["uid"]) for row in seen["elsewhere"]] == [("9", other["uid"])]
    unmerge(merged)
    assert keys() == {
        ("erp", "2"): (two["uid"], True, True),
        ("erp", "3"): (one["uid"], True, True),  # nobody is left with keys and none primary
        ("buy", "9"): (other["uid"], True, True),
    }


def test_references_changed_since_stay_and_are_named():
    one, two = twins()
    moved, changed, gone = (supplier(legal_name=name, parent=two["uid"]) for name in ("A", "B", "C"))
    merged = merge(one, two)
    other = supplier()
    edit(changed, parent=other["uid"])
    later = merge(other, gone)
    seen = unmerging.preview(merge=merged)
    assert [row["uid"] for row in seen["references"]] == [moved["uid"]]
    assert {row["uid"]: row["why"] for row in seen["left"]} == {
        changed["uid"]: "somebody changed it since",
        gone["uid"]: "this record was merged itself since",
    }
    unmerge(merged)
    assert [now(one_)["parent"] for one_ in (moved, changed)] == [two["uid"], other["uid"]]
    # The third comes back later: it names again what it named before either merge.
    unmerge(later)
    assert now(gone)["parent"] == two["uid"]


def test_a_reference_follows_what_was_merged_while_its_record_was_away():
    mother, grandmother = supplier(legal_name="Mother"), supplier(legal_name="Grandmother")
    one, two = supplier(legal_name="Acme"), supplier(legal_name="ACME", parent=mother["uid"])
    first = merge(one, two, choices={"parent": one["uid"]})
    mothers = merge(grandmother, mother)
    seen = unmerging.preview(merge=first)
    assert [(row["path"], row["old"], row["new"]) for row in seen["followed"]] == [
        ("parent", mother["uid"], grandmother["uid"])
    ]
    unmerge(first)
    assert now(two)["parent"] == grandmother["uid"]
    unmerge(mothers)
    assert now(two)["parent"] == mother["uid"]


def test_decisions_since_stay():
    one, two = twins()
    three = supplier(legal_name="ACME Tools Gmbh", addresses=[REGISTERED])
    comparisons.find_pairs(kind=kind(), uids=[one["uid"], two["uid"], three["uid"]])
    inner = pair_of(two, three)
    assert inner.state == "open"
    merged = merge(one, two)
    inner.refresh_from_db()
    assert inner.state == "merged"
    outer = pair_of(one, three)
    judging.decide(pair=outer, judgement="different", reason="Other town", by=actor("mara", "steward"))
    seen = unmerging.preview(merge=merged)
    assert [(d["other"], d["judgement"], d["by"]) for d in seen["decisions"]] == [(three["uid"], "different", "Mara")]
    unmerge(merged)
    outer.refresh_from_db(), inner.refresh_from_db()
    assert (outer.state, inner.state) == ("different", "open")
    assert outer.decisions.first().reason == "Other town"


def pair_of(one: Document, two: Document) -> DuplicatePair:
    left, right = sorted((one["uid"], two["uid"]))
    return DuplicatePair.objects.get(left=left, right=right)


# --- chains -----------------------------------------------------------------------------------------------------------


def test_a_later_merge_of_the_survivor_is_undone_first():
    one, two = twins()
    three, four = supplier(legal_name="Three"), supplier(legal_name="Four")
    first = merge(one, two)
    second = merge(three, one)
    third = merge(four, three)
    with pytest.raises(NotNow, match=f"Undo {third.number}, then {second.number} first") as refused:
        unmerging.preview(merge=first)
    assert refused.value.extra["blocker"] == third.number
    before = [body(one), body(two), body(three)]
    with pytest.raises(NotNow):
        ask(first)
    assert [body(one), body(two), body(three)] == before
    unmerge(third), unmerge(second), unmerge(first)
    assert [now(d)["status"] for d in (one, two, three, four)] == ["active"] * 4
    assert now(two)["website"] == "acme.example" and now(one)["website"] is None


def test_a_record_that_had_survived_a_merge_itself_comes_back_whole():
    one, two = twins()
    three = supplier(legal_name="Three")
    source("erp", "2", two), source("erp", "1", one)
    inner, outer = merge(one, two), merge(three, one)
    held = keys()
    assert {uid for uid, _, _ in held.values()} == {three["uid"]}
    unmerge(outer)
    assert keys() == {("erp", "1"): (one["uid"], True, True), ("erp", "2"): (one["uid"], False, True)}
    unmerge(inner)
    assert keys() == {("erp", "1"): (one["uid"], True, True), ("erp", "2"): (two["uid"], True, True)}


def test_an_independent_later_merge_stays():
    one, two = twins()
    three = supplier(legal_name="Three", incoterm="FCA")
    source("erp", "2", two), source("erp", "3", three)
    first, second = merge(one, two), merge(one, three)
    unmerge(first)
    assert now(three)["status"] == "merged" and now(one)["incoterm"] == "FCA"
    assert keys() == {("erp", "2"): (two["uid"], True, True), ("erp", "3"): (one["uid"], True, True)}
    unmerge(second)
    assert (now(one)["incoterm"], keys()["erp", "3"]) == (None, (three["uid"], True, True))


def test_a_later_merge_that_changed_the_same_field_is_undone_first():
    one, two = twins()
    three = supplier(legal_name="Three", website="three.example")
    first = merge(one, two)
    second = merge(one, three, choices={"website": three["uid"]})
    with pytest.raises(NotNow, match=f"changed its website. Undo {second.number} first"):
        ask(first)
    unmerge(second)
    unmerge(first)
    assert now(one)["website"] is None


# --- approval, races, repeats -----------------------------------------------------------------------------------------


def test_undoing_needs_another_persons_approval():
    one, two = twins()
    change = ask(merge(one, two))
    with pytest.raises(FourEyes):
        changes.approve(change=change, by=actor("mara", "steward"), content_hash=change.content_hash)
    assert now(two)["status"] == "merged"


def test_the_same_record_is_asked_back_once():
    one, two = twins()
    merged = merge(one, two)
    change = ask(merged)
    with pytest.raises(NotNow, match=f"{change.number} asks for this already"):
        ask(merged)


def test_what_was_merged_away_meanwhile_conflicts_and_nothing_is_written():
    one, two = twins()
    three = supplier(legal_name="Three")
    merged = merge(one, two)
    change = ask(merged)
    merge(three, one)
    held = [body(one), body(two), keys()]
    assert approve(change).state == "conflicted"
    assert [body(one), body(two), keys()] == held
    assert not MergeBlock.objects.exists()


def test_a_value_edited_while_the_request_waits_is_for_a_person_to_pick():
    one, two = twins()
    change = ask(merge(one, two))
    edit(one, website="new.example")
    change = approve(change)
    assert change.state == "conflicted"
    change = changes.resolve(change=change, by=actor("mara", "steward"), choices={"website": "current"})
    assert approve(change).state == "applied"
    assert (now(one)["website"], now(two)["website"]) == ("new.example", "acme.example")


def test_a_loser_edited_while_its_merge_waits_is_looked_at_again():
    one, two = twins()
    change = merging.propose(kind=kind(), survivor=one["uid"], losers=[two["uid"]], by=actor("mara", "steward"))
    edit(two, incoterm="FCA")
    assert approve(change).state == "conflicted"
    assert now(two)["status"] == "active"
    change.refresh_from_db()
    change = changes.resolve(change=change, by=actor("mara", "steward"), choices={"incoterm": "proposed"})
    assert approve(change).state == "applied" and now(one)["incoterm"] is None
    unmerge(change)
    assert now(two)["incoterm"] == "FCA"


def test_only_applied_merges_are_undone():
    one, two = twins()
    waiting = merging.propose(kind=kind(), survivor=one["uid"], losers=[two["uid"]], by=actor("mara", "steward"))
    other = propose(one, actor("rita", "requester"), website="x.example")
    for change in (waiting, other):
        with pytest.raises(NotNow, match="Only a merge that was applied"):
            ask(change)
    with pytest.raises(CorrectInput, match="did not become part"):
        ask(approve(waiting), supplier())


def test_readers_cannot_ask_for_it():
    one, two = twins()
    merged = merge(one, two)
    with pytest.raises(NotAllowed):
        unmerging.propose(merge=merged, by=actor("jonas", "auditor"))


# --- kept apart -------------------------------------------------------------------------------------------------------


def test_what_was_unmerged_is_not_merged_again_before_a_person_lifts_the_block():
    one, two = twins()
    comparisons.find_pairs(kind=kind(), uids=[two["uid"]])
    change = unmerge(merge(one, two), reason="Two companies")
    pair = pair_of(one, two)
    assert (pair.state, pair.decisions.first().reason) == ("different", f"Unmerged by {change.number}. Two companies")
    edit(two, legal_name="Acme Tools GmbH")  # its evidence changes: an ordinary “different” would return
    assert comparisons.find_pairs(kind=kind(), uids=[one["uid"], two["uid"]]) == 0
    pair.refresh_from_db()
    assert pair.state == "different"
    with pytest.raises(CorrectInput, match="lift that block"):
        judging.take_back(pair=pair, by=actor("mara", "steward"))
    with pytest.raises(KeptApart, match=change.number):
        merge(two, one)
    (block,) = merging.preview(kind=kind(), survivor=one["uid"], losers=[two["uid"]])["blocks"]
    assert (block["change_request"], block["reason"]) == (change.number, "Two companies")
    row = MergeBlock.objects.get()
    with pytest.raises(NotAllowed):
        merge_blocks.lift(block=row, reason="Sure", by=actor("rita", "requester"))
    with pytest.raises(CorrectInput):
        merge_blocks.lift(block=row, reason=" ", by=actor("mara", "steward"))
    assert MergeBlock.objects.filter(lifted_at=None).count() == 1
    merge_blocks.lift(block=row, reason="The register says one company", by=actor("mara", "steward"))
    pair.refresh_from_db()
    assert (pair.state, pair.decisions.first().reason) == ("open", "The register says one company")
    with pytest.raises(NotNow):
        merge_blocks.lift(block=row, reason="Again", by=actor("mara", "steward"))
    unmerge(merge(one, two))
    assert MergeBlock.objects.count() == 2 and MergeBlock.objects.filter(lifted_at=None).count() == 1


def test_the_block_holds_after_the_other_became_part_of_a_third():
    one, two = twins()
    three = supplier(legal_name="Three")
    unmerge(merge(one, two))
    merge(three, one)
    with pytest.raises(KeptApart):
        merging.propose(kind=kind(), survivor=three["uid"], losers=[two["uid"]], by=actor("mara", "steward"))


def test_a_merge_that_waited_through_an_unmerge_is_refused():
    one, two = twins()
    three = supplier(legal_name="Three")
    merged = merge(one, two)
    unmerge(merged)
    MergeBlock.objects.update(lifted_at=timezone.now())
    waiting = merging.propose(
        kind=kind(), survivor=one["uid"], losers=[two["uid"], three["uid"]], by=actor("mara", "steward")
    )
    MergeBlock.objects.update(lifted_at=None)
    with pytest.raises(KeptApart):
        approve(waiting)
    assert now(two)["status"] == "active"


def test_records_that_never_looked_alike_are_kept_apart_too():
    one, two = supplier(legal_name="Alpha AG"), supplier(legal_name="Zeta Ltd", country="GB")
    change = unmerge(merge(one, two))
    assert not DuplicatePair.objects.exists(), "nobody has to be asked about them"
    assert MergeBlock.objects.get().change == change
    with pytest.raises(KeptApart, match=change.number):
        merge(two, one)


# --- who stays --------------------------------------------------------------------------------------------------------


def test_the_oldest_record_stays_whoever_asks_and_in_whatever_order():
    one, two, three = (supplier(legal_name=name) for name in ("B", "A", "C"))
    uids = [three["uid"], two["uid"], one["uid"]]
    assert merging.preview(kind=kind(), losers=uids)["survivor"]["uid"] == one["uid"]
    assert merging.preview(kind=kind(), losers=uids[::-1])["survivor"]["uid"] == one["uid"]
    assert merging.default_survivor(kind(), uids[:2]) == two["uid"]
    rows = kind().model.objects.filter(uid__in=uids)
    assert merging.default_survivor(kind(), []) == ""
    assert rows.count() == 3
    with pytest.raises(CorrectInput):
        merging.preview(kind=kind(), losers=[one["uid"]])


def test_versions_are_only_added():
    one, two = twins()
    held = list(RecordVersion.objects.order_by("pk").values("pk", "hash"))
    unmerge(merge(one, two))
    assert list(RecordVersion.objects.order_by("pk").values("pk", "hash"))[: len(held)] == held
    assert [now(one)["version"], now(two)["version"]] == [3, 3]
