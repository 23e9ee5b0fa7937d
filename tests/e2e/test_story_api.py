"""The story over the API: import, duplicate, merge, approval, push to three platforms, drift, repair, clean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.blocked import is_blocked
from tests.fixtures_story import Story, until
from tests.story_extracts import FIRST, NAME, OTHER_NAME, ROWS, SECOND, SMALL

pytestmark = pytest.mark.slow
TERMS = {"s4hana": "A_SupplierCompany[NH10].PaymentTerms", "coupa": "payment-term.code", "concur": "PaymentTerms"}
VALID_IBAN = "DK5000400440116243"


def test_the_story_over_the_api(story: Story) -> None:
    _import(story)
    story.connect()
    before = {name: set(side.records()) for name, side in story.sides.items()}
    survivor, losers = _find_duplicate(story)
    change = _propose_merge(story, survivor, losers)
    _approve(story, change)
    _pushed(story, survivor, before)
    _told_to_subscribers(story, survivor, losers)
    _clean_target(story)
    _drift(story, survivor)


def _import(story: Story) -> None:
    expected = json.loads((SMALL / "expected.json").read_text())["files"]
    for system, job in story.import_extracts().items():
        assert job["counts"]["in"] == ROWS and job["state"] == "done"
        assert job["counts"]["quarantined"] == expected[system]["broken"]
        refused = story.by("steward").all(f"imports/{job['uid']}/problems/")
        assert len(refused) == 2 and all(row["errors"][0]["message"] for row in refused)


def _find_duplicate(story: Story) -> tuple[str, list[str]]:
    """The queue names the pair, and search-before-create finds the same company."""
    steward = story.by("steward")
    known = {
        (side, system): _uid_of(story, system, keys[system])
        for side, keys in (("first", FIRST), ("second", SECOND))
        for system in FIRST
    }
    survivor = known["first", "s4hana"]
    assert {known["first", system] for system in FIRST} == {survivor}, "one golden record for three platforms"
    losers = sorted({known["second", system] for system in SECOND})
    assert survivor not in losers
    pairs = steward.all("duplicates/", state="open", record=survivor)
    assert {pair["left"]["uid"] for pair in pairs} | {pair["right"]["uid"] for pair in pairs} == {survivor, *losers}
    for pair in pairs:
        total = pair["base"] + sum(part["weight"] for part in pair["explanation"])
        assert total == pytest.approx(pair["score"], abs=0.01)
    found = steward.post("suppliers/match/", {"document": {"legal_name": OTHER_NAME, "country": "DE"}})
    assert {survivor, *losers} <= {candidate["uid"] for candidate in found["candidates"]}
    return survivor, losers


def _uid_of(story: Story, system: str, key: str) -> str:
    (row,) = story.by("steward").get("crosswalks/", system=system, key=key)["results"]
    return str(row["uid"])


def _propose_merge(story: Story, survivor: str, losers: list[str]) -> Any:
    steward = story.by("steward")
    body = {"survivor": survivor, "losers": losers, "choices": {"payment_terms": losers[0]}}
    preview = steward.post("suppliers/merge/preview/", body)
    assert preview["result"]["payment_terms"] == "NET45" and preview["result"]["legal_name"] == NAME
    effects = {row["system"]: row for row in preview["targets"]}
    for system in FIRST:
        assert (effects[system]["updates"], effects[system]["blocks"]) == ([FIRST[system]], [SECOND[system]])
    change = steward.post(
        "suppliers/merge/",
        {**body, "reason": "The same company, entered twice."},
        expect=202,
        Idempotency_Key="merge-1",
    )
    again = steward.post(
        "suppliers/merge/",
        {**body, "reason": "The same company, entered twice."},
        expect=202,
        Idempotency_Key="merge-1",
    )
    assert again["uid"] == change["uid"], "asked twice, proposed once"
    assert change["state"] == "in_review"
    return change


def _approve(story: Story, change: Any) -> None:
    """Nobody approves what they proposed; another person does."""
    body = {"content_hash": change["content_hash"]}
    path = f"change-requests/{change['uid']}/approve/"
    story.by("steward").refused("POST", path, json=body, status=403, code="four_eyes")
    approver = story.by("approver")
    assert change["uid"] in {row["uid"] for row in approver.get("inbox/", tab="mine")["results"]}
    assert story.approve(change, "approver")["state"] == "applied"


def _pushed(story: Story, survivor: str, before: dict[str, set[str]]) -> None:
    """Every platform: the primary key updated, the other blocked, nothing doubled."""
    rows = story.settled(survivor)
    assert {(row["target"], row["target_key"], row["action"]) for row in rows} == {
        (system, key, action) for keys, action in ((FIRST, "upsert"), (SECOND, "block")) for system, key in keys.items()
    }
    assert {(row["state"], row["verified"]) for row in rows} == {("posted", True)}
    assert {row["effect"] for row in rows if row["action"] == "block"} == {"blocked"}
    theirs = {"s4hana": "Z045", "coupa": "Net 45", "concur": "45"}
    for system, side in story.sides.items():
        held = side.records()
        assert set(held) == before[system], f"{system} holds the records it held before"
        assert str(held[FIRST[system]][TERMS[system]]) == theirs[system]
        assert is_blocked(system, held[SECOND[system]]) and not is_blocked(system, held[FIRST[system]])
        effects = side.effects()
        assert {effect["key"] for effect in effects} == {FIRST[system], SECOND[system]}
        assert {effect["kind"] for effect in effects} == {"updated"}
        digests = [(effect["key"], effect["digest"]) for effect in effects]
        assert len(digests) == len(set(digests)), "nothing was written twice"


def _told_to_subscribers(story: Story, survivor: str, losers: list[str]) -> None:
    integrator = story.by("integrator")
    events = integrator.get("events/", limit=1000)["results"]
    told = {(event["type"], event["subject"]) for event in events}
    assert {("mdm.supplier.merged.v1", f"supplier/{uid}") for uid in losers} <= told, told
    for uid in losers:
        gone = integrator.get(f"suppliers/{uid}/")
        assert (gone["status"], gone["merged_into"]) == ("merged", survivor)


def _clean_target(story: Story) -> None:
    """What the ERP held before: its refused rows are corrected, everything of ours is sent once, a look finds nothing."""
    steward, operator = story.by("steward"), story.by("operator")
    job = steward.get("imports/", system="s4hana")["results"][0]
    rows = steward.all(f"imports/{job['uid']}/problems/", state="open")
    row = next(row for row in rows if row["cause"] == "invalid_iban" or row["raw"].get("IBAN"))
    path = f"imports/{job['uid']}/problems/{row['uid']}/"
    problem = steward.refused("POST", f"{path}resubmit/", json={"values": {}}, status=400, code="invalid")
    assert problem["errors"]
    assert steward.post(f"{path}resubmit/", {"values": {"IBAN": VALID_IBAN}})["state"] == "resolved"
    assert story.finished(job["uid"])["counts"]["quarantined"] == 1
    operator.post("targets/s4hana/push/", {}, expect=202)
    _until_queue_is_empty(story)
    story.look("s4hana")
    assert _live(story) == []


def _until_queue_is_empty(story: Story) -> None:
    def nothing_waits() -> bool:
        target = story.by("operator").get("targets/s4hana/")
        posted = {row["target_key"] for row in story.by("operator").all("deliveries/", target="s4hana", state="posted")}
        return bool(target["queue"]["open"] == 0 and len(posted) >= ROWS - 1)

    until(nothing_waits, "everything is with the ERP", 60)


def _live(story: Story) -> list[Any]:
    rows = story.by("operator").all("drift-findings/", target="s4hana")
    return [row for row in rows if row["state"] != "resolved"]


def _drift(story: Story, survivor: str) -> None:
    """Somebody changes a name inside the ERP: found with its cause, pushed, and clean again."""
    side = story.sides["s4hana"]
    side.mutate(FIRST["s4hana"], "A_BusinessPartner.OrganizationBPName1", "CHANGED INSIDE SAP")
    run = story.look("s4hana")
    assert run["counts"]["different"] == 1
    (finding,) = _live(story)
    assert (finding["record"], finding["kind"], finding["cause"]) == (survivor, "different", "changed_in_target")
    assert (finding["golden"], finding["target_value"]) == (NAME, "CHANGED INSIDE SAP")
    side.mark()
    pushed = story.by("steward").post(f"drift-findings/{finding['uid']}/push/")
    assert pushed["state"] == "pushed" and pushed["delivery"]
    story.settled(survivor)
    assert {effect["key"] for effect in side.effects()} == {FIRST["s4hana"]}
    assert side.records()[FIRST["s4hana"]]["A_BusinessPartner.OrganizationBPName1"] == NAME
    run = story.look("s4hana")
    assert run["counts"]["different"] == 0 and _live(story) == []
    assert story.by("operator").get(f"drift-findings/{finding['uid']}/")["state"] == "resolved"
