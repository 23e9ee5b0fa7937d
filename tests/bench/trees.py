"""Hierarchies and days at size: what a roll-up costs beside reading the same rows by their keys; a list as of a day."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

from tests.bench import reading
from tests.bench.figures import Figure
from tests.bench.ground import Ground
from tests.ports import free_port

FAN, DEPTH, EACH = 10, 4, 9  # every group has ten below it, four times; the lowest have nine members each
GROUPS = sum(FAN**level for level in range(DEPTH + 1))
MEMBERS = FAN**DEPTH * EACH
ROUNDS, CALLS = 3, 200
ON = date(2026, 6, 15)
_GOLDEN = "uid, code, status, version, search_text, created_at, updated_at"


def _new(letters: str) -> str:
    return f"gen_random_uuid(), '{letters}' || n, 'active', 1, '', now(), now()"


def measure(here: Ground, tokens: list[str], seconds: float) -> list[Figure]:
    _fill(here)
    figures = [_rolled_up(members) for members in (EACH * FAN, EACH * FAN * FAN)]
    return [*figures, _moved(here), _as_of(here, tokens, seconds)]


def _fill(here: Ground) -> None:
    """Straight into the tables, as their owner; the places are made as they always are."""
    from dimensions.services import hierarchies

    with here.owner() as connection:
        connection.execute("SET mdm.maintenance = 'on'")
        for statement in _statements():
            connection.execute(statement)
        ids = [row[0] for row in connection.execute("SELECT id FROM dimensions_hierarchynode ORDER BY id").fetchall()]
        connection.execute(hierarchies.PLACE, {"hierarchy": "BENCH", "ids": ids})
        connection.execute("ANALYZE")


def _statements() -> list[str]:
    node = f'INSERT INTO dimensions_hierarchynode ({_GOLDEN}, hierarchy, node, kind, "order", validity)'
    parts = [
        f"{node} SELECT {_new('HG')}, 'BENCH', 'G' || n, 'group', 0, 'current' FROM generate_series(1, {GROUPS}) n",
        f"{node} SELECT {_new('HM')}, 'BENCH', 'C' || n, 'member', 0, 'current'"
        f" FROM generate_series(0, {MEMBERS - 1}) n",
    ]
    lowest = GROUPS - FAN**DEPTH + 1
    period = 'INSERT INTO dimensions_hierarchynodeperiod (uid, position, record_id, valid_from, valid_to, parent, name, "order")'
    parts.append(  # group n stands under the group of the level above; every tenth moved there from the top a while ago
        f"{period} SELECT gen_random_uuid(), 0, id, CASE WHEN n % 10 = 7 THEN DATE '2020-01-01' END, NULL,"
        f" CASE WHEN n > 1 THEN 'G' || ((n - 2) / {FAN} + 1) END, 'Group ' || n, 0"
        " FROM (SELECT id, substr(node, 2)::int n FROM dimensions_hierarchynode WHERE kind = 'group') g"
        f" UNION ALL SELECT gen_random_uuid(), 1, id, NULL, DATE '2020-01-01', 'G1', 'Group', 0"
        " FROM (SELECT id, substr(node, 2)::int n FROM dimensions_hierarchynode WHERE kind = 'group') g WHERE n % 10 = 7"
    )
    parts.append(
        f"{period} SELECT gen_random_uuid(), 0, id, NULL, NULL, 'G' || ({lowest} + n / {EACH}), NULL, 0"
        " FROM (SELECT id, substr(node, 2)::int n FROM dimensions_hierarchynode WHERE kind = 'member') m"
    )
    return [*parts, *_centers()]


def _centers() -> list[str]:
    """100,000 cost centers with a past and a plan, with the document of their version."""
    values = "'name', 'Center ' || code, 'legal_entity', 'E1', 'category', 'sales', 'responsible', 'R'"
    days = ("NULL, '2022-01-01'", "'2022-01-01', '2030-01-01'", "'2030-01-01', NULL")
    slices = ", ".join(
        f"jsonb_build_object('uid', gen_random_uuid(), 'valid_from', {day.partition(', ')[0]},"
        f" 'valid_to', {day.partition(', ')[2]}, {values})"
        for day in days
    )
    columns, mine = (
        "name, legal_entity, category, responsible, blocked_for_costs, blocked_for_planning",
        "code LIKE 'B%'",
    )
    return [
        f"INSERT INTO dimensions_costcenter ({_GOLDEN}, {columns}, validity)"
        f" SELECT {_new('B')}, 'Center B' || n, 'E1', 'sales', 'R', false, false, 'current'"
        " FROM generate_series(0, 99999) n",
        *(
            f"INSERT INTO dimensions_costcenterperiod (uid, position, record_id, valid_from, valid_to, {columns})"
            f" SELECT gen_random_uuid(), {place}, id, {_dates(day)}, {columns} FROM dimensions_costcenter WHERE {mine}"
            for place, day in enumerate(days)
        ),
        "INSERT INTO mdm_recordversion (type, uid, version, status, document, hash, change_id, actor_name, changed_paths,"
        " created_at) SELECT 'cost_center', uid, 1, 'active', jsonb_build_object('schema', 'cost_center/1', 'uid', uid,"
        f" 'code', code, 'status', 'active', 'version', 1, 'valid_from', '2022-01-01', 'valid_to', '2030-01-01', 'validity',"
        f" 'current', {values}, 'slices', jsonb_build_array({slices})), '', (SELECT min(id) FROM mdm_changerequest), 'bench',"
        f" '[]', now() FROM dimensions_costcenter WHERE {mine}",
    ]


def _dates(day: str) -> str:
    return ", ".join(f"{part}::date" for part in day.split(", "))


def _rolled_up(members: int) -> Figure:
    """In turns: members under a node, and as many rows of the same table by their keys."""
    from dimensions.models import HierarchyNode
    from dimensions.selectors.trees import Stored

    tree = Stored("BENCH", ON)
    depth = {EACH * FAN: DEPTH - 1, EACH * FAN * FAN: DEPTH - 2}[members]
    first = sum(FAN**level for level in range(depth)) + 1
    nodes = [f"G{first + n}" for n in range(FAN**depth)]
    found = [len(tree.below(node, limit=10 * members)) for node in nodes[:20]]
    ids = list(HierarchyNode.objects.filter(kind="member").values_list("pk", flat=True)[: 100 * members])

    def by_key(call: int) -> int:
        start = call * members % (len(ids) - members)
        rows = HierarchyNode.objects.filter(pk__in=ids[start : start + members])
        return len(list(rows.values_list("uid", "node", "kind", "parent", "name", "order", "valid_from", "valid_to")))

    mine, limit = _in_turns(lambda call: tree.below(nodes[call % len(nodes)], limit=10 * members), by_key)
    return Figure(
        name=f"rollup-{members}",
        title=f"Roll-up of {members} members in a hierarchy of {GROUPS + MEMBERS:,} nodes",
        unit="roll-ups/s",
        value=1 / mine,
        limit=1 / limit,
        limit_is="reading as many rows of nodes by their keys in one statement",
        notes=[
            f"median of {ROUNDS} rounds of {CALLS} in turns: {mine * 1000:.2f} ms, by keys {limit * 1000:.2f} ms;"
            f" {min(found)} to {max(found)} members found, each with its period of the day",
            f"{GROUPS:,} groups in {DEPTH + 1} levels, {MEMBERS:,} members; every tenth group moved once",
        ],
    )


def _in_turns(one: Callable[[int], Any], other: Callable[[int], Any]) -> tuple[float, float]:
    """Seconds a call, the median of the rounds."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _round in range(ROUNDS):
        for times, act in zip(taken, (one, other), strict=True):
            began = time.perf_counter()
            for call in range(CALLS):
                act(call)
            times.append((time.perf_counter() - began) / CALLS)
    mine, limit = (sorted(times)[ROUNDS // 2] for times in taken)
    return mine, limit


def _moved(here: Ground) -> Figure:
    """Places of a subtree made anew, beside a plain update of as many places."""
    from dimensions.services import hierarchies

    depth = DEPTH - 2
    first = sum(FAN**level for level in range(depth)) + 1
    below = sum(FAN**level for level in range(DEPTH - depth + 1)) + FAN ** (DEPTH - depth) * EACH
    with here.owner() as connection:
        connection.execute("SET mdm.maintenance = 'on'")
        ids = [
            row[0]
            for row in connection.execute(
                "SELECT id FROM dimensions_hierarchynode WHERE node = ANY(%s)", [[f"G{first + n}" for n in range(20)]]
            ).fetchall()
        ]

        def place(call: int) -> None:
            values: dict[str, Any] = {"hierarchy": "BENCH", "ids": [ids[call % len(ids)]]}
            values["ids"] = [row[0] for row in connection.execute(hierarchies.BELOW, values).fetchall()]
            connection.execute("DELETE FROM dimensions_hierarchyplace WHERE record_id = ANY(%s)", [values["ids"]])
            connection.execute(hierarchies.PLACE, values)

        def plain(call: int) -> None:
            connection.execute(
                "UPDATE dimensions_hierarchyplace SET depth = depth + 0 WHERE id IN"
                f" (SELECT id FROM dimensions_hierarchyplace ORDER BY id OFFSET %s LIMIT {below})",
                [call % 20 * below],
            )

        taken: tuple[list[float], list[float]] = ([], [])
        for call in range(20):
            for times, act in zip(taken, (place, plain), strict=True):
                began = time.perf_counter()
                act(call)
                times.append(time.perf_counter() - began)
    mine, limit = (sorted(times)[10] for times in taken)
    return Figure(
        name="rollup-move",
        title=f"Places of a subtree of {below:,} nodes made anew",
        unit="subtrees/s",
        value=1 / mine,
        limit=1 / limit,
        limit_is="a plain update of as many places, which writes each once more",
        notes=[
            f"median of 20: {mine * 1000:.0f} ms, plain {limit * 1000:.0f} ms; what moving a subtree costs beside its write"
        ],
    )


def _as_of(here: Ground, tokens: list[str], seconds: float) -> Figure:
    port = free_port()
    server = reading.start(here, port)
    try:
        pages = [f"/api/v1/cost-centers/?as_of={day}" for day in ("2021-06-01", "2026-06-01", "2031-06-01")]
        case = reading.Case("read-as-of", "List of 100 of 100,000 cost centers as of a day", pages)
        return reading.figure(case, port, tokens, seconds)
    finally:
        server.end(grace=5)
