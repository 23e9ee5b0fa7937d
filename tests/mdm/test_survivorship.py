"""Survivorship with its data: pins live and end, sources leave and come back, nothing is written where nothing changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone

from mdm import registry
from mdm.errors import CorrectInput, FourEyes, NotAllowed, NotFound, NotNow
from mdm.models import (
    ApprovalPolicy,
    AuditEntry,
    ChangeRequest,
    Crosswalk,
    DuplicatePair,
    Event,
    PendingRebuild,
    Pin,
    Provenance,
    SourceRecord,
    SurvivorshipRule,
)
from mdm.selectors import provenance, records
from mdm.services import background, changes, detaching, leaving, loading, pin_upkeep, pins, rebuilding
from suppliers.models import Supplier
from tests.mdm.test_importing import ACME, HEAD, MAPPING, load, receive
from tests.people import actor, auto_approve, make, propose, system

pytestmark = pytest.mark.django_db
BETA = "X9;ACME WERKZEUGE GMBH;DE;Hauptstrasse 5;BERLIN;10115;DE136695976;DE89370400440532013000;"


def kind():
    return registry.get("supplier")


def mara():
    return actor("mara", "steward")


def terms(*codes: str) -> None:
    for code in codes:
        make("payment_term", code=code, name=code, net_days=30)


def row(text: str, terms_: str) -> str:
    return text.rsplit(";", 1)[0] + f";{terms_}"


def two_sources(first: str = "NET30", second: str = "NET45") -> dict[str, Any]:
    """One record that `erp` (rank 10) and `buy` (rank 20) both give, with these payment terms."""
    system("erp", rank=10)
    system("buy", rank=20)
    terms("NET30", "NET45", "NET60")
    load(row(ACME, first))
    job = load(row(BETA, second), code="buy")
    assert job.linked == 1
    return document()


def document() -> dict[str, Any]:
    return records.current_document("supplier", Supplier.objects.order_by("id").first().uid)  # type: ignore[union-attr]


def origin(path: str) -> dict[str, Any]:
    return Provenance.objects.get(uid=document()["uid"]).fields[path]


def actions(prefix: str = "value.") -> list[str]:
    found = AuditEntry.objects.filter(object_uid=document()["uid"], action__startswith=prefix).order_by("id")
    return list(found.values_list("action", flat=True))


def state() -> tuple[Any, ...]:
    """What nothing may touch when nothing changes."""
    return document(), Event.objects.count(), Provenance.objects.get(uid=document()["uid"]).fields


def rebuild(*uids: str, reason: str = "test"):
    return rebuilding.rebuild(kind=kind(), uids=uids or [document()["uid"]], by=mara(), reason=reason)


# --- rebuilding ---------------------------------------------------------------------------------------------------


def test_rebuilding_what_is_right_writes_nothing():
    two_sources()
    before = state()
    assert rebuild() == {"unchanged": 1}
    assert state() == before and not ChangeRequest.objects.filter(kind="sources").exists()


def test_a_rebuild_is_one_request_with_version_event_and_audit():
    record = two_sources()
    SourceRecord.objects.filter(key="1").update(
        document={**SourceRecord.objects.get(key="1").document, "website": "a.example"}
    )
    assert rebuild(reason="Because") == {"changed": 1}
    change = ChangeRequest.objects.get(kind="sources")
    assert (change.state, change.origin, change.reason) == ("applied", "survivorship", "Because")
    assert change.policies == ["Values that follow their sources"]
    assert (document()["website"], document()["version"]) == ("a.example", record["version"] + 1)
    assert Event.objects.filter(change=change).count() == 1
    assert rebuild() == {"unchanged": 1}


def test_without_the_policy_people_are_asked_once_and_the_value_keeps_its_source():
    two_sources()
    ApprovalPolicy.objects.filter(name="Values that follow their sources").update(active=False)
    source = SourceRecord.objects.get(key="1")
    source.document = {**source.document, "website": "a.example"}
    source.save()
    before = document()
    assert rebuild() == {"asked": 1} == rebuild()
    [change] = ChangeRequest.objects.filter(origin="survivorship")
    assert (change.state, document()) == ("in_review", before)
    # A newer word of the source takes the place of the one that waits.
    SourceRecord.objects.filter(pk=source.pk).update(document={**source.document, "website": "b.example"})
    assert rebuild() == {"asked": 1}
    states = dict(ChangeRequest.objects.filter(origin="survivorship").values_list("pk", "state"))
    assert sorted(states.values()) == ["in_review", "withdrawn"]
    newest = ChangeRequest.objects.get(pk=max(states))
    changes.approve(change=newest, by=actor("ann", "approver"), content_hash=newest.content_hash)
    assert (document()["website"], origin("website")["system"]) == ("b.example", "erp")
    assert rebuild() == {"unchanged": 1}


def test_what_would_break_a_rule_of_the_record_is_not_written_and_a_group_mends_it():
    uid = make("payment_term", code="P", name="P", net_days=10)["uid"]
    now = timezone.now()
    given = (("erp", 10, {"discount_days": 20}), ("buy", 20, {"discount_days": 5, "discount_percent": "2.00"}))
    for code, rank, body in given:
        document_ = {"name": "P", "net_days": 10, "from_end_of_month": False, **body}
        SourceRecord.objects.create(
            system=system(code, rank=rank), type="payment_term", key=code, digest=code, document=document_,
            golden_uid=uid, received_at=now,
        )  # fmt: skip
    before = records.current_document("payment_term", uid)

    def run():
        return rebuilding.rebuild(kind=registry.get("payment_term"), uids=[uid], by=mara(), reason="x")

    assert run() == {"refused": 1}  # the days of one with the percent of the other
    assert records.current_document("payment_term", uid) == before
    SurvivorshipRule.objects.create(
        type="payment_term", path="discount_days", order="completeness", together=["discount_percent"]
    )
    assert run() == {"changed": 1}
    after = records.current_document("payment_term", uid)
    assert (after["discount_days"], after["discount_percent"]) == (5, "2.00")


def test_a_load_nobody_approved_does_not_slip_in_with_a_rebuild():
    two_sources()
    ApprovalPolicy.objects.filter(name="auto import").delete()
    job = receive(row(ACME.replace("Hauptstr. 5", "Sneaky 1"), "NET60"))
    loading.run(job.pk)
    assert SourceRecord.objects.get(key="1").outcome == "staged"
    before = state()
    assert rebuild() == {"unchanged": 1}
    assert state() == before
    # Also not with somebody else's load of the same record.
    auto_approve("import")
    load(row(BETA, "NET45").replace("10115", "10117"), code="buy")
    assert (document()["payment_terms"], document()["addresses"][0]["lines"]) == ("NET30", ["Hauptstr. 5"])


# --- pins ---------------------------------------------------------------------------------------------------------


def pin(path: str = "payment_terms", **values: Any):
    return pins.pin(kind=kind(), uid=document()["uid"], path=path, reason="Frame contract", by=mara(), **values)


def approve(change: ChangeRequest) -> None:
    changes.approve(change=change, by=actor("sue", "steward"), content_hash=change.content_hash)


def test_pinning_what_holds_changes_nothing_and_holds_against_later_loads():
    before = two_sources()
    held = pin()
    assert isinstance(held, Pin) and (held.held, held.differed) == ({"value": "NET30"}, False)
    assert (document(), origin("payment_terms")["rule"]) == (before, "pinned")
    load(row(ACME, "NET60"))
    assert document()["payment_terms"] == "NET30"
    assert Pin.objects.get().differed
    assert actions() == ["value.pinned"]


def test_a_pin_is_dropped_with_a_note_once_the_sources_say_the_same_again():
    two_sources()
    pin()
    load(row(ACME, "NET60"))
    version = document()["version"]
    load(row(ACME, "NET30"))
    assert not Pin.objects.exists()
    assert actions() == ["value.pinned", "value.pin_dropped"]
    note = AuditEntry.objects.get(action="value.pin_dropped").detail
    assert (note["path"], note["reason"], note["pinned_for"]) == (
        "payment_terms", "The sources say the same again.", "Frame contract"
    )  # fmt: skip
    assert (document()["version"], origin("payment_terms")["system"]) == (version, "erp")
    load(row(ACME, "NET60"))
    assert document()["payment_terms"] == "NET60"


def test_pinning_another_source_s_value_is_a_request_and_holds_from_its_approval_on():
    two_sources()
    change = pin(source=("buy", "X9"))
    assert isinstance(change, ChangeRequest) and change.state == "in_review"
    assert (document()["payment_terms"], Pin.objects.count()) == ("NET30", 0)
    with pytest.raises(FourEyes):
        changes.approve(change=change, by=mara(), content_hash=change.content_hash)
    approve(change)
    held = Pin.objects.get()
    assert (document()["payment_terms"], held.held["value"], held.differed) == ("NET45", "NET45", True)
    assert (held.pinned_by.username, origin("payment_terms")["rule"]) == ("mara", "pinned")
    assert rebuild() == {"unchanged": 1}


def test_unpinning_gives_the_word_back_to_the_sources_at_once():
    two_sources()
    approve(pin(source=("buy", "X9")))  # type: ignore[arg-type]
    version, events = document()["version"], Event.objects.count()
    came = pins.unpin(kind=kind(), uid=document()["uid"], path="payment_terms", reason="It ended", by=mara())
    assert came == {"changed": 1}
    assert (document()["payment_terms"], document()["version"], Event.objects.count()) == (
        "NET30",
        version + 1,
        events + 1,
    )
    assert origin("payment_terms")["rule"] == "source_rank"


def test_unpinning_what_the_sources_say_too_makes_no_version():
    before = two_sources()
    pin()
    assert pins.unpin(kind=kind(), uid=before["uid"], path="payment_terms", reason="x", by=mara()) == {"unchanged": 1}
    assert (document(), origin("payment_terms")["system"], Pin.objects.count()) == (before, "erp", 0)
    with pytest.raises(NotFound):
        pins.unpin(kind=kind(), uid=before["uid"], path="payment_terms", reason="x", by=mara())


def test_what_people_entered_survives_a_pin_over_it():
    record = two_sources()
    approve(propose(record, mara(), website="ours.example"))
    pin("website")
    pins.unpin(kind=kind(), uid=record["uid"], path="website", reason="x", by=mara())
    assert (document()["website"], origin("website")["system"], origin("website")["rule"]) == (
        "ours.example",
        "hub",
        "only",
    )


def test_a_pin_ends_after_its_last_day_by_itself():
    two_sources()
    until = timezone.localdate() + timedelta(days=1)
    approve(pin(source=("buy", "X9"), until=until))  # type: ignore[arg-type]
    assert background.tick()["expired_pins"] == 0
    Pin.objects.update(until=timezone.localdate() - timedelta(days=1))
    version = document()["version"]
    assert background.tick()["expired_pins"] == 1
    assert (document()["payment_terms"], document()["version"], Pin.objects.count()) == ("NET30", version + 1, 0)
    assert actions() == ["value.pinned", "value.pin_expired"]
    assert background.tick()["expired_pins"] == 0
    assert document()["version"] == version + 1


def test_a_row_is_pinned_as_a_block():
    two_sources()
    path = f"addresses/{document()['addresses'][0]['uid']}"
    pin(path)
    load(row(ACME, "NET30").replace("Hauptstr. 5", "Neue Str. 9"))
    assert document()["addresses"][0]["lines"] == ["Hauptstr. 5"]
    assert pins.unpin(kind=kind(), uid=document()["uid"], path=path, reason="x", by=mara()) == {"changed": 1}
    assert document()["addresses"][0]["lines"] == ["Neue Str. 9"]


def test_a_pinned_bank_account_stays_sealed():
    two_sources()
    held = pin(f"bank_accounts/{document()['bank_accounts'][0]['uid']}")
    assert isinstance(held, Pin)
    assert "DE89370400440532013000" not in str(held.held) and held.held["value"]["iban"]["last4"] == "3000"


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"path": "nonsense"}, CorrectInput),
        ({"path": "addresses"}, CorrectInput),
        ({"path": "payment_terms", "until": timezone.localdate() - timedelta(days=1)}, CorrectInput),
        ({"path": "payment_terms", "value": "NO-SUCH-TERM"}, CorrectInput),
        ({"path": "payment_terms", "source": ("erp", "nonsense")}, NotFound),
        ({"path": "country", "value": "Germany"}, CorrectInput),
    ],
)
def test_pins_that_make_no_sense_change_nothing(values, error):
    two_sources()
    before = state()
    with pytest.raises(error):
        pin(**values)
    assert state() == before and not Pin.objects.exists()


def test_only_stewards_pin_and_lift():
    before = two_sources()
    nora = actor("nora", "requester")
    with pytest.raises(NotAllowed):
        pins.pin(kind=kind(), uid=before["uid"], path="payment_terms", reason="x", by=nora)
    pin()
    with pytest.raises(NotAllowed):
        pins.unpin(kind=kind(), uid=before["uid"], path="payment_terms", reason="x", by=nora)
    assert Pin.objects.count() == 1


# --- groups -------------------------------------------------------------------------------------------------------


def test_fields_of_a_group_are_pinned_and_entered_together():
    SurvivorshipRule.objects.create(type="supplier", path="payment_terms", order="source_rank", together=["currency"])
    record = two_sources()
    approve(propose(record, mara(), currency="EUR"))
    assert {origin(path)["system"] for path in ("payment_terms", "currency")} == {"hub"}
    held = pin("currency")
    assert isinstance(held, Pin) and held.path == "payment_terms+currency"
    assert held.held["value"] == {"payment_terms": "NET30", "currency": "EUR"}
    shown = {entry["path"]: entry for entry in provenance.results(kind(), document())}
    assert shown["currency"]["override"]["uid"] == shown["payment_terms"]["override"]["uid"] == held.pin_uid
    assert shown["currency"]["together"] == ["payment_terms", "currency"]


# --- sources that leave -------------------------------------------------------------------------------------------


def test_a_source_that_is_gone_keeps_its_values_until_a_better_one_speaks():
    two_sources(second="")
    assert leaving.leave(kind=kind(), system=system("erp"), keys=["1"], why="deleted") == 1
    version = document()["version"]
    assert background.tick()["rebuilt"] == 1
    assert (document()["payment_terms"], origin("payment_terms")["rule"]) == ("NET30", "last_known")
    shown = {entry["path"]: entry for entry in provenance.results(kind(), document())}
    assert shown["payment_terms"]["rule_text"] == "last known: Erp no longer gives it"
    assert [o["left"] for o in shown["payment_terms"]["offers"]] == [True]
    # Where another source speaks it is heard at once: its name, its writing of the address.
    assert (document()["legal_name"], document()["version"]) == ("ACME WERKZEUGE GMBH", version + 1)
    load(row(BETA, "NET45"), code="buy")
    assert (document()["payment_terms"], origin("payment_terms")["rule"]) == ("NET45", "only")
    # Twice is once, and who comes back takes its place again.
    assert leaving.leave(kind=kind(), system=system("erp"), keys=["1"], why="deleted") == 0
    assert PendingRebuild.objects.count() == 0
    load(row(ACME, "NET30"))
    assert (document()["payment_terms"], SourceRecord.objects.get(key="1").active) == ("NET30", True)


def test_unless_the_rule_lets_it_go():
    SurvivorshipRule.objects.create(type="supplier", path="payment_terms", order="source_rank", keep_last=False)
    two_sources(second="")
    leaving.unlink(kind=kind(), system=system("erp"), key="1")
    background.tick()
    assert (document()["payment_terms"], Crosswalk.objects.get(key="1").active) == (None, False)
    assert SourceRecord.objects.get(key="1").left_why == "unlinked"


def test_a_file_says_which_rows_are_deleted_there(monkeypatch):
    monkeypatch.setitem(MAPPING, "columns", {**MAPPING["columns"], "gone": "_deleted"})  # type: ignore[dict-item]
    monkeypatch.setattr("tests.mdm.test_importing.HEAD", f"{HEAD};gone")
    system("erp", rank=10)
    system("buy", rank=20)
    terms("NET30", "NET45")
    load(row(ACME, "NET30") + ";")
    load(row(BETA, "NET45") + ";no", code="buy")
    assert document()["payment_terms"] == "NET30"
    job = load(row(ACME, "NET30") + ";X", "7;Never Known GmbH;DE;;;;;;;X")
    assert (job.updated, job.unchanged, Supplier.objects.count()) == (1, 1, 1)
    assert document()["payment_terms"] == "NET45"
    again = load(row(ACME, "NET30") + ";X", "7;Never Known GmbH;DE;;;;;;;X")
    assert (again.unchanged, document()["payment_terms"]) == (2, "NET45")
    load(row(ACME, "NET30") + ";", "7;Never Known GmbH;DE;;;;;;;X")
    assert document()["payment_terms"] == "NET30"


def test_a_name_that_follows_its_source_is_compared_anew():
    record = two_sources()
    other = make("supplier", legal_name="Ziegelwerk Abendrot GmbH", country="DE", website="https://abendrot.example")
    assert not DuplicatePair.objects.filter(Q(left=other["uid"]) | Q(right=other["uid"])).exists()
    for source in SourceRecord.objects.filter(golden_uid=record["uid"]):
        named = {"legal_name": "Ziegelwerk Abendrot", "website": "https://abendrot.example"}
        SourceRecord.objects.filter(pk=source.pk).update(document={**source.document, **named})
    assert rebuild() == {"changed": 1}
    found = DuplicatePair.objects.get(left__in=[record["uid"], other["uid"]], right__in=[record["uid"], other["uid"]])
    assert found.state == "open"


# --- taking a source off ------------------------------------------------------------------------------------------


def detach(key: str = "X9", code: str = "buy", **values: Any) -> ChangeRequest:
    return detaching.propose(
        kind=kind(), uid=document()["uid"], sources=[(code, key)], by=mara(), reason="Another company", **values
    )


def test_a_source_taken_off_becomes_a_record_of_its_own_and_stays_apart():
    record = two_sources()
    approve(propose(record, mara(), website="ours.example"))
    change = detach("1", "erp")
    assert (change.state, change.kind) == ("in_review", "detach")
    before = state()
    with pytest.raises(FourEyes):
        changes.approve(change=change, by=mara(), content_hash=change.content_hash)
    assert state() == before
    approve(change)
    assert document()["payment_terms"] == "NET45"
    assert origin("payment_terms")["system"] == "buy"
    assert document()["website"] == "ours.example"
    other = Supplier.objects.exclude(uid=record["uid"]).get()
    fresh = records.current_document("supplier", other.uid)
    assert (fresh["legal_name"], fresh["payment_terms"]) == ("Acme Werkzeuge GmbH", "NET30")
    assert Provenance.objects.get(uid=other.uid).fields["payment_terms"]["system"] == "erp"
    assert (SourceRecord.objects.get(key="1").golden_uid, Crosswalk.objects.get(key="1").uid) == (other.uid, other.uid)
    assert {pair.state for pair in DuplicatePair.objects.all()} == {"different"}
    background.tick()
    load(row(ACME, "NET60"))
    assert document()["payment_terms"] == "NET45"
    assert records.current_document("supplier", other.uid)["payment_terms"] == "NET60"
    background.tick()
    assert Supplier.objects.count() == 2


def test_or_goes_to_the_record_it_belongs_to():
    record = two_sources()
    other = make("supplier", legal_name="Right One GmbH", country="DE")
    approve(detach(to=other["uid"]))
    assert SourceRecord.objects.get(key="X9").golden_uid == Supplier.objects.get(code=other["code"]).uid
    gained = records.current_document("supplier", other["uid"])
    assert (gained["payment_terms"], gained["legal_name"]) == ("NET45", "Right One GmbH")
    assert document()["uid"] == record["uid"] and document()["payment_terms"] == "NET30"


def test_taking_off_a_source_whose_values_all_others_give_moves_it_and_makes_no_version():
    two_sources("NET30", "NET30")
    version = document()["version"]
    approve(detach())
    assert document()["version"] == version
    assert SourceRecord.objects.get(key="X9").golden_uid != document()["uid"]


def test_what_cannot_be_taken_off():
    record = two_sources()
    with pytest.raises(NotFound):
        detach("nonsense")
    with pytest.raises(CorrectInput):
        detaching.propose(kind=kind(), uid=record["uid"], sources=[("buy", "X9")], by=mara(), reason=" ")
    detach()
    with pytest.raises(NotNow, match="waits already"):
        detach()
    SourceRecord.objects.filter(key="1").update(active=False)
    ChangeRequest.objects.filter(kind="detach").update(state="withdrawn")
    with pytest.raises(NotNow, match="only source"):
        detach()


def test_who_was_first_moved_it_and_the_second_approval_changes_nothing():
    two_sources()
    one = detach()
    ChangeRequest.objects.filter(pk=one.pk).update(state="returned")  # as if two had been asked for at once
    SourceRecord.objects.filter(key="X9").update(golden_uid=make("supplier", legal_name="Z", country="DE")["uid"])
    ChangeRequest.objects.filter(pk=one.pk).update(state="in_review")
    one.refresh_from_db()
    before = (state(), Supplier.objects.count())
    with pytest.raises(NotNow, match="stands at another record"):
        approve(one)
    assert (state(), Supplier.objects.count()) == before


def test_upkeep_knows_what_is_the_same():
    assert pin_upkeep._equal({"a": None, "b": []}, {"a": "", "b": None})
    assert not pin_upkeep._equal({"a": "x"}, {"a": None})
