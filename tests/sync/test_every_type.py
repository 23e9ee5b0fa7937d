"""Files and webhooks carry every record type whole: no field of a document is forgotten in their mappings."""

from __future__ import annotations

from typing import Any

import pytest

from mdm import registry
from sync import platforms
from sync.mapping import Mapping

BY_HAND = {"supplier"}  # bank accounts and what else is left out on purpose: the tests of each connector
TYPES = sorted(set(platforms.connector_class("webhook").types) - BY_HAND)


@pytest.mark.parametrize("name", ["webhook", "sftp_csv"])
@pytest.mark.parametrize("type", TYPES)
def test_no_field_is_forgotten(name: str, type: str) -> None:
    kind, mapping = registry.get(type), platforms.mapping_of(name, type)
    lists = {child.name: child for child in kind.children}
    own = {rule.sources[0].text for rule in mapping.rules.fields}
    assert own == {"code", "status", *kind.document.model_fields} - set(lists)
    assert {rows.part for rows in mapping.rules.rows} == set(lists)
    for rows in mapping.rules.rows:
        sent = {rule.sources[0].text for rule in rows.fields}
        assert sent == set(lists[rows.part].document.model_fields) - {"uid"}


def test_both_take_the_same_types() -> None:
    types: list[Any] = [set(platforms.connector_class(name).types) for name in ("webhook", "sftp_csv")]
    assert types[0] == types[1] <= {kind.key for kind in registry.all_types()}


@pytest.mark.parametrize("name", ["webhook", "sftp_csv"])
def test_today_stands_at_the_top_and_every_period_below(name: str) -> None:
    mapping: Mapping = platforms.mapping_of(name, "cost_center")
    values = {"legal_entity": "NH10", "category": "logistics", "blocked_for_costs": False}
    periods = [
        {"uid": "s1", "valid_from": None, "valid_to": "2027-01-01", "name": "Warehouse", **values},
        {"uid": "s2", "valid_from": "2027-01-01", "valid_to": None, "name": "Logistics", **values},
    ]
    document = {"code": "DE-3100", "status": "active", "validity": "current", **periods[0], "slices": periods}
    payload = mapping.render(document)
    assert (payload["name"], payload["valid_to"], payload["validity"]) == ("Warehouse", "2027-01-01", "current")
    assert [payload[f"slices[{uid}].name"] for uid in ("s1", "s2")] == ["Warehouse", "Logistics"]
    assert payload["slices[s2].valid_from"] == "2027-01-01"
