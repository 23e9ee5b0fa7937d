"""What every connector owes for the record types it takes besides suppliers, driven over HTTP against its sandbox.

A part of the contract tests of connectors: a new type in a connector's `types` joins by itself, once it has a document below.
Some platforms keep such records current but make none; then nothing may be made, and one that is there takes its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mdm.demo.platforms import all_platforms
from sync import mapping
from sync.errors import Ambiguous, NotSupported, Refused
from sync.protocol import Connector, Outcome, Push, RemoteRecord
from tests.sync.sandboxes import NAMES, REFERENCE, WRITES, Platform, connector_class, folder, platform

TERM = {"code": "NET75", "name": "75 days net", "net_days": 75, "discount_days": None, "discount_percent": None}
ENTITY = {"code": "NH77", "name": "Contract Test SAS", "country": "FR", "currency": "EUR", "city": "Nantes"}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "payment_term": {**TERM, "uid": REFERENCE, "from_end_of_month": False, "status": "active"},
    "legal_entity": {**ENTITY, "uid": REFERENCE, "vat_id": None, "lei": None, "status": "active"},
}
THERE = {"payment_term": {"code": "NET30", "name": "30 days net", "net_days": 30}, "legal_entity": {"code": "NH20"}}
READ = [name for name in NAMES if hasattr(connector_class(name), "scan")]
CASES = [(name, type) for name in READ for type in connector_class(name).types if type != "supplier"]
pytestmark = pytest.mark.parametrize(("name", "type"), CASES, ids=[f"{name}-{type}" for name, type in CASES])


class Side:
    """One type at one platform that is being served."""

    def __init__(self, target: Platform, type: str) -> None:
        self.target, self.type = target, type
        self.mapping = mapping.load(folder(target.name) / "mapping.yaml", type)
        self.options = next((one.options for one in all_platforms() if one.name == target.name), {})
        self.document = DOCUMENTS[type]

    def connector(self, **more: Any) -> Connector:
        return self.target.connector(**{**self.options, **more})

    def order(self, document: dict[str, Any], **changes: Any) -> Push:
        given: dict[str, Any] = {"idempotency_key": "1:x:1", "correlation_id": "c-1", "action": "upsert", **changes}
        return Push(type=self.type, payload=self.mapping.render(document), reference=REFERENCE, **given)

    def records(self) -> list[dict[str, Any]]:
        return list(self.target.control("GET", f"records?type={self.type}")["records"])

    def effects(self, kind: str = "") -> int:
        return sum(one["type"] == self.type and kind in one["kind"] for one in self.target.effects())

    def differences(self, document: dict[str, Any], record: RemoteRecord | None) -> list[Any]:
        assert record is not None
        found = self.mapping.compare(self.mapping.render(document), record.fields)
        return [difference for difference in found if difference.kind != "extra"]

    def start(self) -> Outcome:
        """A record to go on with: made, or where the platform makes none, one that is there."""
        before = len(self.records())
        try:
            outcome = self.connector().push(self.order(self.document))
            assert outcome.effect == "created" and len(self.records()) == before + 1
        except Refused:
            assert len(self.records()) == before and not self.effects(), "refused means that nothing was made"
            self.document = {**self.document, **THERE[self.type]}
            outcome = self.connector().push(self.order(self.document))
            assert outcome.effect in ("updated", "unchanged") and len(self.records()) == before
        return outcome


@pytest.fixture
def side(name: str, type: str, tmp_path: Path) -> Iterator[Side]:
    with platform(name, tmp_path / "state.sqlite") as running:
        yield Side(running, type)


def test_the_mapping_reads_and_there_is_a_document(name: str, type: str) -> None:
    found = mapping.load(folder(name) / "mapping.yaml", type)
    assert found.parts and type in DOCUMENTS, f"give test_other_types.py a document of {type}"


def test_written_once_and_repeated_without_effect(side: Side) -> None:
    outcome = side.start()
    assert outcome.verified and outcome.key
    count, effects = len(side.records()), side.effects()
    for known in (outcome.key, None):
        again = side.connector().push(side.order(side.document, key=known))
        assert (again.key, again.effect, again.verified) == (outcome.key, "unchanged", True)
    assert (len(side.records()), side.effects()) == (count, effects)


def test_a_change_arrives_and_reads_back(side: Side) -> None:
    key = side.start().key
    changed = {**side.document, "name": "Changed by contract"}
    outcome = side.connector().push(side.order(changed, key=key))
    assert (outcome.key, outcome.effect, outcome.verified) == (key, "updated", True)
    assert side.differences(changed, side.connector().read(side.type, key)) == []
    assert side.differences(side.document, side.connector().read(side.type, key)) != []


def test_found_and_scanned_as_it_is_read(side: Side) -> None:
    key = side.start().key
    connector = side.connector()
    held = connector.read(side.type, key)
    found = connector.find(side.type, REFERENCE, side.mapping.render(side.document))
    scanned = {record.key: record for record in connector.scan(side.type)}
    assert found is not None and found.key == key and scanned[key] == held
    assert connector.read(side.type, "999999999") is None


def test_a_key_the_platform_does_not_know_makes_nothing(side: Side) -> None:
    before = len(side.records())
    with pytest.raises(Refused):
        side.connector().push(side.order(side.document, key="999999999"))
    assert len(side.records()) == before


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "reset_after", "500"])
def test_a_lost_change_is_made_good_once(side: Side, kind: str) -> None:
    key = side.start().key
    changed = {**side.document, "name": "Changed by contract"}
    before, impatient = len(side.records()), side.connector(timeout=1.0)
    impatient.check()
    side.target.fail(kind, match=WRITES)
    with pytest.raises(Ambiguous):
        impatient.push(side.order(changed, key=key))
    assert side.connector().push(side.order(changed, key=key)).verified
    assert side.differences(changed, side.connector().read(side.type, key)) == [] and len(side.records()) == before


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "reset_after", "500"])
def test_a_lost_create_is_made_once(side: Side, kind: str) -> None:
    before, impatient = len(side.records()), side.connector(timeout=1.0)
    impatient.check()
    side.target.fail(kind, match=WRITES)
    try:
        impatient.push(side.order(side.document))
        raise AssertionError("the fault did not hit the create")
    except Refused:
        assert len(side.records()) == before and not side.effects()  # this platform makes none: nothing was sent
        return
    except Ambiguous:
        pass
    for _ in range(2):
        assert side.connector().push(side.order(side.document)).verified
    assert len(side.records()) == before + 1 and side.effects("created") == 1


def test_blocked_there_or_said_that_it_cannot_be(side: Side) -> None:
    key = side.start().key
    effects = side.effects()
    order = side.order(side.document, key=key, action="block")
    try:
        assert side.connector().push(order).effect == "blocked"
    except NotSupported:
        assert side.effects() == effects
        return
    record = side.connector().read(side.type, key)
    assert record is not None and record.blocked
    assert side.connector().push(order).effect == "unchanged"
    assert side.connector().push(side.order(side.document, key=key)).verified
