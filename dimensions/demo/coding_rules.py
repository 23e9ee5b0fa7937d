"""The demo's coding rules: which accounts take a cost center, and which tax codes a country's companies book expenses with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Found = tuple[str, dict[str, Any]]
_BALANCE = "asset, liability, equity"
COUNTRIES = {"DE": "Germany", "FR": "France", "GB": "Great Britain"}


def rules() -> Iterator[Found]:
    yield _rule("COST-CENTER", "Costs need a cost center", "Name the cost center that bears these costs.",
                [_when("account_kind", "expense"), _then("cost_center", "given")])  # fmt: skip
    yield _rule("BALANCE", "Balance-sheet accounts take no cost center",
                "This account stands in the balance sheet; leave the cost center out.",
                [_when("account_kind", _BALANCE), _then("cost_center", "not_given")])  # fmt: skip
    yield _rule("BALANCE-TAX", "Balance-sheet accounts take no tax code", "Book the tax with the expense, not here.",
                [_when("account_kind", _BALANCE), _then("tax_code", "not_given")])  # fmt: skip
    for country, name in COUNTRIES.items():
        yield _rule(f"TAX-{country}", f"Tax codes of {name}",
                    f"Expenses of companies in {name} take input tax of {name}.",
                    [_when("country", country), _when("account_kind", "expense"), _when("tax_code", ""),
                     _then("tax_code", f"{country}-V-*")])  # fmt: skip
    yield _rule("QUAY7", "No travel on quay 7", "The renewal of quay 7 is investment; travel goes to a cost center alone.",
                [_when("project", "P-QUAY7"), _when("gl_account", "470000..479999")])  # fmt: skip


def _rule(code: str, name: str, message: str, conditions: list[dict[str, Any]]) -> Found:
    return "coding_rule", {"code": f"RU-{code}", "name": name, "message": message, "conditions": conditions}


def _when(dimension: str, codes: str) -> dict[str, Any]:
    """Without codes: where there is one at all."""
    told = {"codes": codes} if codes else {"test": "given"}
    return {"side": "when", "dimension": dimension, **told}


def _then(dimension: str, what: str) -> dict[str, Any]:
    told = {"test": what} if what in ("given", "not_given") else {"codes": what}
    return {"side": "then", "dimension": dimension, **told}
