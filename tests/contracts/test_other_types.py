"""What every connector owes for the record types it takes besides suppliers, driven over the wire against its sandbox.

A part of the contract tests of connectors: a new type in a connector's `types` joins by itself, once it has a document
below; what the document must say otherwise for one platform stands in `contract` of its sandbox. Some platforms keep
such records current but make none; then nothing may be made, and one that is there takes its place.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mdm.demo.platforms import all_platforms
from sync import mapping
from sync.deadline import asking
from sync.errors import Ambiguous, NotSupported, Refused, Stale, SyncError, Throttled
from sync.protocol import Connector, Outcome, Push, RemoteRecord
from tests.sync.sandboxes import NAMES, REFERENCE, WRITES, Platform, connector_class, folder, platform, sandbox_class

TERM = {"code": "NET75", "name": "75 days net", "net_days": 75, "discount_days": None, "discount_percent": None}
ENTITY = {"code": "NH77", "name": "Contract Test SAS", "country": "FR", "currency": "EUR", "city": "Nantes"}
CENTER = {
    "name": "Contract test",
    "legal_entity": "NH10",
    "category": "sales",
    "responsible": "Ida Beck",
    "department": None,
    "profit_center": "PC-CORP",
    "currency": None,
    "blocked_for_costs": False,
    "blocked_for_planning": False,
}
PROFIT = {
    "name": "Contract test",
    "legal_entity": None,
    "segment": "Services",
    "responsible": "Ida Beck",
    "blocked": False,
}
PROJECT = {
    "name": "Contract test",
    "legal_entity": "NH10",
    "stage": "released",
    "responsible": "Ida Beck",
    "profit_center": "PC-CORP",
}
ACCOUNT = {
    "name": "Contract test",
    "kind": "expense",
    "group": None,
    "currency": None,
    "open_items": False,
    "reconciliation": None,
    "blocked_for_posting": False,
}
TAX = {"name": "Contract test", "rate": "19.000", "deductible": None}


def dated(values: dict[str, Any], **always: Any) -> dict[str, Any]:
    """A document with one period, open at its end: at the top it shows what holds today."""
    period = {**values, "valid_from": "2019-01-01", "valid_to": None}
    return {**always, **period, "validity": "current", "slices": [{"uid": "s1", **period}], "status": "active"}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "payment_term": {**TERM, "from_end_of_month": False, "status": "active"},
    "legal_entity": {**ENTITY, "vat_id": None, "lei": None, "status": "active"},
    "cost_center": dated(CENTER, code="DE-7700"),
    "profit_center": dated(PROFIT, code="PC-7700"),
    "project": dated(PROJECT, code="P-7700"),
    "gl_account": dated(ACCOUNT, code="NH-GROUP/477000", chart="NH-GROUP", number="477000"),
    "tax_code": dated(TAX, code="DE-S77", country="DE", region=None, kind="input", jurisdiction=None),
}
THERE = {"payment_term": {"code": "NET30", "name": "30 days net", "net_days": 30}, "legal_entity": {"code": "NH20"}}
DATED = [type for type, document in DOCUMENTS.items() if "slices" in document]
FINAL = ("concur",)  # what is closed there is deleted, and a deleted code is never given again
READ = [name for name in NAMES if hasattr(connector_class(name), "scan")]
CASES = [(name, type) for name in READ for type in connector_class(name).types if type != "supplier"]
LOST = ["timeout_before", "timeout_after", "reset_after", "500"]
CERTAIN = {"429": Throttled, "503": Throttled, "refuse": Refused, "status:412": Stale}  # not applied, and it says so


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases = [case for case in CASES if "closing" not in metafunc.fixturenames or case[1] in DATED]
    if "type" in metafunc.fixturenames:
        metafunc.parametrize(("name", "type"), cases, ids=[f"{name}-{type}" for name, type in cases])
    else:
        metafunc.parametrize("name", NAMES)


def closed(document: dict[str, Any], day: str, validity: str) -> dict[str, Any]:
    """The same record with an end."""
    periods = [{**period, "valid_to": day} for period in document["slices"]]
    return {**document, "valid_to": day, "validity": validity, "slices": periods}


def renamed(document: dict[str, Any], name: str = "Changed by contract") -> dict[str, Any]:
    """Another name, in every period there is."""
    periods = {"slices": [{**period, "name": name} for period in document["slices"]]} if "slices" in document else {}
    return {**document, "name": name, **periods}


class Side:
    """One type at one platform that is being served."""

    def __init__(self, target: Platform, type: str) -> None:
        self.target, self.type = target, type
        self.mapping = mapping.load(folder(target.name) / "mapping.yaml", type)
        self.options = next((one.options for one in all_platforms() if one.name == target.name), {})
        own = sandbox_class(target.name).contract.get(type, {})
        self.document = {**DOCUMENTS[type], "uid": REFERENCE, **own}
        if "slices" in self.document:
            named = {name: value for name, value in own.items() if name in self.document["slices"][0]}
            self.document["slices"] = [{**period, **named} for period in self.document["slices"]]

    def connector(self, **more: Any) -> Connector:
        return self.target.connector(**{**self.options, **more})

    def order(self, document: dict[str, Any], **changes: Any) -> Push:
        given: dict[str, Any] = {"idempotency_key": "1:x:1", "correlation_id": "c-1", "action": "upsert", **changes}
        return Push(type=self.type, payload=self.mapping.render(document), reference=REFERENCE, **given)

    def push(self, document: dict[str, Any], **changes: Any) -> Outcome:
        return self.connector().push(self.order(document, **changes))

    def records(self) -> list[dict[str, Any]]:
        return list(self.target.control("GET", f"records?type={self.type}")["records"])

    def effects(self, kind: str = "") -> int:
        return sum(one["type"] == self.type and kind in one["kind"] for one in self.target.effects())

    def held(self, key: str) -> RemoteRecord:
        record: RemoteRecord | None = self.connector().read(self.type, key)
        assert record is not None
        return record

    def differences(self, document: dict[str, Any], record: RemoteRecord | None) -> list[Any]:
        """As drift would find them."""
        assert record is not None
        return self.mapping.compare(self.mapping.render(document), record.fields)

    def start(self) -> Outcome:
        """A record to go on with: made, or where the platform makes none, one that is there."""
        before = len(self.records())
        try:
            outcome = self.push(self.document)
            assert outcome.effect == "created" and len(self.records()) == before + 1
        except Refused:
            assert self.type in THERE and len(self.records()) == before and not self.effects(), (
                "refused means: not made"
            )
            self.document = {**self.document, **THERE[self.type]}
            outcome = self.push(self.document)
            assert outcome.effect in ("updated", "unchanged") and len(self.records()) == before
        return outcome


@pytest.fixture
def side(name: str, type: str, tmp_path: Path) -> Iterator[Side]:
    with platform(name, tmp_path / "state.sqlite") as running:
        yield Side(running, type)


@pytest.fixture
def closing(side: Side) -> Side:
    """Only types with periods."""
    return side


# What is declared


def test_the_mapping_reads_and_there_is_a_document(name: str, type: str) -> None:
    found = mapping.load(folder(name) / "mapping.yaml", type)
    assert found.parts and type in DOCUMENTS, f"give test_other_types.py a document of {type}"


def test_what_is_not_taken_says_why_in_a_sentence(name: str) -> None:
    for type, reason in mapping.not_pushable(folder(name) / "mapping.yaml").items():
        assert type in DOCUMENTS and type not in connector_class(name).types
        assert reason[0].isupper() and reason.endswith(".") and len(reason) > 40


# Pushing


def test_written_once_and_repeated_without_effect(side: Side) -> None:
    outcome = side.start()
    assert outcome.verified and outcome.key
    count, effects = len(side.records()), side.effects()
    for known in (outcome.key, None):
        again = side.push(side.document, key=known)
        assert (again.key, again.effect, again.verified) == (outcome.key, "unchanged", True)
    assert (len(side.records()), side.effects()) == (count, effects)


def test_what_was_pushed_is_no_drift(side: Side) -> None:
    """Nothing differs and nothing is besides, by a read and by a scan; adopting it would change nothing."""
    key = side.start().key
    assert side.differences(side.document, side.held(key)) == []
    scanned = {record.key: record for record in side.connector().scan(side.type)}
    assert side.differences(side.document, scanned[key]) == [] and not scanned[key].blocked


def test_a_change_arrives_and_reads_back(side: Side) -> None:
    key = side.start().key
    changed = renamed(side.document)
    outcome = side.push(changed, key=key)
    assert (outcome.key, outcome.effect, outcome.verified) == (key, "updated", True)
    assert side.differences(changed, side.held(key)) == []
    assert side.differences(side.document, side.held(key)) != []


def test_found_and_scanned_as_it_is_read(side: Side) -> None:
    key = side.start().key
    connector = side.connector()
    held = connector.read(side.type, key)
    found = connector.find(side.type, REFERENCE, side.mapping.render(side.document))
    scanned = {record.key: record for record in connector.scan(side.type)}
    assert found is not None and found.key == key and scanned[key] == held
    assert connector.read(side.type, "999999999") is None


def test_a_record_that_was_there_before_is_linked_and_updated(side: Side) -> None:
    """Brownfield: what the platform held under its own key is kept current, never doubled."""
    key = side.start().key
    side.target.sandbox.store.clear("effect")
    before = len(side.records())
    outcome = side.push(renamed(side.document))
    assert (outcome.key, outcome.effect, outcome.verified) == (key, "updated", True)
    assert len(side.records()) == before and side.effects("created") == 0


def test_a_key_the_platform_does_not_know_makes_nothing(side: Side) -> None:
    before = len(side.records())
    with pytest.raises(Refused):
        side.push(side.document, key="999999999")
    assert len(side.records()) == before and not side.effects()


# Faults


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_change_is_made_good_once(side: Side, kind: str) -> None:
    key = side.start().key
    changed = renamed(side.document)
    before, impatient = len(side.records()), side.connector(timeout=1.0)
    impatient.check()
    side.target.fail(kind, match=WRITES)
    with pytest.raises(Ambiguous):
        impatient.push(side.order(changed, key=key))
    assert side.push(changed, key=key).verified
    assert side.differences(changed, side.held(key)) == [] and len(side.records()) == before


@pytest.mark.parametrize("kind", LOST)
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
        assert side.push(side.document).verified
    assert len(side.records()) == before + 1 and side.effects("created") == 1


@pytest.mark.parametrize("kind", CERTAIN)
def test_what_was_certainly_not_applied_says_so(side: Side, kind: str) -> None:
    """Throttled, refused, moved by somebody else: of a change nothing is done, and the next push makes it good."""
    key = side.start().key
    changed, effects = renamed(side.document), side.effects()
    connector = side.connector()
    connector.check()
    side.target.fail(kind)
    with asking(lambda: None) as writes, pytest.raises(CERTAIN[kind]) as caught:
        connector.push(side.order(changed, key=key))
    assert writes.done == 0 and side.effects() == effects
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after >= 1.0
    if kind == "refuse":
        assert "Planned fault" in caught.value.message + "".join(p.message for p in caught.value.problems)
    outcome = connector.push(side.order(changed, key=key))
    assert (outcome.key, outcome.effect, outcome.verified) == (key, "updated", True)


def test_random_faults_end_with_one_record(side: Side) -> None:
    key = side.start().key if side.type in THERE else None
    seed, before = random.randrange(10**6), len(side.records())
    chance = random.Random(seed)
    for _ in range(5):
        side.target.fail(chance.choice([*LOST, "garbage", "503", "429"]), match=chance.choice([WRITES, "GET"]))
    connector, pushed, wanted = side.connector(timeout=0.7), None, renamed(side.document)
    for _ in range(20):
        try:
            pushed = connector.push(side.order(wanted, key=key))
            break
        except SyncError as error:
            assert not isinstance(error, Refused), f"seed {seed}: {error}"
    assert pushed and pushed.verified, f"seed {seed}"
    assert len(side.records()) == before + (key is None), f"seed {seed}"


def test_evidence_shows_what_was_said_and_no_secret(side: Side) -> None:
    connector = side.connector()
    outcome = connector.push(side.order(side.document)) if side.type not in THERE else side.start()
    connector.read(side.type, outcome.key)
    shown = repr(outcome.exchanges) + repr(connector.exchanges())
    assert side.target.secret not in shown and "Bearer " not in shown and outcome.exchanges
    assert all(said.duration_ms >= 0 for said in outcome.exchanges)


def test_correlation_reaches_the_platform(side: Side) -> None:
    key = side.start().key
    side.push(renamed(side.document), key=key, correlation_id="c-42")
    assert side.target.effects()[-1]["correlation_id"] == "c-42"


# Drift: changes inside the platform


def test_a_name_changed_inside_the_platform_is_found_and_repaired(side: Side) -> None:
    key = side.start().key
    name = side.document["name"]
    for row in side.target.sandbox.store._select("1", ()):
        texts = {field: value for field, value in row.fields.items() if isinstance(value, str) and name in value}
        for field, value in list(texts.items())[:1]:
            changed = value.replace(name, "By somebody")
            mutation = {"key": row.key, "type": row.type, "field": field, "value": changed}
            side.target.control("POST", "mutate", mutation)
    found = side.differences(side.document, side.held(key))
    assert found and all(name in item.expected and "By somebody" in item.actual for item in found)
    assert side.push(side.document, key=key).effect == "updated"
    assert side.differences(side.document, side.held(key)) == []


# Blocking and closing


def test_blocked_there_or_said_that_it_cannot_be(side: Side) -> None:
    key = side.start().key
    effects = side.effects()
    order = side.order(side.document, key=key, action="block")
    try:
        assert side.connector().push(order).effect == "blocked"
    except NotSupported:
        assert side.effects() == effects
        return
    assert side.held(key).blocked
    assert side.connector().push(order).effect == "unchanged"
    empty = replace(order, payload={})
    assert side.connector().push(empty).effect == "unchanged", "a block says nothing about the other fields"
    if side.target.name in FINAL:
        return refused_to_open(side, key)
    assert side.push(side.document, key=key).verified
    assert not side.held(key).blocked


def refused_to_open(side: Side, key: str) -> None:
    """What cannot be opened again says so, and no second one is made in its place."""
    count, effects = len(side.records()), side.effects()
    for known in (key, None):
        with pytest.raises(Refused):
            side.push(side.document, key=known)
    assert (len(side.records()), side.effects()) == (count, effects)


def test_nothing_is_closed_before_its_day(closing: Side) -> None:
    """A planned end goes to a platform that knows validity, and changes nothing at one that does not."""
    key = closing.start().key
    planned = closed(closing.document, "2099-07-01", "current")
    outcome = closing.push(planned, key=key)
    assert outcome.effect in ("updated", "unchanged") and outcome.verified
    record = closing.held(key)
    assert not record.blocked and closing.differences(planned, record) == []
    if outcome.effect == "updated":
        assert any(str(value).startswith(("2099-06-30", "2099-07-01")) for value in record.fields.values())


def test_what_ended_is_closed_there_and_opens_again(closing: Side) -> None:
    key = closing.start().key
    ended = closed(closing.document, "2024-07-01", "ended")
    outcome = closing.push(ended, key=key)
    assert (outcome.key, outcome.effect, outcome.verified) == (key, "updated", True)
    assert closing.held(key).blocked, "what ended can be used no more"
    assert closing.differences(ended, closing.held(key)) == []
    assert closing.push(ended, key=key).effect == "unchanged"
    if closing.target.name in FINAL:
        return refused_to_open(closing, key)
    assert closing.push(closing.document, key=key).effect == "updated"
    assert not closing.held(key).blocked and closing.differences(closing.document, closing.held(key)) == []
