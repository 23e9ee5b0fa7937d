"""Real data of the US Treasury (demo/data/us_treasury) as files of a source system, loaded by the import that people have."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from mdm.demo import clock
from mdm.models import ImportJob, System
from mdm.services import changes, importing, loading
from mdm.services.changes import ProposedItem
from mdm.types import Actor

DATA = Path(__file__).parent / "data" / "us_treasury"
SYSTEM, COMPANY, CHART = "us-treasury", "US-GOV", "US-TAS"
AGENCIES, FUNCTIONS = "US-AGENCIES", "US-FUNCTIONS"
BY = Actor.system("Demo set-up")
Row = list[str]


def load(say: Callable[[str], None]) -> None:
    clock.at(20, 14)
    values = {"title": "US Treasury, public data", "mark": "UT", "tone": "d", "rank": 60}
    system, _ = System.objects.get_or_create(code=SYSTEM, defaults=values)
    _grounds()
    for type_, name, rows, mapping in _files():
        if not ImportJob.objects.filter(system=system, file_name=name, state="done").exists():
            say(f"{system.title}: {_load(system, type_, name, rows, mapping)}")


def _grounds() -> None:
    """The company, the chart and the hierarchies the files name."""
    from dimensions.models import Hierarchy

    if Hierarchy.objects.filter(code=FUNCTIONS).exists():
        return
    company = {"name": "US federal agencies (public data)", "country": "US", "currency": "USD"}
    chart = {"name": "Treasury accounts (public data)", "country": "US", "currency": "USD"}
    agencies = {"name": "Federal agencies", "members": "cost_center", "note": "Public data of the US Treasury, CC0."}
    functions = {"name": "Budget functions", "members": "gl_account", "within": CHART}
    first = [("legal_entity", COMPANY, company), ("chart_of_accounts", CHART, chart)]
    for made in (first, [("hierarchy", AGENCIES, agencies), ("hierarchy", FUNCTIONS, functions)]):
        items = [
            ProposedItem(type=type_, action="create", patch={"code": code, **patch}) for type_, code, patch in made
        ]
        changes.propose(items=items, by=BY, origin="system", title="Grounds for public data of the US Treasury")


def _load(system: System, type_: str, name: str, rows: Iterable[Row], mapping: dict[str, Any]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    stream = io.BytesIO(text.getvalue().encode())
    job = importing.receive(system=system, type=type_, file_name=name, stream=stream, by=BY, mapping=mapping)
    loading.run(job.pk)
    job.refresh_from_db()
    return f"{name}: " + ", ".join(f"{count} {what}" for what, count in job.counts.items() if count)


def _files() -> Iterator[tuple[str, str, Iterable[Row], dict[str, Any]]]:
    agencies, accounts = _read("agencies.csv"), _read("accounts.csv")
    centers = {
        "key": "subtier", "columns": {"subtier": "code", "name": "name", "agency": "department"},
        "const": {"legal_entity": COMPANY, "category": "administration"},
    }  # fmt: skip
    yield "cost_center", "agency_subtiers.csv", _centers(agencies), centers
    columns = {name: name for name in ("hierarchy", "node", "kind", "name", "parent", "valid_from", "valid_to")}
    nodes = {"key": "key", "columns": columns}
    yield "hierarchy_node", "agency_tree.csv", _agencies(agencies), nodes
    chart = {
        "key": "account",
        "columns": {
            "account": "number", "name": "name", "function": "group", "established": "valid_from", "ended": "valid_to",
        },
        "const": {"chart": CHART, "kind": "statistical"},
    }  # fmt: skip
    yield "gl_account", "treasury_accounts.csv", _accounts(accounts), chart
    yield "hierarchy_node", "function_tree.csv", _functions(accounts), nodes


def _read(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _centers(agencies: list[dict[str, str]]) -> Iterator[Row]:
    """A sub-tier that stands under several agencies is one cost center, of the first."""
    yield ["subtier", "name", "agency"]
    for code, row in _first(agencies, "subtier_code").items():
        yield [f"US-{code}", row["subtier_name"], row["agency_name"]]


def _first(rows: list[dict[str, str]], name: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row[name], row)
    return found


_HEADINGS = ["key", "hierarchy", "node", "kind", "name", "parent", "valid_from", "valid_to"]


def _node(tree: str, node: str, name: str, parent: str, since: str = "", until: str = "") -> Row:
    return [f"{tree}/{node}", tree, node, "group" if name else "member", name, parent, since, until]


def _agencies(agencies: list[dict[str, str]]) -> Iterator[Row]:
    yield _HEADINGS
    yield _node(AGENCIES, "US", "Federal government", "")
    for code, row in _first(agencies, "agency_code").items():
        yield _node(AGENCIES, f"A{code}", row["agency_name"], "US")
    for code, row in _first(agencies, "subtier_code").items():
        yield _node(AGENCIES, f"US-{code}", "", f"A{row['agency_code']}")


def _accounts(accounts: list[dict[str, str]]) -> Iterator[Row]:
    yield ["account", "name", "function", "established", "ended"]
    for row in accounts:
        yield [row["account"], row["name"], row["function"], _day(row["established"]), _day(row["ended"])]


def _functions(accounts: list[dict[str, str]]) -> Iterator[Row]:
    """Functions, what they are divided into, and every account from the day it was established."""
    yield _HEADINGS
    for code, row in _first(accounts, "function_code").items():
        yield _node(FUNCTIONS, f"F{code}", row["function"] or "No function named", "")
    for code, row in _first(accounts, "subfunction_code").items():
        yield _node(FUNCTIONS, f"S{code}", row["subfunction"] or "No subfunction named", f"F{row['function_code']}")
    for row in accounts:
        days = _day(row["established"]), _day(row["ended"])
        yield _node(FUNCTIONS, row["account"], "", f"S{row['subfunction_code']}", *days)


def _day(text: str) -> str:
    """`10/01/2011 00:00:00` as the file has it."""
    return datetime.strptime(text.split()[0], "%m/%d/%Y").date().isoformat() if text else ""
