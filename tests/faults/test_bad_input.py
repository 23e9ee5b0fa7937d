"""Bad input over HTTP: each a clear refusal or a row set aside; nothing is lost, changed or sent by it."""

from __future__ import annotations

from typing import Any

import pytest

from mdm.services import changes
from mdm.services.proposing import ProposedItem
from mdm.types import Actor
from tests import people
from tests.faults.measures import MIB, everything, rss, workbook, zip_bomb
from tests.fixtures_processes import Sandboxes
from tests.fixtures_story import Caller, Side, Story, until

pytestmark = pytest.mark.slow


@pytest.fixture
def supplier(house: Story) -> dict[str, Any]:
    made = people.make("supplier", legal_name="Bergbau Nord GmbH", country="DE", payment_terms="NET30")
    return dict(house.by("steward").get(f"suppliers/{made['uid']}/"))


def test_calls_that_are_refused_change_nothing(house: Story, supplier: dict[str, Any]) -> None:
    path = f"suppliers/{supplier['uid']}/"
    before = everything()
    stranger = Caller(house.hub.base_url)
    stranger.refused("GET", path, status=401, code="not_authenticated")
    stranger.refused("POST", "suppliers/", status=401, code="not_authenticated", json={"legal_name": "X"})
    Caller(house.hub.base_url, "mdm_made-up").refused("GET", path, status=401, code="not_authenticated")

    auditor = house.by("auditor")
    for call in ("suppliers/", f"{path}block/", "change-requests/", "imports/", "suppliers/merge/"):
        problem = auditor.refused("POST", call, status=403, code="missing_scope", json={})
        assert problem["scope"].startswith("propose"), "it names the scope that is missing"
    auditor.refused("POST", "targets/s4hana/push/", status=403, code="missing_scope", json={})

    requester = house.by("requester")
    for body, at in (
        ({"legal_name": "X", "country": "DE", "colour": "blue"}, "colour"),
        ({"legal_name": "X", "addresses": [{"kind": "registered", "stret": "1"}]}, "stret"),
        ({"country": "DE"}, "legal_name"),
        ({"legal_name": "X", "country": "Atlantis"}, "country"),
        ({"legal_name": "X", "payment_terms": "NET31"}, "payment_terms"),
        ({"legal_name": "X", "bank_accounts": [{"iban": "DE00 1234"}]}, "iban"),
    ):
        problem = requester.refused("POST", "suppliers/", status=400, code="invalid", json=body)
        assert any(at in error["path"] for error in problem["errors"]), problem
    change = {"payment_terms": "NET45"}
    requester.refused("PATCH", path, status=428, code="precondition_required", json=change)
    for tag in ('"99"', 'W/"1"', "1"):
        requester.refused("PATCH", path, status=412, code="stale_version", json=change, headers={"If-Match": tag})
    requester.refused("GET", "suppliers/00000000-0000-4000-8000-000000000000/", status=404, code="not_found")
    requester.refused("GET", "suppliers/?colour=blue", status=400, code="invalid")
    assert everything() == before
    assert house.by("steward").get(path) == supplier


def test_a_record_that_moved_meanwhile_is_not_overwritten(house: Story, supplier: dict[str, Any]) -> None:
    path = f"suppliers/{supplier['uid']}/"
    change = house.by("requester").patch(path, {"payment_terms": "NET60"}, version=supplier["version"])
    house.approve(change, "steward")
    before = everything()
    problem = house.by("integrator").refused(
        "PATCH", path, status=412, code="stale_version", json={"currency": "USD"},
        headers={"If-Match": f'"{supplier["version"]}"'},
    )  # fmt: skip
    assert problem["current"] == str(supplier["version"] + 1)
    assert everything() == before
    assert house.by("steward").get(path)["payment_terms"] == "NET60"


def test_approvals_that_are_refused(house: Story, supplier: dict[str, Any]) -> None:
    steward, approver = house.by("steward"), house.by("approver")
    change = steward.patch(f"suppliers/{supplier['uid']}/", {"payment_terms": "NET45"}, version=supplier["version"])
    own, path = {"content_hash": change["content_hash"]}, f"change-requests/{change['uid']}/"
    before = everything()
    steward.refused("POST", f"{path}approve/", status=403, code="four_eyes", json=own)
    approver.refused("POST", f"{path}approve/", status=400, code="invalid", json={})
    house.by("auditor").refused("POST", f"{path}approve/", status=403, code="not_allowed", json=own)
    assert everything() == before
    assert steward.get(path)["state"] == "in_review"

    items = [{"type": "supplier", "uid": supplier["uid"], "action": "update", "changes": {"payment_terms": "NET90"}}]
    tag = steward.http.get(path).headers["ETag"]
    edited = steward.call("PATCH", path, expect=200, json={"items": items}, headers={"If-Match": tag})
    assert edited["content_hash"] != change["content_hash"]
    before = everything()
    approver.refused("POST", f"{path}approve/", status=409, code="content_changed", json=own)
    assert everything() == before
    assert steward.get(f"suppliers/{supplier['uid']}/") == supplier, "nothing of it is in force"

    assert house.approve(change, "approver")["state"] == "applied"
    before = everything()
    approver.refused("POST", f"{path}approve/", status=409, code="wrong_state",
                     json={"content_hash": edited["content_hash"]})  # fmt: skip
    assert everything() == before
    assert steward.get(f"suppliers/{supplier['uid']}/")["payment_terms"] == "NET90"


def test_the_same_file_twice_changes_nothing(house: Story) -> None:
    file, mapping = house.files["s4hana"], house.mappings["s4hana"]
    first = house.import_file(file.name, file.read_bytes(), system="s4hana", mapping=mapping)
    assert first["counts"]["new"] > 30
    before = everything()
    second = house.import_file(file.name, file.read_bytes(), system="s4hana")
    taken = first["counts"]["in"] - first["counts"]["quarantined"]
    assert second["counts"] == {**dict.fromkeys(second["counts"], 0), "in": first["counts"]["in"], "unchanged": taken,
                                "quarantined": first["counts"]["quarantined"]}  # fmt: skip
    after = everything()
    moved = {name for name in after if after[name] != before[name]}
    assert moved <= {"ImportJob", "QuarantinedRow", "ChangeRequest", "Participant", "AuditEntry", "ColumnMapping"}, (
        moved
    )


def test_the_same_upload_sent_again_is_one_job(house: Story) -> None:
    """A client that repeats its call under one Idempotency-Key gets the first answer."""
    steward = house.by("steward")
    content = b"Key;Name\nK1;Einmal GmbH\n"
    sent: dict[str, Any] = {
        "data": {"system": "hub", "type": "supplier", "mapping": '{"key": "Key", "columns": {"Name": "legal_name"}}'},
        "headers": {"Idempotency-Key": "upload-1"},
    }
    first = steward.call("POST", "imports/", expect=202, files={"file": ("a.csv", content)}, **sent)
    house.finished(first["uid"])
    again = steward.call("POST", "imports/", expect=202, files={"file": ("a.csv", content)}, **sent)
    assert again["uid"] == first["uid"]
    other = {"file": ("a.csv", content + b"K2;Zweimal GmbH\n")}
    steward.refused("POST", "imports/", status=422, code="idempotency_key_reused", files=other, **sent)
    assert len(steward.get("imports/")["results"]) == 1


def test_files_that_are_no_tables_are_refused(house: Story) -> None:
    steward = house.by("steward")
    before = everything()
    bomb = zip_bomb()
    assert len(bomb) < 2 * MIB
    memory = rss(house.hub.web.pid)
    for name, content in {
        "empty.csv": b"",
        "empty.xlsx": b"",
        "picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 64,
        "program.csv": b"\x7fELF\x02\x01\x01" + bytes(4096),
        "archive.csv": bomb,
        "bomb.xlsx": bomb,
        "headings.csv": b"\n\n\n",
    }.items():
        sent = {"data": {"system": "hub", "type": "supplier"}, "files": {"file": (name, content)}}
        answer = steward.http.post("imports/", **sent)
        assert answer.status_code in (400, 413), (name, answer.status_code, answer.text[:500])
        problem = answer.json()
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert problem["code"] in ("invalid", "too_large") and len(problem["detail"]) > 20, (name, problem)
        assert everything() == before, name
    assert rss(house.hub.web.pid) - memory < 150 * MIB, "unpacking stopped long before the end"


@pytest.mark.slow
def test_a_cell_of_ten_megabytes_is_one_row_in_quarantine(house: Story) -> None:
    """In any format: that row waits for correction, its neighbours are taken in, nobody's memory explodes."""
    huge = "x" * (10 * MIB)
    mapping = {"key": "Key", "columns": {"Name": "legal_name", "Country": "country"}}
    rows = [("1", "Davor GmbH"), ("2", huge), ("3", "Danach GmbH")]
    csv = "Key;Name;Country\n" + "".join(f"{key};{name};DE\n" for key, name in rows)
    lines = "".join(f'{{"Key": "N{key}", "Name": "{name} N", "Country": "DE"}}\n' for key, name in rows)
    memory = rss(house.hub.worker.pid)
    sheet = workbook([("Key", "Name", "Country"), *((f"X{key}", f"{name} X", "DE") for key, name in rows)])
    for file, content in (("huge.csv", csv.encode()), ("huge.ndjson", lines.encode()), ("huge.xlsx", sheet)):
        job = house.import_file(file, content, system="hub", mapping=mapping)
        assert job["state"] == "done" and job["counts"]["quarantined"] == 1 and job["counts"]["in"] == 3, job
        (row,) = house.by("steward").all(f"imports/{job['uid']}/problems/")
        assert row["row"] == 2 and row["errors"][0]["message"], row
        assert len(str(row["raw"])) < 100_000, "only the beginning is shown"
        wrong = {"values": {"Name": huge[: 1 * MIB]}}
        house.by("steward").refused(
            "POST", f"imports/{job['uid']}/problems/{row['uid']}/resubmit/", status=400, code="invalid", json=wrong
        )
    assert rss(house.hub.worker.pid) - memory < 400 * MIB


@pytest.fixture
def erp(house: Story, sandbox: Sandboxes, settings: Any) -> Side:
    """One platform, empty, that gets every supplier from now on; a lost request can arrive for 1.5 s at most."""
    from sync.models import Subscription, Target

    side = Side(sandbox("s4hana"))
    settings.SANDBOX_URLS = {"s4hana": side.sandbox.url}
    house.sides = {"s4hana": side}
    house.connect()
    Subscription.objects.update(creates=True)
    Target.objects.update(timeout_s=2)
    return side


def _new(count: int) -> list[str]:
    items = [
        ProposedItem(type="supplier", action="create", patch={"legal_name": f"Nachschub {n} GmbH", "country": "DE",
                     "addresses": [{"kind": "registered", "lines": ["Kai 1"], "city": "Kiel", "country": "DE"}]})
        for n in range(count)
    ]  # fmt: skip
    change = changes.propose(items=items, by=Actor.system("test"), origin="system")
    return [str(item.uid) for item in change.items.all()]


def test_a_target_that_is_down_gets_everything_when_it_is_back(house: Story, erp: Side) -> None:
    erp.sandbox.stop()
    uids = _new(3)

    def tried() -> Any:
        rows = [row for uid in uids for row in house.deliveries(uid)]
        return rows if len(rows) == 3 and any(row["attempts"] for row in rows) else None

    rows = until(tried, "it was tried")
    assert {row["state"] for row in rows} <= {"pending", "in_flight", "retrying"}, rows
    target = house.by("operator").get("targets/s4hana/")
    assert target["queue"]["open"] == 3 and target["last_error"], target
    erp.sandbox.start()
    for uid in uids:
        assert [(row["state"], row["effect"]) for row in house.settled(uid)] == [("posted", "created")]
    held = erp.records()
    assert sorted(fields["A_BusinessPartner.OrganizationBPName1"] for fields in held.values()) == [
        f"Nachschub {n} GmbH" for n in range(3)
    ]
    assert sorted(effect["key"] for effect in erp.effects() if effect["kind"] == "created") == sorted(held)


def test_a_worker_killed_while_pushing_leaves_one_effect(house: Story, erp: Side) -> None:
    """kill -9 between the request and its answer: the next one reads back what became of it."""
    erp.fault("slow:1200", "^POST /.*A_BusinessPartner")
    (uid,) = _new(1)
    until(lambda: house.deliveries(uid, state="unknown"), "the request is on its way")
    for process in (house.hub.worker, house.hub.dispatcher):
        process.kill()
    until(lambda: erp.effects(), "the platform did it all the same")
    for process in (house.hub.worker, house.hub.dispatcher):
        process.start()
    (row,) = house.settled(uid)
    assert (row["state"], row["verified"]) == ("posted", True)
    sends = [attempt for attempt in row["attempts"] if attempt["kind"] == "send"]
    assert [attempt["finished_at"] for attempt in sends] == [None], "one request, and the process that made it is gone"
    assert len(erp.records()) == 1 and [effect["kind"] for effect in erp.effects()].count("created") == 1
