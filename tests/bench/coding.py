"""Checking a thousand coded lines over HTTP, with caches cold and warm, beside a bare view that reads and writes that JSON."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any

from tests.bench import reading
from tests.bench.figures import Figure
from tests.bench.ground import Ground
from tests.ports import free_port

CENTERS, ROWS, RULES, LINES = 100_000, 1_000_000, 1_000, 1_000
COMPANIES, ACCOUNTS, SUPPLIERS, PROJECTS, TAXES = 5, 20_000, 50_000, 500, 50
CALLS, ROUNDS = 60, 3
GOALS = {"cold": 25, "warm": 10}
_GOLDEN = "uid, code, status, version, search_text, created_at, updated_at"
_NEW = "gen_random_uuid(), {code}, 'active', 1, '', now(), now()"


def measure(here: Ground) -> list[Figure]:
    fill(here)
    token = _token()
    port = free_port()
    server = reading.start(here, port, processes=1)
    client = Client(port, token)
    body = json.dumps(call()).encode()
    try:
        answer = json.loads(client.post("/api/v1/codings/validate/", body)[1])
        told = _told(answer)
        return [_figure(kind, client, body, told) for kind in GOALS]
    finally:
        client.close()
        server.end(grace=5)


class Client:
    """One connection, kept open; each call waits for the one before."""

    def __init__(self, port: int, token: str) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: bytes = b"{}") -> tuple[float, bytes]:
        began = time.perf_counter()
        self._link.request("POST", path, body, self._headers)
        answer = self._link.getresponse()
        read = answer.read()
        took = time.perf_counter() - began
        if answer.status not in (200, 204):
            raise SystemExit(f"{path} answered {answer.status}: {read[:500]!r}")
        return took, read

    def close(self) -> None:
        self._link.close()


def _figure(kind: str, client: Client, body: bytes, told: str) -> Figure:
    """In turns, so that a noisy moment of the machine meets both."""
    if kind == "warm":
        client.post("/api/bench/remember/")
    ours, bare = list[float](), list[float]()
    for _round in range(ROUNDS):
        bare += [client.post("/api/bench/echo/", body)[0] for _call in range(CALLS)]
        for _call in range(CALLS):
            if kind == "cold":
                client.post("/api/bench/forget/")
            ours.append(client.post("/api/v1/codings/validate/", body)[0])
    mine, limit = (sorted(times) for times in (ours, bare))
    ratios = {part: _at(mine, part) / _at(limit, part) for part in (50, 95)}
    kept = "kept" if ratios[95] <= GOALS[kind] else "MISSED"
    return Figure(
        name=f"coding-{kind}",
        title=f"Check of 1,000 coded lines, caches {kind}",
        unit="calls/s",
        value=1 / _at(mine, 95),
        limit=1 / _at(limit, 95),
        limit_is="a bare view with the same server, middleware and token look-up that parses the same JSON and writes it"
        " again; both as one call after the other, at the 95th percentile",
        notes=[
            f"goal: p95 within {GOALS[kind]} times the bare view's: {ratios[95]:.1f} times, {kept}; p50 {ratios[50]:.1f} times",
            f"p50 {_ms(mine, 50)} ms, p95 {_ms(mine, 95)} ms (bare: p50 {_ms(limit, 50)} ms, p95 {_ms(limit, 95)} ms);"
            f" {ROUNDS} rounds of {CALLS} calls in turns, gunicorn, one process, on the machine of client and database",
            f"{CENTERS:,} cost centers, {ROWS:,} GL mapping rows in {COMPANIES} charts, {RULES:,} coding rules, {ACCOUNTS:,}"
            f" accounts, {SUPPLIERS:,} suppliers; {len(body):,} bytes a call, {told}",
            "cold: all that the process keeps of records, keys, mappings and rules is thrown away before each call"
            if kind == "cold"
            else "warm: mappings, rules and what the codes of the call stand for are in the process, and every call asks"
            " whether a record, a key, a row or a rule has changed since",
        ],
    )


def _at(times: list[float], part: int) -> float:
    return times[len(times) * part // 100]


def _ms(times: list[float], part: int) -> str:
    return f"{_at(times, part) * 1000:.1f}"


def _told(answer: dict[str, Any]) -> str:
    valid = sum(line["valid"] for line in answer["results"])
    codes = {error["code"] for line in answer["results"] for error in line["errors"]}
    return f"{valid} of its lines valid, the others {', '.join(sorted(codes))}"


def call() -> dict[str, Any]:
    """Every line has its own cost center, account and supplier; one in a hundred is wrong in some way."""
    lines = [
        {
            "legal_entity": f"E{n % COMPANIES}",
            "cost_center": f"K{n * 97 % CENTERS - n * 97 % CENTERS % COMPANIES + n % COMPANIES}",
            "gl_account": f"{400_000 + n * 19 % ACCOUNTS}" if n % 100 else "999999",
            "tax_code": f"T{n % TAXES}",
            "project": f"P{n % COMPANIES + COMPANIES * (n % 100)}",
            "supplier": f"S{n * 49 % SUPPLIERS}",
            "amount": f"{n}.50",
            "currency": "EUR",
        }
        for n in range(LINES)
    ]
    return {"system": "tool", "legal_entity": "E0", "posting_date": "2026-06-15", "lines": lines}


def fill(here: Ground) -> None:
    """Straight into the tables, as their owner: what matters is how many rows are read, not how they came."""
    with here.owner() as connection:
        connection.execute("SET mdm.maintenance = 'on'")
        for statement in _statements():
            connection.execute(statement)
        connection.execute("VACUUM ANALYZE")


def _record(table: str, count: int, code: str, columns: str, values: str, first: int = 0) -> str:
    return (
        f"INSERT INTO {table} ({_GOLDEN}, {columns}) SELECT {_NEW.format(code=code)}, {values}"
        f" FROM generate_series({first}, {first + count - 1}) n"
    )


def _periods(table: str, columns: str) -> str:
    """A record's past and what holds now."""
    record = table.removesuffix("period")
    return (
        f"INSERT INTO {table} (uid, position, record_id, valid_from, valid_to, {columns})"
        f" SELECT gen_random_uuid(), p, id, CASE p WHEN 1 THEN DATE '2022-01-01' END, CASE p WHEN 0 THEN DATE '2022-01-01' END,"
        f" {columns} FROM {record}, generate_series(0, 1) p WHERE code NOT LIKE 'B%'"  # those have periods (trees.py)
    )


def _keys(table: str, type_key: str, letter: str, prefix: int) -> str:
    return (
        'INSERT INTO mdm_crosswalk (system_id, type, key, uid, "primary", active, since)'
        f" SELECT s.id, '{type_key}', '{letter}' || substr(r.code, {prefix}), r.uid, true, true, now()"
        f" FROM {table} r, mdm_system s WHERE s.code = 'tool'"
    )


def _statements() -> list[str]:
    entity, dated = f"'E' || n % {COMPANIES}", "validity"
    center = "name, legal_entity, category, profit_center, blocked_for_costs, blocked_for_planning"
    return [
        "INSERT INTO mdm_system (code, title, mark, tone, rank) VALUES ('tool', 'Expense tool', 'ET', 'a', 50)",
        _record("dimensions_legalentity", COMPANIES, "'E' || n", "name, country, currency", "'Company', 'DE', 'EUR'"),
        _record("dimensions_profitcenter", 100, "'PC' || n", f"name, blocked, {dated}", "'Center', false, 'current'"),
        _periods("dimensions_profitcenterperiod", "name, blocked"),
        _record("dimensions_costcenter", CENTERS, "'C' || n", f"{center}, {dated}",
                f"'Center', {entity}, 'sales', 'PC' || n % 100, false, false, 'current'"),
        _periods("dimensions_costcenterperiod", center),
        _record("dimensions_project", PROJECTS, "'P' || n", f"name, legal_entity, stage, {dated}",
                f"'Project', {entity}, 'released', 'current'"),
        _periods("dimensions_projectperiod", "name, legal_entity, stage"),
        _record("dimensions_glaccount", ACCOUNTS, "'G/' || n",
                f"chart, number, name, kind, open_items, blocked_for_posting, {dated}",
                "'GROUP', n::text, 'Account', 'expense', false, false, 'current'", 400_000),
        _periods("dimensions_glaccountperiod", "name, kind, open_items, blocked_for_posting"),
        _record("dimensions_taxcode", TAXES, "'X' || n", f"country, kind, name, rate, deductible, {dated}",
                "'DE', 'input', 'Tax', 19, 100, 'current'"),
        _periods("dimensions_taxcodeperiod", "name, rate, deductible"),
        _record("suppliers_supplier", SUPPLIERS, "'SU' || n", "legal_name, trade_names, siblings, tags",
                "'Supplier ' || n, '{}', '{}', '{}'"),
        _keys("dimensions_costcenter", "cost_center", "K", 2),
        _keys("dimensions_taxcode", "tax_code", "T", 2),
        _keys("suppliers_supplier", "supplier", "S", 3),
        f"INSERT INTO dimensions_chartuse (system, legal_entity, chart) SELECT 'tool', 'E' || n, 'LOCAL' || n"
        f" FROM generate_series(0, {COMPANIES - 1}) n UNION ALL SELECT '', '', 'GROUP'",
        _record("dimensions_glmapping", ROWS, "'M' || n",
                'name, source_chart, target_chart, kind, source, target, flip, "order"',
                f"'Row', 'GROUP', 'LOCAL' || n % {COMPANIES}, 'explicit', (400000 + n / {COMPANIES})::text,"
                " 'L' || n, false, 0"),
        _record("dimensions_codingrule", RULES, "'R' || n", "name, message", "'Rule', 'No.'"),
        *(
            f"INSERT INTO dimensions_codingrulecondition (uid, position, record_id, side, dimension, test, codes)"
            f" SELECT gen_random_uuid(), {place}, id, '{side}', '{dimension}', 'codes', {codes}"
            f" FROM (SELECT id, substr(code, 2)::int n FROM dimensions_codingrule) r"
            for place, (side, dimension, codes) in enumerate((
                ("when", "legal_entity", entity),
                ("when", "gl_account", "(400000 + n * 20) || '..' || (400000 + n * 20 + 19)"),
                ("then", "tax_code", "CASE WHEN n % 50 = 0 THEN 'Y*' ELSE 'X*' END"),
                ("then", "cost_center", "'C*'"),
            ))
        ),
    ]  # fmt: skip


def _token() -> str:
    from django.contrib.auth.models import Group, User

    from mdm.services import tokens

    user = User.objects.create_user("bench-coder")
    user.groups.add(Group.objects.get_or_create(name="integrator")[0])
    return tokens.issue(owner=user, name="bench coder", scopes=["read:*"])[1]
