"""Stores of sandboxes: what they say is looked up often is found without reading everything."""

from __future__ import annotations

import pytest

from sync.sandbox_store import Store
from sync.sandboxes import sandbox_class
from tests.faults.platforms import with_sandbox

INDEXED = [
    (name, type, field)
    for name in with_sandbox()
    for type, fields in sandbox_class(name).indexes.items()
    for field in fields
]


@pytest.mark.parametrize("name, type, field", INDEXED)
def test_an_indexed_field_is_found_by_its_index(tmp_path, name: str, type: str, field: str) -> None:
    store = Store(str(tmp_path / "records"), indexes=sandbox_class(name).indexes)
    seen: list[str] = []
    store._db.set_trace_callback(seen.append)
    assert store.where(type, field, "X") == []
    store._db.set_trace_callback(None)
    plan = store._db.execute(f"EXPLAIN QUERY PLAN {seen[-1]}").fetchall()
    store.close()
    assert "USING INDEX field_" in plan[0][-1], plan
