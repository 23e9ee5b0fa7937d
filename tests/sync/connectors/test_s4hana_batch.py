"""What is particular to `$batch`: the sandbox's part of it as SAP documents it, and what the connector makes of answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.connectors.s4hana import batch_service, gateway
from sync.connectors.s4hana.connector import S4HanaConnector
from sync.connectors.s4hana.entities import HEAD, SERVICE
from sync.deadline import asking
from sync.errors import Ambiguous, NotSent, Refused, Separately, Throttled
from sync.http import Client
from sync.multipart import Part, Parts, content_type, read, write
from sync.protocol import Outcome, Push
from sync.sandbox import Fail, Request
from tests.contracts.test_bulk import MANY, made, several
from tests.sync.sandboxes import Platform, platform

WRONG_IBAN = {"bank_accounts": [{"uid": "b", "iban": "DE00370400440532013000", "country": "DE", "holder": "Serie"}]}


@pytest.fixture
def s4(tmp_path: Path) -> Iterator[Platform]:
    with platform("s4hana", tmp_path / "state.sqlite") as running:
        yield running


def connector(s4: Platform) -> S4HanaConnector:
    started = s4.connector()
    assert isinstance(started, S4HanaConnector)
    return started


def partner(name: str, key: str, content_id: str = "", method: str = "POST", **more: Any) -> Part:
    body = {"BusinessPartnerCategory": "2", "OrganizationBPName1": name, **more}
    return Part(f"{method} {HEAD} HTTP/1.1", {"Idempotency-Key": key}, json.dumps(body).encode(), content_id)


# --- the sandbox ------------------------------------------------------------------------------------------------------


def ask(s4: Platform, parts: Parts) -> list[Part | list[Part]]:
    return connector(s4).session.batch(parts, writes=True)


def test_reads_and_changesets_in_their_order(s4: Platform) -> None:
    """Each changeset is made as a whole or leaves nothing, and stops no other."""
    before = len(s4.records())
    look = Part(f"GET {HEAD}?$filter=OrganizationBPName1%20eq%20'Zwei' HTTP/1.1", {})
    pair = [partner("Eins", "k1", "a"), partner("Zwei", "k2", "b")]
    broken = [partner("Drei", "k3", "c"), partner("", "k4", "d")]
    first, both, failed, third, second = ask(s4, [look, pair, broken, [partner("Vier", "k5")], look])
    assert isinstance(first, Part) and isinstance(second, Part) and isinstance(third, list)
    assert [len(json.loads(one.body)["d"]["results"]) for one in (first, second)] == [0, 1]
    assert isinstance(both, list)
    assert [(one.status, one.content_id, one.first_line) for one in both] == [
        (201, "a", "HTTP/1.1 201 Created"),
        (201, "b", "HTTP/1.1 201 Created"),
    ]
    assert isinstance(failed, Part) and failed.status == 400
    assert json.loads(failed.body)["error"]["message"]["value"] == "Enter a name for the organization"
    assert len(s4.records()) == before + 3
    assert [(effect["kind"], effect["idempotency_key"]) for effect in s4.effects()] == [
        ("created", "k1"),
        ("created", "k2"),
        ("created", "k5"),
    ]
    keys = [json.loads(one.body)["d"]["BusinessPartner"] for one in (*both, *third)]
    assert keys == [effect["key"] for effect in s4.effects()]


@pytest.mark.parametrize(
    "parts",
    [
        [[partner("Eins", "k")], [Part(f"GET {HEAD} HTTP/1.1", {})]],
        [[partner("Eins", "k")], partner("Zwei", "k")],
        [[partner("Eins", "k")], [Part(f"POST {HEAD}", {})]],
        [[partner("Eins", "k")], [Part("POST /sap/opu/odata/sap/OTHER/A_X HTTP/1.1", {})]],
    ],
)
def test_what_is_no_batch_is_refused_before_anything_is_done(s4: Platform, parts: Parts) -> None:
    with pytest.raises(Refused):
        ask(s4, parts)
    assert s4.effects() == []


def test_it_needs_the_token_of_its_session(s4: Platform) -> None:
    client: Client = connector(s4).client
    headers = {"Content-Type": content_type("b")}
    body = write([[partner("Eins", "k")]], "b")
    answer = client.request("POST", f"{SERVICE}/$batch", content=body, headers=headers, accept={403})
    assert (answer.status, answer.header("x-csrf-token")) == (403, "Required")
    client.request("GET", f"{SERVICE}/", headers={"X-CSRF-Token": "Fetch"})
    assert s4.effects() == []


def test_the_whole_is_accepted_whatever_becomes_of_its_parts(s4: Platform) -> None:
    own = connector(s4)
    token = own.client.request("GET", f"{SERVICE}/", headers={"X-CSRF-Token": "Fetch"}).header("x-csrf-token")
    headers = {"Content-Type": content_type("b"), "X-CSRF-Token": token}
    answer = own.client.request("POST", f"{SERVICE}/$batch", content=write([[partner("", "k")]], "b"), headers=headers)
    assert answer.status == 202 and answer.header("content-type").startswith("multipart/mixed; boundary=")
    (failed,) = read(answer.header("content-type"), answer.body)
    assert isinstance(failed, Part) and failed.status == 400
    for body in (b"", b"--b\r\n", write([[partner("A", "k")]], "other")):
        refused = own.client.request("POST", f"{SERVICE}/$batch", content=body, headers=headers, accept={400})
        assert refused.status == 400 and "Malformed batch request" in refused.text()


# --- the connector ----------------------------------------------------------------------------------------------------


def said(own: S4HanaConnector) -> list[tuple[str, str]]:
    return [(one.method, one.url.split("?")[0].rpartition("/")[2]) for one in own.exchanges() if "PARTNER/" in one.url]


def test_looked_for_made_and_read_back_in_three_requests(s4: Platform) -> None:
    own = connector(s4)
    own.check()
    own.exchanges()
    answers = own.push_many(several(s4))
    assert [one for one in said(own) if one[0] == "POST"] == [("POST", "$batch")] * 3
    for number, answer in enumerate(answers):
        assert isinstance(answer.result, Outcome) and answer.result.verified
        assert [one.status for one in answer.said] == [201]
        effect = s4.effects()[number]
        assert (effect["key"], effect["idempotency_key"]) == (answer.result.key, f"1:x:{number}")
        assert effect["correlation_id"] == "c-1"


def test_nothing_refers_to_a_part(s4: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that takes its changesets one by one refuses them when they have a Content-ID."""
    seen: list[Part] = []
    inner = batch_service._inner

    def seeing(request: Request, part: Part) -> Request:
        seen.append(part)
        return inner(request, part)

    monkeypatch.setattr(batch_service, "_inner", seeing)
    connector(s4).push_many(several(s4))
    assert seen and not any(part.content_id for part in seen)


def test_a_part_that_is_refused_says_so_by_itself(s4: Platform) -> None:
    pushes = several(s4, {1: WRONG_IBAN, 3: WRONG_IBAN})
    answers = connector(s4).push_many(pushes)
    for number in (1, 3):
        result, (own,) = answers[number].result, answers[number].said
        assert isinstance(result, Refused) and (result.status, own.status) == (400, 400)
        assert [problem.field for problem in result.problems] == ["IBAN"]
        assert f"Serie {number} GmbH" in own.request and "check digits" in own.response
        assert "DE00370400440532013000" not in repr(answers[number])
    assert len(made(s4)) == MANY - 2


def test_when_all_are_refused_no_write_was_done(s4: Platform) -> None:
    with asking(lambda: None) as writes:
        answers = connector(s4).push_many(several(s4, dict.fromkeys(range(MANY), WRONG_IBAN)))
    assert all(isinstance(answer.result, Refused) for answer in answers) and writes.done == 0 and made(s4) == []


@pytest.mark.parametrize(("status", "error"), [(429, Throttled), (500, Ambiguous)])
def test_a_part_that_failed_otherwise(
    s4: Platform, monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    check = gateway._check

    def checked(name: str, values: Any, creating: bool) -> None:
        if values.get("OrganizationBPName1") == "Serie 2 GmbH":
            raise Fail(status, "No work process is free.", headers={"Retry-After": "7"})
        check(name, values, creating)

    monkeypatch.setattr(gateway, "_check", checked)
    answers = connector(s4).push_many(several(s4))
    wrong = answers.pop(2).result
    assert type(wrong) is error and getattr(wrong, "retry_after", 7) == 7
    assert all(isinstance(answer.result, Outcome) for answer in answers) and len(made(s4)) == MANY - 1


@pytest.mark.parametrize("kind", ["refuse", "status:404", "status:405"])
def test_a_system_that_takes_no_batch_takes_each_alone(s4: Platform, kind: str) -> None:
    own, pushes = connector(s4), several(s4)
    s4.fail(kind, match=r"POST .*\$batch")
    assert all(isinstance(answer.result, Separately) for answer in own.push_many(pushes))
    s4.fail(kind, match=r"GET .*\$batch", count=2)
    assert own.find_many(pushes) == [True] * MANY
    assert all(isinstance(answer.result, Separately) for answer in own.push_many(pushes))
    assert s4.effects() == [] and all(own.push(push).verified for push in pushes)


def test_a_look_that_fails_sends_nothing(s4: Platform) -> None:
    own, pushes = connector(s4), several(s4)
    s4.fail("500", match=r"GET .*\$batch", count=2)
    with pytest.raises(NotSent):
        own.find_many(pushes)
    assert all(isinstance(answer.result, NotSent) for answer in own.push_many(pushes)) and s4.effects() == []


def test_found_by_tax_number(s4: Platform) -> None:
    own = connector(s4)
    numbers = [{"uid": "t", "country": "DE", "scheme": "VAT", "number": "DE129273398"}]
    pushes = several(s4, {2: {"tax_registrations": numbers}})
    assert own.find_many(pushes) == [False] * MANY
    own.push(pushes[2])
    other = several(s4, {4: {"tax_registrations": numbers}})
    assert own.find_many(other) == [False, False, True, False, True]


def test_made_and_not_read_back(s4: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    expand = gateway.read_expand

    def failing(text: str, name: str = HEAD) -> Any:
        if text:
            raise Fail(500, "No work process is free.")
        return expand(text, name)

    monkeypatch.setattr(gateway, "read_expand", failing)
    results = [answer.result for answer in connector(s4).push_many(several(s4))]
    assert all(isinstance(one, Outcome) and one.effect == "created" and not one.verified for one in results)


def test_an_answer_with_a_part_too_few_is_believed_for_none(s4: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(parts: Parts, boundary: str) -> bytes:
        return write(parts[:-1] if isinstance(parts[0], list) else parts, boundary)

    monkeypatch.setattr(batch_service, "write", short)
    answers = connector(s4).push_many(several(s4))
    assert all(isinstance(answer.result, Ambiguous) for answer in answers) and len(made(s4)) == MANY
    for number, answer in enumerate(answers):
        assert isinstance(answer.result, Ambiguous) and not answer.result.body
        assert repr(answer).count(" GmbH") == repr(answer).count(f"Serie {number} GmbH")


def test_a_part_that_cannot_be_read_is_in_doubt_by_itself(s4: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(parts: Parts, boundary: str) -> bytes:
        if isinstance(parts[0], Part):
            return write(parts, boundary)
        each = [item[0] for item in parts if isinstance(item, list)]
        each[0] = each[0]._replace(body=b'{"d":{}}', headers={})
        each[1] = each[1]._replace(body=b"<html>", headers={})
        each[2] = each[2]._replace(first_line="done")
        return write([[each[0]], [each[1]], [each[2]], [each[3], each[3]], [each[4]]], boundary)

    monkeypatch.setattr(batch_service, "write", spoilt)
    *doubted, fine = connector(s4).push_many(several(s4))
    assert all(isinstance(answer.result, Ambiguous) for answer in doubted)
    assert isinstance(fine.result, Outcome) and fine.result.verified


def test_a_session_that_ended_is_renewed(s4: Platform) -> None:
    own = connector(s4)
    own.find_many(several(s4))
    s4.sandbox.forget_sessions()
    assert all(isinstance(answer.result, Outcome) for answer in own.push_many(several(s4)))


def test_without_a_place_for_our_reference_nothing_is_made(s4: Platform) -> None:
    own = s4.connector(reference_field="YY1_MDM_BUS")
    assert isinstance(own, S4HanaConnector)
    pushes: list[Push] = several(s4)
    assert {type(answer.result).__name__ for answer in own.push_many(pushes)} == {"NotSupported"} and not made(s4)
