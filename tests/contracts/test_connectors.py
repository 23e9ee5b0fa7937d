"""What every connector owes, driven over the wire against its sandbox; a new folder joins by itself.

`target` is every platform that can be read, `told` every receiver that cannot: what is proven of the ones by reading
back is proven of the others by the log of effects at the receiver. `anyone` is both.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from sync.deadline import asking
from sync.errors import Ambiguous, NotSent, Refused, Stale, SyncError, Throttled, Unauthorised
from sync.mapping import load
from sync.protocol import Capability, Config, Connector, Readable, RemoteRecord
from tests.sync.sandboxes import (
    NAMES,
    READABLE,
    REFERENCE,
    TOLD,
    WRITES,
    Platform,
    connector_class,
    folder,
    nowhere,
    platform,
    process,
    sandbox_class,
    supplier,
)

HIDDEN = ("DE89370400440532013000", "0532013000", "Bearer ")
LOST = ["timeout_before", "timeout_after", "reset_after", "garbage", "500"]
CERTAIN = {"429": Throttled, "503": Throttled, "refuse": Refused, "status:412": Stale}  # not applied, and it says so


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    wanted = {"target": READABLE, "readable": READABLE, "told": TOLD, "unreadable": TOLD}
    names = next((names for asked, names in wanted.items() if asked in metafunc.fixturenames), NAMES)
    metafunc.parametrize("name", names)


@pytest.fixture
def anyone(name: str, tmp_path: Path) -> Iterator[Platform]:
    with platform(name, tmp_path / "state.sqlite") as running:
        yield running


@pytest.fixture
def target(anyone: Platform) -> Platform:
    return anyone


@pytest.fixture
def told(anyone: Platform) -> Platform:
    return anyone


@pytest.fixture
def readable(name: str) -> str:
    return name


@pytest.fixture
def unreadable(name: str) -> str:
    return name


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
    readme = (folder(name) / "README.md").read_text("utf-8")
    assert len(readme) > 500 and "first loads" in readme.lower(), "one by one, or several in a request"
    for type in kind.types:
        mapping = load(folder(name) / "mapping.yaml", type)
        assert mapping.target == name and mapping.parts and mapping.block_fields()
    assert sandbox_class(name).name == name
    assert isinstance(kind(Config(sandbox_class(name).address("http://127.0.0.1:1"))), Connector)
    assert issubclass(kind, Readable) or kind.capability in ("B", "E"), "only B and E can do without reading"
    if kind.capability == "E":
        assert not issubclass(kind, Readable)


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


def test_check(anyone: Platform) -> None:
    health = anyone.connector().check()
    assert health.ok and health.message
    every = {
        part
        for type in connector_class(anyone.name).types
        for part in load(folder(anyone.name) / "mapping.yaml", type).parts
    }
    assert set(anyone.mapping.parts) <= set(health.pushable) <= every


def test_check_says_what_is_wrong(anyone: Platform) -> None:
    health = anyone.connector(secret="wrong").check()
    assert not health.ok and health.message
    assert not nowhere(anyone.name).check().ok


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


@pytest.mark.parametrize("kind", LOST)
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


@pytest.mark.parametrize("kind", LOST)
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


def changed_everywhere() -> dict[str, Any]:
    """Another value in every part a platform may keep by itself, so that one push of it has several writes to make."""
    document = supplier(legal_name="Contract Test Holding GmbH", payment_terms="NET60")
    document["addresses"][0].update(city="Bonn", postal_code="53111", lines=["Rheinweg 5"])
    remit_to = {**document["addresses"][0], "uid": "a2", "kind": "remit_to", "lines": ["Postfach 5"]}
    document["addresses"].append(remit_to)
    document["contacts"][0].update(phone="+49 228 99")
    account = {**document["bank_accounts"][0], "uid": "b2", "iban": None, "account_number": "0099887766"}
    document["bank_accounts"].append(account)
    return document


@pytest.mark.parametrize("kind", [*CERTAIN, "reset_before", "redirect", "500"])
def test_a_push_that_fails_at_its_second_write_is_not_called_unsent(target: Platform, kind: str) -> None:
    """What certainly was not applied is the second write alone: the first is counted, and the rest made good."""
    connector, key = created(target)
    before, effects = len(target.records()), len(target.effects())
    target.fail(f"half_applied:{kind}")
    with asking(lambda: None) as writes:
        try:
            made = connector.push(target.push(changed_everywhere(), key=key, idempotency_key="1:x:2"))
        except SyncError as error:
            assert isinstance(error, CERTAIN.get(kind, Ambiguous)), error
            assert writes.done == 1 and len(target.effects()) == effects + 1
            if kind == "refuse":
                assert "Planned fault" in error.message + "".join(p.message for p in error.problems)
        else:
            assert made.verified and writes.done == 1, "one write makes it true here: nothing can be applied in part"
    outcome = target.connector().push(target.push(changed_everywhere(), key=key))
    assert (outcome.key, outcome.verified) == (key, True)
    assert differences(target, changed_everywhere(), connector.read("supplier", key)) == []
    assert len(target.records()) == before


@pytest.mark.parametrize("kind", CERTAIN)
def test_a_push_that_fails_at_its_first_write_has_done_nothing(anyone: Platform, kind: str) -> None:
    connector = anyone.connector()
    anyone.fail(kind)
    with asking(lambda: None) as writes, pytest.raises(SyncError):
        connector.push(anyone.push(supplier()))
    assert writes.done == 0 and anyone.effects() == []


@pytest.mark.parametrize("kind", ["503", "429"])
def test_throttled(anyone: Platform, kind: str) -> None:
    connector, before = anyone.connector(), len(anyone.effects())
    anyone.fail(kind)
    with pytest.raises(Throttled) as caught:
        connector.push(anyone.push(supplier()))
    assert caught.value.retry_after >= 1.0
    assert len(anyone.effects()) == before


def test_refused_in_the_words_of_the_platform(anyone: Platform) -> None:
    connector, before = anyone.connector(), len(anyone.records())
    anyone.fail("refuse")
    with pytest.raises(Refused) as caught:
        connector.push(anyone.push(supplier()))
    named = sandbox_class(anyone.name).refuse_field
    assert any(named in problem.field or named in problem.message for problem in caught.value.problems)
    assert "Planned fault" in caught.value.message + "".join(p.message for p in caught.value.problems)
    assert len(anyone.records()) == before


def test_signed_out_once_is_renewed_and_for_good_is_told(target: Platform) -> None:
    connector = target.connector()
    connector.check()
    target.fail("unauthorised")
    assert connector.push(target.push(supplier())).verified
    target.fail("unauthorised", match="", count=20)
    with pytest.raises(Unauthorised):
        connector.push(target.push(supplier(payment_terms="NET60")))


def test_a_target_that_is_down(anyone: Platform) -> None:
    with pytest.raises(NotSent):
        nowhere(anyone.name).push(anyone.push(supplier()))


def test_a_slow_answer_within_the_deadline_is_an_answer(anyone: Platform) -> None:
    anyone.fail("slow:300")
    outcome = anyone.connector().push(anyone.push(supplier()))
    assert outcome.key and (outcome.verified or anyone.name in TOLD)


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
    for hidden in (*HIDDEN, target.secret):
        assert hidden not in shown
    assert any(said.status and said.status < 300 and said.duration_ms >= 0 for said in outcome.exchanges)


def test_evidence_remains_after_a_failure(anyone: Platform) -> None:
    connector = anyone.connector()
    anyone.fail("refuse")
    with pytest.raises(Refused):
        connector.push(anyone.push(supplier()))
    said = connector.exchanges()
    assert any(one.status == 400 for one in said) or anyone.name in TOLD  # which may speak no HTTP
    assert any("Planned fault" in one.response for one in said)
    assert connector.exchanges() == ()


def test_correlation_reaches_the_platform(anyone: Platform) -> None:
    anyone.connector().push(anyone.push(supplier(), correlation_id="c-42"))
    assert anyone.effects()[-1]["correlation_id"] == "c-42"


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


# Receivers that cannot be read: told once for every key


def holds(told: Platform) -> dict[str, Any]:
    """What the receiver made of what it was told, under our reference."""
    return next((record["fields"] for record in told.records() if record["key"] == REFERENCE), {})


def test_told_once_for_every_key(told: Platform) -> None:
    connector = told.connector()
    first = connector.push(told.push(supplier()))
    assert (first.key, first.effect) == (REFERENCE, "told")
    for again in (connector, told.connector()):
        assert again.push(told.push(supplier())).key == REFERENCE
    (effect,) = told.effects()
    assert (effect["key"], effect["kind"], effect["idempotency_key"]) == (REFERENCE, "created", first_key(told))
    assert {"Contract Test Werkzeugbau GmbH", "Köln"} <= set(map(str, holds(told).values()))


def first_key(told: Platform) -> str:
    return told.push(supplier()).idempotency_key


def test_told_again_under_another_key(told: Platform) -> None:
    connector = told.connector()
    connector.push(told.push(supplier()))
    changed = supplier(legal_name="Contract Test Holding GmbH")
    outcome = connector.push(told.push(changed, key=REFERENCE, idempotency_key="1:x:2", version=2))
    assert outcome.key == REFERENCE
    assert [effect["kind"] for effect in told.effects()] == ["created", "updated"]
    assert "Contract Test Holding GmbH" in holds(told).values()


def test_told_to_block(told: Platform) -> None:
    connector = told.connector()
    connector.push(told.push(supplier()))
    blocks = told.push(supplier(), key=REFERENCE, action="block", idempotency_key="1:x:2", version=2)
    outcome = connector.push(replace(blocks, payload=told.mapping.block_fields()))
    assert (outcome.key, outcome.effect) == (REFERENCE, "told")
    assert holds(told)["status"] == "blocked"
    assert "Contract Test Werkzeugbau GmbH" in holds(told).values(), "a block says nothing about the other fields"


@pytest.mark.parametrize("kind", LOST)
def test_told_once_whatever_was_lost(told: Platform, kind: str) -> None:
    """Only what was surely not applied may be called not sent; repeated, it is one effect either way."""
    connector = told.connector(timeout=1.5)
    connector.check()
    told.fail(kind)
    try:
        assert connector.push(told.push(supplier())).key and kind == "garbage"
    except (Ambiguous, NotSent) as error:
        assert isinstance(error, Ambiguous) or not told.effects()
    for again in (connector, told.connector()):
        assert again.push(told.push(supplier())).key == REFERENCE
    assert len(told.effects()) == 1


def test_told_once_under_random_faults(told: Platform) -> None:
    seed = random.randrange(10**6)
    chance, done = random.Random(seed), False
    for _ in range(6):
        told.fail(chance.choice([*LOST, "503", "429"]), match=chance.choice([WRITES, ""]))
    connector = told.connector(timeout=1.0)
    for _ in range(20):
        try:
            done = bool(connector.push(told.push(supplier())).key)
            break
        except SyncError as error:
            assert not isinstance(error, Refused), f"seed {seed}: {error}"
    assert done and len(told.effects()) == 1, f"seed {seed}"


def test_told_without_bank_numbers_or_secrets_in_the_evidence(told: Platform) -> None:
    connector = told.connector()
    outcome = connector.push(told.push(supplier()))
    shown = repr(outcome.exchanges) + repr(connector.exchanges()) + repr(connector.__dict__.get("_config"))
    for hidden in (*HIDDEN, told.secret):
        assert hidden not in shown
    assert REFERENCE in shown and all(said.duration_ms >= 0 for said in outcome.exchanges)


def test_a_receiver_that_does_not_know_us_is_told_nothing(told: Platform) -> None:
    with pytest.raises(Unauthorised):
        told.connector(secret="wrong").push(told.push(supplier()))
    assert told.effects() == []


# The sandbox itself


def test_a_receiver_remembers_what_it_was_told(unreadable: str, tmp_path: Path) -> None:
    """After kill -9 it still takes a key only once; a reset forgets."""
    state = tmp_path / "state.sqlite"
    with process(unreadable, state) as first:
        first.connector().push(first.push(supplier()))
        first.kill()
    with process(unreadable, state) as second:
        second.connector().push(second.push(supplier()))
        assert len(second.effects()) == 1 and "Köln" in map(str, holds(second).values())
        second.control("POST", "reset", {})
        assert second.effects() == [] and holds(second) == {}
        second.connector().push(second.push(supplier()))
        assert len(second.effects()) == 1


def test_the_sandbox_survives_a_kill(readable: str, tmp_path: Path) -> None:
    """The command line, as the demo starts it; what was answered is there after kill -9."""
    state = tmp_path / "state.sqlite"
    with process(readable, state) as first:
        seeded = len(first.records())
        key = first.connector().push(first.push(supplier())).key
        first.kill()
    with process(readable, state) as second:
        assert len(second.records()) == seeded + 1
        assert differences(second, supplier(), second.connector().read("supplier", key)) == []


def test_the_sandbox_keeps_its_state_and_can_be_reset(readable: str, tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite"
    with platform(readable, state) as first:
        seeded = len(first.records())
        key = first.connector().push(first.push(supplier())).key
    with platform(readable, state) as second:
        assert len(second.records()) == seeded + 1
        record = second.connector().read("supplier", key)
        assert differences(second, supplier(), record) == []
        assert second.effects()
        second.control("POST", "reset", {})
        assert len(second.records()) == seeded and second.effects() == []
