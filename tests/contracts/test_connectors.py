"""What every connector owes, driven over HTTP against its sandbox; a new folder joins by itself."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from sync.errors import Ambiguous, NotSent, Refused, SyncError, Throttled, Unauthorised
from sync.mapping import load
from sync.protocol import Capability, Config, Connector, RemoteRecord
from tests.sync.sandboxes import (
    NAMES,
    REFERENCE,
    WRITES,
    Platform,
    connector_class,
    folder,
    platform,
    process,
    sandbox_class,
    supplier,
)

IBAN = "DE89370400440532013000"
pytestmark = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def target(name: str, tmp_path: Path) -> Iterator[Platform]:
    with platform(name, tmp_path / "state.sqlite") as running:
        yield running


def differences(target: Platform, document: dict[str, Any], record: RemoteRecord | None) -> list[Any]:
    assert record is not None
    found = target.mapping.compare(target.mapping.render(document), record.fields)
    return [difference for difference in found if difference.kind != "extra"]


def created(target: Platform) -> tuple[Connector, str]:
    connector = target.connector()
    return connector, connector.push(target.push(supplier())).key


# The folder


def test_the_folder_is_complete(name: str) -> None:
    kind = connector_class(name)
    assert kind.name == name and kind.title and kind.types
    assert kind.capability in get_args(Capability)
    assert kind.max_inflight_s > 0
    assert (folder(name) / "README.md").stat().st_size > 500
    for type in kind.types:
        mapping = load(folder(name) / "mapping.yaml", type)
        assert mapping.target == name and mapping.parts and mapping.block_fields()
    assert sandbox_class(name).name == name
    assert isinstance(kind(Config("http://127.0.0.1:1")), Connector)


def test_nothing_forbidden_is_imported(name: str) -> None:
    for file in folder(name).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            modules = [alias.name for alias in getattr(node, "names", ())] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                top = module.split(".")[0]
                assert top not in {
                    "django",
                    "celery",
                    "mdm",
                    "suppliers",
                    "dimensions",
                    "httpx",
                    "requests",
                }, file
                if module.startswith("sync.connectors."):
                    assert module.split(".")[2] == name, f"{file} imports another connector"
                assert not module.startswith(("sync.models", "sync.services", "sync.tasks")), file


# Reading


def test_check(target: Platform) -> None:
    health = target.connector().check()
    assert health.ok and health.message
    assert set(health.pushable) == set(target.mapping.parts)


def test_check_says_what_is_wrong(target: Platform) -> None:
    health = target.connector(secret="wrong").check()
    assert not health.ok and health.message
    assert not connector_class(target.name)(Config("http://127.0.0.1:1", timeout=1.0)).check().ok


def test_scan_finds_every_record_and_read_each(target: Platform) -> None:
    connector = target.connector()
    scanned = {record.key: record for record in connector.scan("supplier")}
    assert len(scanned) == len(target.records()) > 5
    for key, record in list(scanned.items())[:5]:
        assert connector.read("supplier", key) == record


def test_nothing_at_that_key(target: Platform) -> None:
    assert target.connector().read("supplier", "999999999") is None


# Pushing


def test_create_once(target: Platform) -> None:
    connector, before = target.connector(), len(target.records())
    outcome = connector.push(target.push(supplier()))
    assert (outcome.effect, outcome.verified) == ("created", True)
    assert len(target.records()) == before + 1
    record = connector.read("supplier", outcome.key)
    assert differences(target, supplier(), record) == []
    assert record is not None and not record.blocked


def test_the_same_again_changes_nothing(target: Platform) -> None:
    connector, key = created(target)
    before, effects = len(target.records()), len(target.effects())
    for known in (key, None):
        outcome = connector.push(target.push(supplier(), key=known))
        assert (outcome.key, outcome.effect, outcome.verified) == (key, "unchanged", True)
    assert (len(target.records()), len(target.effects())) == (before, effects)


def test_update(target: Platform) -> None:
    connector, key = created(target)
    before = len(target.records())
    changed = supplier(payment_terms="NET60", tax_registrations=[])
    changed["addresses"][0].update(city="Bonn", postal_code="53111", lines=["Rheinweg 5"])
    changed["contacts"][0].update(phone="+49 228 99")
    outcome = connector.push(target.push(changed, key=key))
    assert (outcome.key, outcome.effect, outcome.verified) == (key, "updated", True)
    assert differences(target, changed, connector.read("supplier", key)) == []
    assert len(target.records()) == before


def test_a_new_name_finds_the_same_record_by_reference_or_key(target: Platform) -> None:
    connector, key = created(target)
    before = len(target.records())
    renamed = supplier(legal_name="Contract Test Holding GmbH")
    outcome = connector.push(target.push(renamed, key=key))
    assert outcome.key == key and outcome.verified
    found = connector.find("supplier", REFERENCE, target.mapping.render(renamed))
    assert found is not None and found.key == key
    assert len(target.records()) == before


def test_a_record_that_was_there_before_is_updated(target: Platform) -> None:
    """Brownfield: what the platform held under its own key is linked, never doubled."""
    connector, before = target.connector(), len(target.records())
    key = next(iter(connector.scan("supplier"))).key
    outcome = connector.push(target.push(supplier(), key=key))
    assert (outcome.key, outcome.verified) == (key, True)
    assert len(target.records()) == before


def test_a_key_the_platform_does_not_know_creates_nothing(target: Platform) -> None:
    before = len(target.records())
    with pytest.raises(Refused):
        target.connector().push(target.push(supplier(), key="999999999"))
    assert len(target.records()) == before


def test_block(target: Platform) -> None:
    connector, key = created(target)
    before = len(target.records())
    push = target.push(supplier(), key=key, action="block")
    assert connector.push(push).effect == "blocked"
    record = connector.read("supplier", key)
    assert record is not None and record.blocked
    assert connector.push(push).effect == "unchanged"
    assert any(record.key == key and record.blocked for record in connector.scan("supplier"))
    assert len(target.records()) == before


def test_block_with_an_empty_payload(target: Platform) -> None:
    connector, key = created(target)
    push = replace(target.push(supplier(), key=key, action="block"), payload={})
    outcome = connector.push(push)
    assert (outcome.effect, outcome.verified) == ("blocked", True)


def test_unblock_by_pushing_an_active_record(target: Platform) -> None:
    connector, key = created(target)
    connector.push(target.push(supplier(), key=key, action="block"))
    connector.push(target.push(supplier(), key=key))
    record = connector.read("supplier", key)
    assert record is not None and not record.blocked


# Faults


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "reset_after", "garbage", "500"])
def test_a_lost_create_never_doubles(target: Platform, kind: str) -> None:
    before = len(target.records())
    connector = target.connector(timeout=1.0)
    connector.check()  # signed in before the fault, so that it hits the create
    target.fail(kind)
    with pytest.raises(Ambiguous):
        connector.push(target.push(supplier()))
    for again in (connector, target.connector()):
        outcome = again.push(target.push(supplier()))
        assert outcome.verified and outcome.key
    assert len(target.records()) == before + 1
    assert sum(effect["kind"] == "created" for effect in target.effects()) == 1


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after", "reset_after", "garbage", "500"])
def test_a_lost_update_is_made_good(target: Platform, kind: str) -> None:
    connector, key = created(target)
    changed = supplier(payment_terms="NET60")
    changed["addresses"][0]["city"] = "Bonn"
    impatient = target.connector(timeout=1.0)
    impatient.check()
    target.fail(kind)
    try:
        lost = impatient.push(target.push(changed, key=key))
        assert kind == "garbage" and lost.verified  # its own read-back already told that the change arrived
    except Ambiguous:
        assert impatient.push(target.push(changed, key=key)).verified
    assert differences(target, changed, connector.read("supplier", key)) == []


@pytest.mark.parametrize("kind", ["503", "429"])
def test_throttled(target: Platform, kind: str) -> None:
    connector, before = target.connector(), len(target.effects())
    target.fail(kind)
    with pytest.raises(Throttled) as caught:
        connector.push(target.push(supplier()))
    assert caught.value.retry_after >= 1.0
    assert len(target.effects()) == before


def test_refused_in_the_words_of_the_platform(target: Platform) -> None:
    connector, before = target.connector(), len(target.records())
    target.fail("refuse")
    with pytest.raises(Refused) as caught:
        connector.push(target.push(supplier()))
    named = sandbox_class(target.name).refuse_field
    assert any(named in problem.field or named in problem.message for problem in caught.value.problems)
    assert "Planned fault" in caught.value.message + "".join(p.message for p in caught.value.problems)
    assert len(target.records()) == before


def test_signed_out_once_is_renewed_and_for_good_is_told(target: Platform) -> None:
    connector = target.connector()
    connector.check()
    target.fail("unauthorised")
    assert connector.push(target.push(supplier())).verified
    target.fail("unauthorised", match="", count=20)
    with pytest.raises(Unauthorised):
        connector.push(target.push(supplier(payment_terms="NET60")))


def test_a_target_that_is_down(target: Platform) -> None:
    connector = connector_class(target.name)(Config("http://127.0.0.1:1", "mdm", "x", timeout=1.0))
    with pytest.raises(NotSent):
        connector.push(target.push(supplier()))


def test_a_slow_answer_within_the_deadline_is_an_answer(target: Platform) -> None:
    target.fail("slow:300")
    assert target.connector().push(target.push(supplier())).verified


def test_random_faults_end_with_one_record(target: Platform) -> None:
    """Whatever goes wrong on the way, pushing until it is verified makes one record that holds our values."""
    seed = random.randrange(10**6)
    chance, before = random.Random(seed), len(target.records())
    kinds = ["timeout_before", "timeout_after", "reset_after", "garbage", "500", "503", "429"]
    for _ in range(6):
        target.fail(chance.choice(kinds), match=chance.choice([WRITES, "GET"]))
    connector, pushed = target.connector(timeout=0.7), None
    for _ in range(20):
        try:
            pushed = connector.push(target.push(supplier()))
            break
        except SyncError as error:
            assert not isinstance(error, Refused), f"seed {seed}: {error}"
    assert pushed and pushed.verified, f"seed {seed}"
    assert len(target.records()) == before + 1, f"seed {seed}"


# Evidence


def test_evidence_shows_no_bank_number_and_no_secret(target: Platform) -> None:
    connector = target.connector()
    outcome = connector.push(target.push(supplier()))
    connector.read("supplier", outcome.key)
    shown = repr(outcome.exchanges) + repr(connector.exchanges()) + repr(connector.__dict__.get("config"))
    for hidden in (IBAN, "0532013000", "mdm-sandbox-secret", "Bearer "):
        assert hidden not in shown
    assert any(said.status and said.status < 300 and said.duration_ms >= 0 for said in outcome.exchanges)


def test_evidence_remains_after_a_failure(target: Platform) -> None:
    connector = target.connector()
    target.fail("refuse")
    with pytest.raises(Refused):
        connector.push(target.push(supplier()))
    assert any(said.status == 400 for said in connector.exchanges())
    assert connector.exchanges() == ()


def test_correlation_reaches_the_platform(target: Platform) -> None:
    target.connector().push(target.push(supplier(), correlation_id="c-42"))
    assert target.effects()[-1]["correlation_id"] == "c-42"


# Drift: changes inside the platform


def test_only_mapped_changes_are_differences(target: Platform) -> None:
    connector, key = created(target)
    payload = target.mapping.render(supplier())
    raw = next(record for record in target.records() if record["key"] == key)
    for field, value in raw["fields"].items():
        if isinstance(value, bool) or not isinstance(value, str):
            continue
        target.control("POST", "mutate", {"key": key, "field": field, "value": "ZZ9"})
        after = connector.read("supplier", key)
        found = target.mapping.compare(payload, after.fields) if after else []  # None: its own key was changed
        for difference in found:
            if difference.kind == "different":
                rule, _ = target.mapping.rule(difference.field)
                assert not rule.derived and rule.writable == "always"
        target.control("POST", "mutate", {"key": key, "field": field, "value": value})
    assert differences(target, supplier(), connector.read("supplier", key)) == []


def test_a_changed_field_is_found_and_repaired(target: Platform) -> None:
    connector, key = created(target)
    raw = next(record for record in target.records() if record["key"] == key)
    field = next(name for name, value in raw["fields"].items() if value == "Köln")
    target.control("POST", "mutate", {"key": key, "field": field, "value": "Düren"})
    found = differences(target, supplier(), connector.read("supplier", key))
    assert [(difference.expected, difference.actual) for difference in found] == [("Köln", "Düren")]
    changes = target.mapping.adopt(found[0].field, "Düren", supplier())
    assert changes == [{"path": "addresses/a1/city", "value": "Düren"}]
    assert connector.push(target.push(supplier(), key=key)).effect == "updated"
    assert differences(target, supplier(), connector.read("supplier", key)) == []


# The sandbox itself


def test_the_sandbox_survives_a_kill(name: str, tmp_path: Path) -> None:
    """The command line, as the demo starts it; what was answered is there after kill -9."""
    state = tmp_path / "state.sqlite"
    with process(name, state) as first:
        seeded = len(first.records())
        key = first.connector().push(first.push(supplier())).key
        first.kill()
    with process(name, state) as second:
        assert len(second.records()) == seeded + 1
        assert differences(second, supplier(), second.connector().read("supplier", key)) == []


def test_the_sandbox_keeps_its_state_and_can_be_reset(name: str, tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite"
    with platform(name, state) as first:
        seeded = len(first.records())
        key = first.connector().push(first.push(supplier())).key
    with platform(name, state) as second:
        assert len(second.records()) == seeded + 1
        record = second.connector().read("supplier", key)
        assert differences(second, supplier(), record) == []
        assert second.effects()
        second.control("POST", "reset", {})
        assert len(second.records()) == seeded and second.effects() == []
