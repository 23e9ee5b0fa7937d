"""What a connector owes that makes several records in one request; a folder with `push_many` joins by itself.

One effect each, whatever happens to the request or to one of the records in it; and what is made so is what is made singly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from stdnum import iban

from sync.deadline import asking
from sync.errors import Ambiguous, NotSent, Refused, Separately, SyncError, Throttled
from sync.protocol import Answer, Bulk, Connector, FindsMany, Outcome, Push, Readable, RemoteRecord
from tests.sync.sandboxes import NAMES, Platform, connector_class, nowhere, platform, supplier

BULK = [name for name in NAMES if hasattr(connector_class(name), "push_many")]
MANY = 5
# A supplier that the platform itself refuses, and the words it refuses it with.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "concur": ({"country": "UA", "addresses": []}, "State is required"),
    "dynamics365": ({"currency": "ZAR"}, "not found in the related table 'Currencies'"),
    "s4hana": (
        {"bank_accounts": [{"uid": "b", "iban": "DE00370400440532013000", "country": "DE", "holder": "Serie"}]},
        "check digits",
    ),
    "tryton": (
        {"tax_registrations": [{"uid": "t", "country": "DE", "scheme": "VAT", "number": "DE129273399"}]},
        "not valid",
    ),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("name", BULK)


@pytest.fixture
def target(name: str, tmp_path: Path) -> Iterator[Platform]:
    with platform(name, tmp_path / "state.sqlite") as running:
        yield running


def reference(number: int) -> str:
    return f"{number:08d}-7e11-7cc4-9e0f-{number:012d}"


def document(number: int, **changes: Any) -> dict[str, Any]:
    """Suppliers that have nothing in common but what many have: each with accounts and a name of its own."""
    plain = f"37040044{4_000_000 + number:010d}"
    own = {
        "iban": f"DE{iban.calc_check_digits(f'DE00{plain}')}{plain}",
        "uid": "b1",
        "bic": None,
        "account_number": None,
    }
    local = {"iban": None, "uid": "b2", "bic": None, "account_number": f"77{number:08d}", "bank_code": "37040044"}
    shared = {"holder": f"Serie {number} GmbH", "country": "DE", "currency": "EUR"}
    given = {
        "uid": reference(number),
        "legal_name": f"Serie {number} GmbH",
        "tax_registrations": [],
        "identifiers": [],
        "bank_accounts": [{**own, **shared}, {**local, **shared}],
        **changes,
    }
    return supplier(**given)


def several(target: Platform, changes: dict[int, dict[str, Any]] | None = None) -> list[Push]:
    """Pushes of suppliers that are new there; `changes` by number."""
    return [
        target.push(
            document(number, **(changes or {}).get(number, {})),
            reference=reference(number),
            idempotency_key=f"1:x:{number}",
        )
        for number in range(MANY)
    ]


@contextmanager
def counted() -> Iterator[Any]:
    with asking(lambda: None) as writes:
        yield writes


def push_many(connector: Connector, pushes: Sequence[Push]) -> list[Answer]:
    answers = cast(Bulk, connector).push_many(pushes)
    assert len(answers) == len(pushes)
    return answers


def found(target: Platform, push: Push) -> RemoteRecord | None:
    return cast(Readable, target.connector()).find("supplier", push.reference, push.payload)


def alone(target: Platform, pushes: Sequence[Push]) -> list[Outcome | SyncError]:
    """What the engine does with those that did not go through together."""
    ends: list[Outcome | SyncError] = []
    for push in pushes:
        try:
            ends.append(target.connector().push(push))
        except SyncError as error:
            ends.append(error)
    return ends


def made(target: Platform) -> list[str]:
    return sorted(effect["key"] for effect in target.effects() if effect["kind"] == "created")


def assert_one_each(target: Platform, pushes: Sequence[Push]) -> None:
    assert len(made(target)) == len(set(made(target))) == len(pushes)
    references = set()  # as the platform keeps them: some have no room for all of it
    for push in pushes:
        record = found(target, push)
        assert record is not None and record.reference
        references.add(record.reference)
        assert not [item for item in target.mapping.compare(push.payload, record.fields) if item.kind != "extra"]
    assert len(references) == len(pushes)


def test_what_it_declares(name: str) -> None:
    kind = connector_class(name)
    assert isinstance(kind.bulk_size, int) and kind.bulk_size >= 2
    assert kind.bulk_types and set(kind.bulk_types) <= set(kind.types)
    assert issubclass(kind, Readable), "what is lost has to be read back, one by one"


def test_several_are_made_in_one_request(target: Platform) -> None:
    connector, pushes = target.connector(), several(target)
    before = len(target.records())
    with counted() as writes:
        answers = push_many(connector, pushes)
    assert writes.done <= 2, "one request, and at most another one for what the platform keeps apart"
    for push, answer in zip(pushes, answers, strict=True):
        assert isinstance(answer.result, Outcome) and answer.result.effect == "created"
        held = cast(Readable, connector).read("supplier", answer.result.key)
        own = found(target, push)
        assert held is not None and own is not None and (held.key, held.reference) == (own.key, own.reference)
    assert_one_each(target, pushes)
    assert len(target.records()) == before + MANY


def test_it_is_what_is_made_singly(target: Platform, name: str, tmp_path: Path) -> None:
    """Field by field, on a platform of its own that was asked in the same order."""
    push_many(target.connector(), several(target))
    with platform(name, tmp_path / "singly.sqlite") as other:
        for push in several(other):
            other.connector().push(push)
        for push in several(target):
            together, singly = found(target, push), found(other, push)
            assert together is not None and singly is not None
            assert _shown(together, target) == _shown(singly, other)
            assert (together.key, together.reference, together.blocked) == (
                singly.key,
                singly.reference,
                singly.blocked,
            )


def _shown(record: RemoteRecord, there: Platform) -> dict[str, Any]:
    """Addresses of records name the server, a tag says when it was made, and nothing else may differ."""
    return {
        name: value.replace(there.url, "") if isinstance(value, str) else value
        for name, value in record.fields.items()
        if not name.endswith(".ETag")
    }


def test_each_sees_its_own_part_only(target: Platform) -> None:
    """Of the evidence: never a neighbour's name, and nobody's bank number."""
    connector, pushes = target.connector(), several(target)
    answers = push_many(connector, pushes)
    everything = repr(connector.exchanges())
    for number, answer in enumerate(answers):
        shown = repr(answer.said)
        assert (
            f"Serie {number} GmbH" in shown and answer.said[0].status in (200, 201) and answer.said[0].duration_ms >= 0
        )
        for other in range(MANY):
            assert other == number or (f"Serie {other} GmbH" not in shown and reference(other) not in shown)
    for number in range(MANY):
        for row in document(number)["bank_accounts"]:
            secret = row["iban"] or row["account_number"]
            assert secret not in repr(answers) and secret not in everything
    assert target.secret not in everything


def test_one_that_is_refused(target: Platform, name: str) -> None:
    """In the platform's words, and the others arrive: together, or alone where one takes all along."""
    change, words = WRONG[name]
    pushes = several(target, {2: change})
    answers = push_many(target.connector(), pushes)
    if isinstance(answers[2].result, Separately):
        assert all(isinstance(answer.result, Separately) for answer in answers) and made(target) == []
        ends = alone(target, pushes)
    else:
        assert all(isinstance(answer.result, Outcome) for place, answer in enumerate(answers) if place != 2)
        ends = [cast(Any, answer.result) for answer in answers]
    refused = ends.pop(2)
    assert isinstance(refused, Refused) and words in refused.message
    assert all(isinstance(end, Outcome) for end in ends), ends
    assert_one_each(target, [push for place, push in enumerate(pushes) if place != 2])


def test_one_that_is_there_already(target: Platform) -> None:
    """Whoever asks is told; whoever does not ask makes no second one."""
    pushes = several(target)
    target.connector().push(pushes[3])
    connector = target.connector()
    if isinstance(connector, FindsMany):
        assert connector.find_many(pushes) == [place == 3 for place in range(MANY)]
    answers = push_many(connector, pushes)
    assert isinstance(answers[3].result, Separately), "it may be ours: a look decides, and no word of a refusal"
    left = [push for push, answer in zip(pushes, answers, strict=True) if isinstance(answer.result, Separately)]
    ends = alone(target, left)
    assert all(isinstance(end, Outcome) and end.verified for end in ends)
    assert_one_each(target, pushes)


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "garbage"])
def test_an_answer_lost_after_it_was_applied(target: Platform, kind: str) -> None:
    connector, pushes = target.connector(timeout=1.0), several(target)
    connector.check()
    target.fail(kind)
    answers = push_many(connector, pushes)
    assert all(isinstance(answer.result, Ambiguous) for answer in answers)
    for number, answer in enumerate(answers):
        assert f"Serie {number} GmbH" in answer.said[0].request and "Serie" not in answer.said[0].response
        assert repr(answer.said).count(" GmbH") == repr(answer.said).count(f"Serie {number} GmbH")
    assert all(found(target, push) is not None for push in pushes) and len(made(target)) == MANY
    assert all(isinstance(end, Outcome) and end.verified for end in alone(target, pushes))
    assert_one_each(target, pushes)


@pytest.mark.parametrize("kind", ["timeout_before", "reset_before", "500", "redirect"])
def test_an_answer_lost_before_anything_was_applied(target: Platform, kind: str) -> None:
    connector, pushes = target.connector(timeout=1.0), several(target)
    connector.check()
    target.fail(kind)
    assert all(isinstance(answer.result, Ambiguous) for answer in push_many(connector, pushes))
    assert [found(target, push) for push in pushes] == [None] * MANY
    assert all(isinstance(end, Outcome) and end.verified for end in alone(target, pushes))
    assert_one_each(target, pushes)


@pytest.mark.parametrize("kind", ["429", "503"])
def test_throttled(target: Platform, kind: str) -> None:
    connector, pushes = target.connector(), several(target)
    target.fail(kind)
    with counted() as writes:
        answers = push_many(connector, pushes)
    assert all(isinstance(answer.result, Throttled) and answer.result.retry_after >= 1 for answer in answers)
    assert writes.done == 0 and made(target) == []
    assert all(isinstance(answer.result, Outcome) for answer in push_many(connector, pushes))
    assert_one_each(target, pushes)


def test_a_target_that_is_down(name: str, target: Platform) -> None:
    assert all(isinstance(answer.result, NotSent) for answer in push_many(nowhere(name), several(target)))


def test_the_right_to_write_is_asked_for(target: Platform) -> None:
    """Frozen before the request, and the lanes are somebody else's by then: nothing leaves."""

    class Gone(SyncError):
        pass

    def leave() -> None:
        raise Gone("The lease ran out.")

    with asking(leave):
        answers = push_many(target.connector(), several(target))
    assert all(isinstance(answer.result, Gone) for answer in answers)
    assert target.effects() == []
