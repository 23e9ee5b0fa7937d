"""Cost centers and projects at Tryton: analytic accounts below the roots of their companies; against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync import mapping
from sync.errors import Refused, Stale
from sync.protocol import Outcome, Push
from tests.sync.sandboxes import Platform, folder, platform

CENTER = {
    "code": "DE-7700",
    "name": "Harbour crane",
    "legal_entity": "NH10",
    "status": "active",
    "validity": "current",
    "blocked_for_costs": False,
}


@pytest.fixture
def tryton(tmp_path: Path) -> Iterator[Platform]:
    with platform("tryton", tmp_path / "state.sqlite") as running:
        yield running


def order(document: dict[str, Any], type: str = "cost_center", **changes: Any) -> Push:
    payload = mapping.load(folder("tryton") / "mapping.yaml", type).render(document)
    given = {"action": "upsert", "reference": "r", "idempotency_key": "1:x:1", "correlation_id": "c", **changes}
    return Push(type=type, payload=payload, **given)


def push(tryton: Platform, document: dict[str, Any], type: str = "cost_center", **changes: Any) -> Outcome:
    return tryton.connector(**changes.pop("options", {})).push(order(document, type, **changes))


def raw(tryton: Platform, type: str = "cost_center") -> dict[str, dict[str, Any]]:
    return {row["key"]: row["fields"] for row in tryton.control("GET", f"records?type={type}")["records"]}


def test_one_code_stands_once_in_each_company_and_below_each_root(tryton: Platform) -> None:
    first = push(tryton, CENTER)
    other = push(tryton, {**CENTER, "legal_entity": "NH20"})
    project = push(tryton, {**CENTER, "stage": "released"}, "project")
    assert len({first.key, other.key, project.key}) == 3
    assert push(tryton, CENTER).key == first.key and push(tryton, {**CENTER, "legal_entity": "NH20"}).key == other.key
    held = tryton.connector().read("cost_center", other.key)
    assert held is not None and held.fields["company"] == "NH20"
    assert tryton.connector().read("cost_center", project.key) is None, "that is a project"


def test_two_of_one_code_are_for_a_person(tryton: Platform) -> None:
    """Nothing keeps codes unique at Tryton."""
    key = push(tryton, CENTER).key
    row = raw(tryton)[key]
    with tryton.sandbox.store.transaction():
        tryton.sandbox.store.put("cost_center", "77", {**row, "id": 77}, log=False)
    effects = len(tryton.effects())
    with pytest.raises(Refused, match="archive all but one"):
        push(tryton, {**CENTER, "name": "Cranes"})
    assert len(tryton.effects()) == effects


def test_a_company_without_a_root_is_named(tryton: Platform) -> None:
    for changes, words in (
        ({"legal_entity": "NH77"}, "in the company NH77"),
        ({}, "no analytic root “Kostenstellen”"),
    ):
        options = {} if changes else {"analytic_roots": {"cost_center": "Kostenstellen"}}
        with pytest.raises(Refused, match=words):
            push(tryton, {**CENTER, **changes}, options=options)
    assert raw(tryton) == {} and tryton.effects() == []


def test_what_ended_before_it_came_is_archived_at_once(tryton: Platform) -> None:
    outcome = push(tryton, {**CENTER, "validity": "ended"})
    assert (outcome.effect, outcome.verified) == ("created", True) and raw(tryton)[outcome.key]["active"] is False


def test_what_moved_since_it_was_read_is_not_overwritten(tryton: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    key = push(tryton, CENTER).key
    connector = tryton.connector()
    write = connector._api.write  # type: ignore[attr-defined]

    def late(*given: Any) -> None:
        tryton.control("POST", "mutate", {"key": key, "type": "cost_center", "field": "name", "value": "By somebody"})
        write(*given)

    monkeypatch.setattr(connector._api, "write", late)  # type: ignore[attr-defined]
    with pytest.raises(Stale):
        connector.push(order({**CENTER, "name": "Cranes"}, key=key))
    assert raw(tryton)[key]["name"] == "By somebody"


def test_a_tryton_without_the_module_still_takes_suppliers(tryton: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    from sync.connectors.tryton import sandbox_records

    assert "analytic_account" not in tryton.connector().check().message
    without = tuple(model for model in sandbox_records.WRITABLE if model != "analytic_account.account")
    monkeypatch.setattr(sandbox_records, "WRITABLE", without)
    monkeypatch.setattr("sync.connectors.tryton.sandbox.WRITABLE", without)
    health = tryton.connector().check()
    assert health.ok and "need the module analytic_account" in health.message
