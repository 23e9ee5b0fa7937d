"""A small group with books for the tests of codings: what they ask, and how they change it."""

from __future__ import annotations

from typing import Any

import pytest

from dimensions.models import ChartUse
from dimensions.services import coded_records, coding_rules, mappings
from mdm.services import changes, crosswalks
from mdm.services.changes import ProposedItem
from mdm.types import Actor
from tests.api.callers import Caller, make_record
from tests.people import system

DAY = "2026-06-15"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a process that has just started."""
    monkeypatch.setattr(mappings, "_KEPT", mappings._Kept())
    monkeypatch.setattr(coding_rules, "_KEPT", coding_rules._Kept())
    monkeypatch.setattr(coded_records, "_KEPT", coded_records._Kept())


def make_books() -> dict[str, Any]:
    """Two companies, their centers, a chart of the group and a local one, a system that books in the local one."""
    erp = system("erp", title="The ERP")
    made: dict[str, Any] = {"erp": erp}
    for code, country, currency in (("NH10", "DE", "EUR"), ("NH20", "FR", "EUR"), ("NH30", "JP", "JPY")):
        made[code] = make_record("legal_entity", code, name=code, country=country, currency=currency)
    for code in ("GROUP", "LOCAL"):
        make_record("chart_of_accounts", code, name=code)
    ChartUse.objects.create(chart="GROUP")
    ChartUse.objects.create(system="erp", chart="LOCAL")
    made["PC-1"] = make_record("profit_center", "PC-1")
    made["CC-1"] = make_record(
        "cost_center", "CC-1", legal_entity="NH10", profit_center="PC-1", valid_from="2020-01-01"
    )
    made["CC-2"] = make_record("cost_center", "CC-2", legal_entity="NH20")
    made["P-1"] = make_record("project", "P-1", legal_entity="NH10", valid_from="2026-01-01", valid_to="2026-07-01")
    account("GROUP", "400000")
    account("GROUP", "140000", kind="asset")
    account("LOCAL", "5100")
    made["DE-19"] = make_record("tax_code", "DE-19", country="DE", rate="19", deductible="50")
    made["row"] = row("400000", "5100", "R-1")
    crosswalks.link(system=erp, type="cost_center", key="K-1", uid=made["CC-1"].uid)
    crosswalks.link(system=erp, type="tax_code", key="V1", uid=made["DE-19"].uid)
    return made


def account(chart: str, number: str, **values: Any) -> Any:
    given = {"chart": chart, "number": number, "name": f"Account {number}", "kind": "expense", **values}
    return make_record("gl_account", f"{chart}/{number}", **given)


def row(source: str, target: str, code: str, **values: Any) -> Any:
    given = {"name": code, "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit"}
    return make_record("gl_mapping", code, **{**given, "source": source, "target": target, **values})


def rule(code: str, when: Any = (), then: Any = (), **values: Any) -> Any:
    """`when`, `then`: {dimension: codes, True for given, False for not given}."""
    conditions = [
        {"side": side, "dimension": dimension, "codes": codes}
        if isinstance(codes, str)
        else {"side": side, "dimension": dimension, "test": "given" if codes else "not_given"}
        for side, tests in (("when", when), ("then", then))
        for dimension, codes in dict(tests).items()
    ]
    given = {"name": code, "message": f"Says {code}.", "conditions": conditions}
    return make_record("coding_rule", code, **{**given, **values})


def change(type_key: str, made: Any, action: str = "update", **patch: Any) -> None:
    item = ProposedItem(type=type_key, uid=str(made.uid), action=action, patch=patch or None)
    assert changes.propose(items=[item], by=Actor.system("tests"), origin="system").state == "applied"


def ask(by: Caller, *lines: dict[str, Any], status: int = 200, **more: Any) -> Any:
    body = {"system": "erp", "legal_entity": "NH10", "posting_date": DAY, "lines": list(lines), **more}
    answer = by.post_json("codings/validate/", body)
    assert answer.status_code == status, answer.content
    return answer.json()


def one(by: Caller, **line: Any) -> Any:
    return ask(by, {"gl_account": "400000", **line})["results"][0]


def wrong(by: Caller, **line: Any) -> list[tuple[str, str]]:
    """[(path, code)] of the errors of one line."""
    return [(error["path"], error["code"]) for error in one(by, **line)["errors"]]
