"""List items of Concur: the documents' own examples against the sandbox, and what is particular to pushing them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sync import mapping
from sync.connectors.concur.connector import ConcurConnector
from sync.deadline import asking
from sync.errors import Ambiguous, NotSupported, Refused, Separately, Throttled
from sync.protocol import Answer, Config, Outcome, Push
from sync.sandbox import CLIENT_ID, SECRET
from tests.sync.connectors.concur_world import MAPPING, World, world

CENTER = {
    "code": "DE-7700",
    "name": "Harbour crane",
    "status": "active",
    "validity": "current",
    "blocked_for_costs": False,
}
RULES = mapping.load(MAPPING, "cost_center")


@pytest.fixture
def concur(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as found:
        yield found


@pytest.fixture
def api(concur: World) -> Iterator[httpx.Client]:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
    token = httpx.post(f"{concur.running.url}/oauth2/v0/token", data=form).json()["access_token"]
    with httpx.Client(
        base_url=f"{concur.running.url}/list/v4/", headers={"Authorization": f"Bearer {token}"}
    ) as client:
        yield client


def connector(concur: World, **options: Any) -> ConcurConnector:
    return ConcurConnector(Config(concur.running.url, CLIENT_ID, SECRET, timeout=2.0, options=options))


def order(number: int | None = None, **changes: Any) -> Push:
    document = CENTER if number is None else {**CENTER, "code": f"CC-{number:04}", "name": f"Serie {number}"}
    given = {"action": "upsert", "reference": "r", "idempotency_key": f"1:x:{number}", "correlation_id": "c", **changes}
    payload = RULES.render({**document, **given.pop("document", {})})
    return Push(type="cost_center", payload=payload, **given)


def raw(concur: World) -> dict[str, dict[str, Any]]:
    return {row["key"]: row["fields"] for row in concur.control("records?type=cost_center")["records"]}


def list_id(api: httpx.Client, name: str = "Cost Center") -> str:
    (found,) = api.get("lists", params={"value": f"eq:{name}"}).json()["content"]
    return str(found["id"])


# As documented


def test_the_examples_of_lists(api: httpx.Client) -> None:
    """“Get All Lists”: a hundred a page, filtered by `value=<op>:<value>`."""
    every = api.get("lists", params={"page": 1}).json()
    assert every["page"] == {"size": 100, "totalElements": 3, "totalPages": 1, "number": 1} and every["links"] == []
    assert {"levelCount": 1, "displayFormat": "(CODE) TEXT", "isReadOnly": False}.items() <= every["content"][0].items()
    for asked, count in (("Project", 1), ("eq:Project", 1), ("not:Project", 2), ("ew:Center", 2), ("cp:rof", 1)):
        assert api.get("lists", params={"value": asked}).json()["page"]["totalElements"] == count


def test_the_examples_of_one_item(api: httpx.Client) -> None:
    """“Create a List Item” (Example 1), “Retrieve a List Item by ID”, “Update a List Item”, “Delete … from a List”."""
    list = list_id(api)
    made = api.post("items", json={"listId": list, "shortCode": "ITEM", "value": "ITEM"})
    assert made.status_code == 201 and made.headers["location"].endswith(made.json()["id"])
    wanted = {"code": "ITEM", "shortCode": "ITEM", "value": "ITEM", "parentId": None, "level": 1, "isDeleted": False}
    assert wanted.items() <= made.json().items() and made.json()["lists"] == [{"id": list, "hasChildren": False}]
    id = made.json()["id"]
    changed = api.put(f"items/{id}", json={"shortCode": "ITEM", "value": "ITEM UPDATED"})
    assert changed.status_code == 200 and changed.json()["value"] == "ITEM UPDATED"
    assert api.delete(f"lists/{list}/items/{id}").status_code == 204
    assert api.get(f"items/{id}").json()["isDeleted"] is True
    shown = api.get(f"lists/{list}/children", params={"shortCode": "ITEM"}).json()["content"]
    deleted = api.get(f"lists/{list}/children", params={"shortCode": "ITEM", "isDeleted": "true"}).json()["content"]
    assert shown == [] and [item["id"] for item in deleted] == [id]
    again = api.post("items", json={"listId": list, "shortCode": "ITEM", "value": "ITEM"})
    assert again.status_code == 400 and again.json()["error"]["id"] == "item.duplicate.code.deleted"
    assert api.put(f"items/{id}", json={"shortCode": "ITEM", "value": "ITEM"}).status_code == 400
    assert api.get("items/unknown").status_code == 404


def test_the_examples_of_many_items(api: httpx.Client) -> None:
    """“Create Single Item …”, “… with Partial Success Response Example”, “… with Failure Response Example”, and 251."""
    path = f"lists/{list_id(api)}/bulk"
    parts = [{"shortCode": f"CHILD_ITEM_{name}", "value": name} for name in ("ONE", "B")]
    one = api.post(path, json={"requests": parts[:1]})
    assert (one.status_code, one.json()) == (
        201,
        {"status": "SUCCESS", "recordsSucceeded": 1, "recordsFailed": 0, "errors": []},
    )
    both = api.post(path, json={"requests": parts})
    words = "This item code is already used by another item in the same list"
    assert both.status_code == 206 and both.json()["status"] == "PARTIAL_SUCCESS"
    assert both.json()["errors"] == [{"message": words, "listItem": parts[0]}]
    none = api.post(path, json={"requests": parts})
    assert (none.status_code, none.json()["status"], none.json()["recordsFailed"]) == (400, "FAILURE", 2)
    many = api.post(path, json={"requests": [{"shortCode": str(n), "value": "x"} for n in range(251)]})
    (problem,) = many.json()["validationErrors"]
    assert many.status_code == 400 and many.json()["error"]["id"] == "request.validation.error"
    assert problem == {"source": "requests", "message": "size must be between 1 and 250"}


def test_a_hyphen_corrupts_a_list(api: httpx.Client) -> None:
    """“List Item Code Naming Restrictions”."""
    answer = api.post("items", json={"listId": list_id(api), "shortCode": "A-1", "value": "x"})
    assert answer.status_code == 400 and "hyphen" in answer.json()["error"]["message"]


# Pushing


def test_no_hyphen_reaches_a_list(concur: World) -> None:
    outcome = connector(concur).push(order(document={"name": "Rhein-Main - Nord"}))
    assert (outcome.key, outcome.verified) == ("DE_7700", True)
    assert raw(concur)["DE_7700"]["value"] == "Rhein Main   Nord"
    assert connector(concur).push(order(document={"name": "Rhein-Main - Nord"})).effect == "unchanged"
    adopted = RULES.adopt("value", "Rhein Main   Nord", {**CENTER, "name": "Rhein-Main - Nord"})
    assert adopted == [{"path": "name", "value": "Rhein-Main - Nord"}], "what only lost its hyphens there is still ours"


@pytest.mark.parametrize(("field", "value"), [("code", "C" * 33), ("name", "n" * 65)])
def test_what_is_too_long_is_refused_never_cut(field: str, value: str) -> None:
    with pytest.raises(Refused, match="longer than"):
        RULES.render({**CENTER, field: value})


def test_several_in_one_request_each_by_itself(concur: World) -> None:
    pushes = [order(number) for number in range(5)]
    connector(concur).push(pushes[3])
    api = connector(concur)
    with asking(lambda: None) as writes:
        answers = api.push_many([*pushes, order(9, document={"name": "x", "code": "DE-1000"})])
    assert writes.done == 1 and len(raw(concur)) == 3 + 5
    assert [type(answer.result) for answer in answers] == [*[Outcome] * 3, Separately, Outcome, Separately]
    made = [answer.result for answer in answers if isinstance(answer.result, Outcome)]
    assert [(one.key, one.effect, one.verified) for one in made] == [
        (f"CC_000{n}", "created", False) for n in (0, 1, 2, 4)
    ]
    for number, answer in enumerate(answers[:3]):
        shown = repr(answer.said)
        assert f"Serie {number}" in shown and "Serie 4" not in shown, "each sees its own part only"
    held = api.find("cost_center", "r", pushes[2].payload)
    assert held is not None and not RULES.compare(pushes[2].payload, held.fields)


def test_a_whole_request_that_is_refused_has_done_nothing(concur: World) -> None:
    pushes = [order(number) for number in range(3)]
    connector(concur).push_many(pushes)
    with asking(lambda: None) as writes:
        answers = connector(concur).push_many(pushes)
    assert writes.done == 0 and all(isinstance(answer.result, Separately) for answer in answers)


@pytest.mark.parametrize(("fault", "error"), [("timeout_after", Ambiguous), ("garbage", Ambiguous), ("429", Throttled)])
def test_a_lost_answer_is_read_back_one_by_one(concur: World, fault: str, error: type[Exception]) -> None:
    pushes, before = [order(number) for number in range(4)], len(raw(concur))
    concur.control("faults", match="/bulk", kind=fault, count=1)
    answers: list[Answer] = connector(concur).push_many(pushes)
    assert all(isinstance(answer.result, error) for answer in answers)
    alone = [connector(concur).push(push) for push in pushes]
    assert all(one.verified for one in alone) and len(raw(concur)) == before + 4
    assert {one.effect for one in alone} == ({"created"} if fault == "429" else {"unchanged"})


def test_what_is_closed_is_not_made_together_and_not_made_at_all(concur: World) -> None:
    ended = {"document": {"validity": "ended"}}
    answers = connector(concur).push_many([order(1), order(2, **ended)])
    assert all(isinstance(answer.result, Separately) for answer in answers)
    outcome = connector(concur, delete_closed=True).push(order(2, **ended))
    assert (outcome.key, outcome.effect, outcome.verified) == ("", "unchanged", True) and "CC_0002" not in raw(concur)


def test_nothing_is_deleted_unless_the_target_says_so(concur: World) -> None:
    connector(concur).push(order())
    for push in (order(key="DE_7700", document={"validity": "ended"}), order(key="DE_7700", action="block")):
        with pytest.raises(NotSupported, match="delete_closed"):
            connector(concur).push(push)
        assert raw(concur)["DE_7700"]["isDeleted"] is False
    health, willing = connector(concur).check(), connector(concur, delete_closed=True).check()
    assert health.ok and health.pushable["closing_of_list_items"] is False and "left open" in health.message
    assert willing.pushable["closing_of_list_items"] is True
    assert connector(concur, delete_closed=True).push(order(key="DE_7700", action="block")).effect == "blocked"
    assert raw(concur)["DE_7700"]["isDeleted"] is True


def test_a_deleted_code_is_burnt(concur: World) -> None:
    final = connector(concur, delete_closed=True)
    final.push(order())
    final.push(order(key="DE_7700", action="block"))
    with pytest.raises(Refused, match="nothing opens it again") as caught:
        final.push(order())
    assert caught.value.problems[0].code == "deleted_there"
    assert [one.key for one in final.scan("cost_center") if one.blocked] == ["DE_7700"]


def test_a_list_that_is_not_there_is_named(concur: World) -> None:
    lost = connector(concur, lists={"cost_center": "Kostenstelle"})
    with pytest.raises(Refused, match="no list called “Kostenstelle”"):
        lost.push(order())
    health = lost.check()
    assert health.ok and "cannot be sent yet" in health.message and concur.effects() == []


def test_every_page_is_scanned_once(concur: World) -> None:
    many = connector(concur)
    for start in range(0, 230, 25):
        many.push_many([order(number) for number in range(start, min(start + 25, 230))])
    keys = [record.key for record in many.scan("cost_center")]
    assert len(keys) == len(set(keys)) == 233 and set(keys) == set(raw(concur))
