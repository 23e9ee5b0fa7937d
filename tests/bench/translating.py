"""POST /translate/ of 1,000 accounts at a million rows, warm and cold, against a bare view that reads and writes the JSON."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from tests.bench.figures import Figure
from tests.bench.ground import Ground

ROWS, RULES, VALUES = 1_000_000, 200, 1000
ROUNDS, COLD_ROUNDS = 30, 10
_FIELDS = (
    'uid, code, status, version, search_text, created_at, updated_at, name, kind, source, target, flip, "order",'
    " source_chart, target_chart"
)
_FILL = f"""
    INSERT INTO dimensions_glmapping ({_FIELDS})
    SELECT gen_random_uuid(), 'BENCH-' || n, 'active', 1, '', now(), now(), 'Row ' || n, 'explicit', 'A' || lpad(n::text, 8, '0'),
           'T' || n % 50000, false, 0, 'BENCH', 'BENCH-TO' FROM generate_series(1, {ROWS}) n"""
_RULES = f"""
    INSERT INTO dimensions_glmapping ({_FIELDS})
    SELECT gen_random_uuid(), 'BENCH-R' || n, 'active', 1, '', now(), now(), 'Rule ' || n, 'like', 'B' || n || '*',
           'R' || n, false, 0, 'BENCH', 'BENCH-TO' FROM generate_series(1, {RULES}) n"""
_EMPTY = (
    "DELETE FROM dimensions_glmapping WHERE source_chart = 'BENCH'",
    "DELETE FROM dimensions_chartofaccounts WHERE code LIKE 'BENCH%'",
)


def measure(here: Ground, token: str) -> Figure:
    from tests.bench import ground

    ground.change(*({"code": code, "name": code} for code in ("BENCH", "BENCH-TO")), type="chart_of_accounts")
    _as_owner(here, _FILL, _RULES, "ANALYZE dimensions_glmapping")
    try:
        return _measured(token)
    finally:
        _as_owner(here, *_EMPTY)


def _as_owner(here: Ground, *statements: str) -> None:
    with here.owner() as connection:
        connection.execute("SET mdm.maintenance = 'on'")
        for statement in statements:
            connection.execute(statement)


def _measured(token: str) -> Figure:
    from dimensions.services import mappings

    chance = random.Random(3)
    values = [f"A{chance.randrange(1, ROWS + 1):08d}" for _ in range(VALUES - 50)]
    values += [f"B{chance.randrange(1, RULES + 1)}X" for _ in range(50)]
    body = json.dumps({"type": "gl_account", "from_chart": "BENCH", "to_chart": "BENCH-TO", "values": values})
    call = _caller(token)
    cold = []
    for _ in range(COLD_ROUNDS):
        mappings._KEPT = mappings._Kept()
        cold.append(_took(call, "/api/v1/translate/", body))
    began = time.monotonic()
    mappings.compiled("gl_mapping", "BENCH", "BENCH-TO")
    read_whole = time.monotonic() - began
    ours, bare = [], []
    for _ in range(ROUNDS):  # in turns, so that a noisy moment of the machine meets both
        bare.append(_took(call, "/api/bench/echo/", body))
        ours.append(_took(call, "/api/v1/translate/", body))
    mappings._KEPT = mappings._Kept()
    middle, limit, first = _middle(ours), _middle(bare), _middle(cold)
    return Figure(
        name="translate",
        title=f"Translation of {VALUES:,} accounts in a call at {ROWS:,} mapping rows",
        unit="calls/s",
        value=1 / middle,
        limit=1 / limit,
        limit_is="a bare view with the same token look-up that reads the JSON and writes it back",
        notes=[
            f"in one process, without a web server; {len(values) - 50} values by explicit rows, 50 by {RULES} patterns",
            f"median of {ROUNDS} calls: {middle * 1000:.1f} ms with the mapping at hand, limit {limit * 1000:.1f} ms",
            f"median of {COLD_ROUNDS} calls with nothing at hand (two statements read what decides): {first * 1000:.1f} ms,"
            f" {first / limit:.1f} times the limit",
            f"reading and compiling all of it, which happens beside: {read_whole:.1f} s",
        ],
    )


def _caller(token: str) -> Any:
    from django.test import Client
    from django.test.utils import override_settings

    override_settings(ROOT_URLCONF="tests.bench.urls", ALLOWED_HOSTS=["*"]).enable()
    return Client(headers={"Authorization": f"Bearer {token}"})


def _took(call: Any, path: str, body: str) -> float:
    began = time.perf_counter()
    answer = call.post(path, body, content_type="application/json")
    took = time.perf_counter() - began
    if answer.status_code != 200:
        raise SystemExit(f"{path} answered {answer.status_code}: {answer.content[:300]!r}")
    return took


def _middle(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]
