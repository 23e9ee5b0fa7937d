"""The demo's own dimensions: the invented Nordhaven group's companies, centers, accounts and terms; real VAT rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from dimensions.demo import charts, coding_rules, rates
from dimensions.models import CostCenter
from mdm import registry
from mdm.demo import clock
from mdm.services import changes
from mdm.services.changes import ProposedItem
from mdm.types import Actor

ENTITIES = (
    ("NH01", "Nordhaven Holding AG", "DE", "EUR", "Hamburg"),
    ("NH10", "Nordhaven Deutschland GmbH", "DE", "EUR", "Bremen"),
    ("NH20", "Nordhaven France SAS", "FR", "EUR", "Lyon"),
    ("NH30", "Nordhaven UK Ltd", "GB", "GBP", "Leeds"),
    ("NH40", "Nordhaven Iberia SL", "ES", "EUR", "Valencia"),
    ("NH90", "Nordhaven Americas Inc.", "US", "USD", "Chicago"),
)
TERMS = (
    ("IMMEDIATE", "Due on receipt", 0, None, None),
    ("NET10", "10 days net", 10, None, None),
    ("NET14", "14 days net", 14, None, None),
    ("NET15", "15 days net", 15, None, None),
    ("NET30", "30 days net", 30, None, None),
    ("NET45", "45 days net", 45, None, None),
    ("NET60", "60 days net", 60, None, None),
    ("NET90", "90 days net", 90, None, None),
    ("2N10NET30", "2 % in 10 days, 30 days net", 30, 10, "2.00"),
)


PROFIT_CENTERS = (
    ("PC-PUMPS", "Pumps and compressors", "Industry"),
    ("PC-HARBOUR", "Harbour services", "Services"),
    ("PC-CORP", "Corporate", "Group"),
)
COST_CENTERS = (  # code, name, entity, category, responsible, profit center
    ("DE-1000", "Management", "NH10", "management", "Hanna Voss", "PC-CORP"),
    ("DE-2100", "Foundry", "NH10", "production", "Jan Petersen", "PC-PUMPS"),
    ("DE-2200", "Assembly", "NH10", "production", "Ida Beck", "PC-PUMPS"),
    ("DE-3100", "Warehouse Bremen", "NH10", "logistics", "Tomas Reuter", "PC-HARBOUR"),
    ("DE-4100", "Purchasing", "NH10", "administration", "Lena Krug", "PC-CORP"),
    ("FR-1000", "Direction", "NH20", "management", "Claire Moreau", "PC-CORP"),
    ("FR-3100", "Entrepôt Lyon", "NH20", "logistics", "Paul Girard", "PC-HARBOUR"),
    ("FR-5100", "Ventes", "NH20", "sales", "Amélie Roux", "PC-PUMPS"),
    ("GB-1000", "Management", "NH30", "management", "Owen Price", "PC-CORP"),
    ("GB-3100", "Warehouse Leeds", "NH30", "logistics", "Ruth Harker", "PC-HARBOUR"),
)
PROJECTS = (
    ("P-QUAY7", "Quay 7 renewal", "NH10", "released", "Jan Petersen", "PC-HARBOUR", "2026-02-01", "2027-07-01"),
    ("P-ERP", "New ERP", "NH10", "planned", "Hanna Voss", "PC-CORP", "2027-01-01", None),
)
DIMENSIONS = (
    (
        "REGION",
        "Sales region",
        (("NORTH", "Northern Europe"), ("CENTRAL", "Central Europe"), ("SOUTH", "Southern Europe")),
    ),
    ("CHANNEL", "Sales channel", (("DIRECT", "Direct"), ("DEALER", "Dealers"))),
)


def load(say: Callable[[str], None]) -> None:
    clock.at(21, 9)
    made = [
        _make("Companies and payment terms of the demo", [*_entities(), *_terms()]),
        _make("Charts and centers of the demo", [*_profit_centers(), *charts.charts(), *_dimensions()]),
        _make("Cost centers, accounts, projects and tax codes of the demo",
              [*_cost_centers(), *charts.accounts(), *_projects(), *(("tax_code", found) for found in rates.tax_codes()),
               *_dimension_values()]),
        _make("Mappings and coding rules of the demo",
              [*charts.mappings(), *charts.tax_mappings(), *coding_rules.rules()]),
    ]  # fmt: skip
    charts.put_in_use()
    _plan()
    say(f"companies, terms, centers, accounts, mappings, rules, projects and tax codes: {sum(made)} new")


BY = Actor.system("Demo set-up")
Found = tuple[str, dict[str, Any]]


def _make(title: str, wanted: list[Found]) -> int:
    have = {
        (key, code)
        for key in {key for key, _ in wanted}
        for code in registry.get(key).model._default_manager.values_list("code", flat=True)
    }
    new = [(key, patch) for key, patch in wanted if (key, patch["code"]) not in have]
    if new:
        items = [ProposedItem(type=key, action="create", patch=patch) for key, patch in new]
        changes.propose(items=items, by=BY, origin="system", title=title)
    return len(new)


def _entities() -> Iterator[Found]:
    for code, name, country, currency, city in ENTITIES:
        yield "legal_entity", {"code": code, "name": name, "country": country, "currency": currency, "city": city}


def _terms() -> Iterator[Found]:
    for code, name, days, early, percent in TERMS:
        patch = {"code": code, "name": name, "net_days": days, "discount_days": early, "discount_percent": percent}
        yield "payment_term", patch


def _profit_centers() -> Iterator[Found]:
    for code, name, segment in PROFIT_CENTERS:
        yield "profit_center", {"code": code, "name": name, "segment": segment}


def _cost_centers() -> Iterator[Found]:
    for code, name, entity, category, responsible, profit_center in COST_CENTERS:
        yield "cost_center", {
            "code": code, "name": name, "legal_entity": entity, "category": category, "responsible": responsible,
            "profit_center": profit_center, "valid_from": "2019-01-01",
        }  # fmt: skip


def _dimensions() -> Iterator[Found]:
    for code, name, _ in DIMENSIONS:
        yield "dimension", {"code": code, "name": name}


def _dimension_values() -> Iterator[Found]:
    for dimension, _, values in DIMENSIONS:
        for value, name in values:
            patch = {"code": f"{dimension}/{value}", "dimension": dimension, "value": value, "name": name}
            yield "dimension_value", patch


def _projects() -> Iterator[Found]:
    for code, name, entity, stage, responsible, profit_center, start, end in PROJECTS:
        yield "project", {
            "code": code, "name": name, "legal_entity": entity, "stage": stage, "responsible": responsible,
            "profit_center": profit_center, "valid_from": start, "valid_to": end,
        }  # fmt: skip


def _plan() -> None:
    """One cost center with a past and a plan: renamed once, given to somebody else next year."""
    row = CostCenter.objects.get(code="DE-3100")
    if row.version > 1:
        return
    next_year = f"{date.today().year + 1}-01-01"
    for patch in (
        {"name": "Logistics Bremen", "valid_from": "2023-01-01"},
        {"responsible": "Sofia Lund", "profit_center": "PC-CORP", "valid_from": next_year},
    ):
        item = ProposedItem(type="cost_center", uid=str(row.uid), patch=patch)
        changes.propose(items=[item], by=BY, origin="system", reason="Reorganisation of logistics")
