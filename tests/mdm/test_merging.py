"""Merging: proposed with its pre-image, approved by another, keys and references follow, the old uid still resolves."""

from __future__ import annotations

import pytest

from mdm import registry
from mdm.errors import CorrectInput, FourEyes, NotNow
from mdm.models import Crosswalk
from mdm.selectors import records
from mdm.services import changes, crosswalks, matching, merging
from tests.people import actor, propose, supplier, system

pytestmark = pytest.mark.django_db
ADDRESS = [
    {
        "kind": "registered",
        "lines": ["Hauptstr. 1"],
        "city": "Berlin",
        "postal_code": "10115",
        "country": "DE",
    }
]


def twins():
    one = supplier(legal_name="Acme Tools GmbH", addresses=ADDRESS, currency="EUR")
    two = supplier(legal_name="ACME Tools", addresses=ADDRESS, website="acme.example", trade_names=["Acme"])
    return one, two


def kind():
    return registry.get("supplier")


def approve(change, by):
    return changes.approve(change=change, by=by, content_hash=change.content_hash)


def test_the_survivor_keeps_its_values_and_its_gaps_are_filled():
    one, two = twins()
    preview = merging.preview(kind=kind(), survivor=one["uid"], losers=[two["uid"]])
    assert {c["path"]: c["after"] for c in preview["changes"]} == {
        "website": "acme.example",
        "trade_names": ["Acme"],
    }
    picked = merging.preview(kind=kind(), survivor=one["uid"], losers=[two["uid"]], choices={"legal_name": two["uid"]})
    assert picked["result"]["legal_name"] == "ACME Tools"
    assert records.current_document("supplier", one["uid"])["version"] == 1


def test_a_merge_moves_keys_and_references_and_stores_its_pre_image():
    one, two = twins()
    child = supplier(legal_name="Daughter", parent=two["uid"])
    erp, buy = system("erp"), system("buy")
    for where, key, document in ((erp, "1", one), (erp, "2", two), (buy, "9", two)):
        crosswalks.link(system=where, type="supplier", key=key, uid=document["uid"])
    maker = actor("mara", "steward")
    change = merging.propose(kind=kind(), survivor=one["uid"], losers=[two["uid"]], by=maker, reason="Same firm")
    with pytest.raises(FourEyes):
        approve(change, maker)
    change = approve(change, actor("ann", "approver"))

    assert change.state == "applied"
    rows = {(r.system.code, r.key): (str(r.uid), r.primary) for r in Crosswalk.objects.select_related("system")}
    uid = one["uid"]
    assert rows == {("erp", "1"): (uid, True), ("erp", "2"): (uid, False), ("buy", "9"): (uid, True)}
    gone = records.current_document("supplier", two["uid"])
    assert (gone["status"], records.survivor_uid(kind(), two["uid"])) == ("merged", uid)
    assert records.current_document("supplier", child["uid"])["parent"] == uid
    pre = change.items.get(uid=uid).detail["pre_image"]
    assert pre["documents"][two["uid"]]["legal_name"] == "ACME Tools"
    assert {(row["system__code"], row["key"], row["primary"]) for row in pre["crosswalks"]} == {
        ("erp", "1", True),
        ("erp", "2", True),
        ("buy", "9", True),
    }


def test_a_value_taken_over_keeps_following_its_source():
    from mdm.models import Provenance

    one, two = twins()
    Provenance.objects.filter(uid=two["uid"]).update(
        fields={"website": {"system": "buy", "key": "9", "rule": "only", "since": "2026-01-01"}}
    )
    approve(
        merging.propose(kind=kind(), survivor=one["uid"], losers=[two["uid"]], by=actor("mara", "steward")),
        actor("ann", "approver"),
    )
    assert Provenance.objects.get(uid=one["uid"]).fields["website"]["system"] == "buy"


def test_a_merged_record_takes_no_changes_and_no_second_merge():
    one, two = twins()
    approve(
        merging.propose(kind=kind(), survivor=one["uid"], losers=[two["uid"]], by=actor("mara", "steward")),
        actor("ann", "approver"),
    )
    with pytest.raises(NotNow):
        propose(two, actor("rita", "requester"), legal_name="Other")
    with pytest.raises(NotNow):
        merging.preview(kind=kind(), survivor=one["uid"], losers=[two["uid"]])


@pytest.mark.parametrize("losers", [[], ["self"]])
def test_a_merge_needs_two_records(losers):
    one, _ = twins()
    with pytest.raises(CorrectInput):
        merging.preview(kind=kind(), survivor=one["uid"], losers=[one["uid"] for _ in losers])


def test_search_before_create_finds_the_record_and_explains_itself():
    one, _ = twins()
    found = matching.search(
        kind=kind(), document={"legal_name": "ACME TOOLS GMBH", "country": "DE", "addresses": ADDRESS}
    )
    assert one["uid"] in [match.uid for match in found]
    score = found[0].score
    assert score.value == score.base + sum(part.weight for part in score.explanation)


def test_only_the_live_are_found():
    one, two = twins()
    approve(
        merging.propose(kind=kind(), survivor=one["uid"], losers=[two["uid"]], by=actor("mara", "steward")),
        actor("ann", "approver"),
    )
    found = matching.search(kind=kind(), document={"legal_name": "ACME Tools", "country": "DE", "addresses": ADDRESS})
    assert [match.uid for match in found] == [one["uid"]]
