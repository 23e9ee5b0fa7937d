"""The demo's charts of accounts: the group's own, a German and a French one after the public numbering of SKR 04 and the
plan comptable général (classes and numbers only, every name is ours), and what the group's accounts become in each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from dimensions.models import ChartUse
from mdm.models import System

Found = tuple[str, dict[str, Any]]
GROUP, GERMAN, FRENCH = "NH-GROUP", "NH-DE", "NH-FR"
CHARTS = (
    {"code": GROUP, "name": "Chart of the Nordhaven group", "currency": "EUR"},
    {"code": GERMAN, "name": "Kontenplan Deutschland", "country": "DE", "currency": "EUR"},
    {"code": FRENCH, "name": "Plan comptable France", "country": "FR", "currency": "EUR"},
)
_MATERIALS, _OTHER, _TAXES = "Cost of materials", "Other operating expenses", "Taxes"
ACCOUNTS = {  # number, name, kind, group, open items, subledger
    GROUP: (
        ("140000", "Trade receivables", "asset", "Receivables", True, "customers"),
        ("160000", "Trade payables", "liability", "Payables", True, "suppliers"),
        ("154000", "Input VAT", "asset", _TAXES, False, None),
        ("400000", "Raw materials", "expense", _MATERIALS, False, None),
        ("401000", "Purchased parts", "expense", _MATERIALS, False, None),
        ("410000", "Freight in", "expense", _MATERIALS, False, None),
        ("470000", "Travel", "expense", _OTHER, False, None),
        ("471000", "Hotels and meals", "expense", _OTHER, False, None),
        ("480000", "Rent and leases", "expense", _OTHER, False, None),
        ("490000", "Telephone and internet", "expense", _OTHER, False, None),
        ("491000", "Audit and legal advice", "expense", _OTHER, False, None),
        ("800000", "Revenue from goods", "revenue", "Revenue", False, None),
        ("830000", "Revenue from services", "revenue", "Revenue", False, None),
        ("870000", "Rebates granted", "revenue", "Revenue", False, None),
    ),
    GERMAN: (
        ("1200", "Forderungen aus Lieferungen und Leistungen", "asset", "Forderungen", True, "customers"),
        ("1406", "Abziehbare Vorsteuer", "asset", "Steuern", False, None),
        ("3300", "Verbindlichkeiten aus Lieferungen und Leistungen", "liability", "Schulden", True, "suppliers"),
        ("4125", "Steuerfreie Lieferungen in die EU", "revenue", "Umsatz", False, None),
        ("4400", "Umsatz mit Waren", "revenue", "Umsatz", False, None),
        ("4410", "Umsatz mit Diensten", "revenue", "Umsatz", False, None),
        ("4720", "Gewährte Nachlässe", "revenue", "Umsatz", False, None),
        ("5100", "Einkauf von Roh- und Hilfsstoffen", "expense", "Material", False, None),
        ("5800", "Bezugskosten", "expense", "Material", False, None),
        ("6310", "Miete", "expense", "Sonstige Aufwendungen", False, None),
        ("6650", "Reisekosten", "expense", "Sonstige Aufwendungen", False, None),
        ("6660", "Übernachtung und Verpflegung", "expense", "Sonstige Aufwendungen", False, None),
        ("6805", "Telefon und Internet", "expense", "Sonstige Aufwendungen", False, None),
        ("6825", "Rechts- und Beratungskosten", "expense", "Sonstige Aufwendungen", False, None),
    ),
    FRENCH: (
        ("231000", "Immobilisations en cours", "asset", "Immobilisations", False, None),
        ("401000", "Fournisseurs", "liability", "Tiers", True, "suppliers"),
        ("411000", "Clients", "asset", "Tiers", True, "customers"),
        ("445660", "TVA déductible", "asset", "Tiers", False, None),
        ("601000", "Achats de matières", "expense", "Achats", False, None),
        ("613200", "Locations", "expense", "Services extérieurs", False, None),
        ("622600", "Honoraires", "expense", "Services extérieurs", False, None),
        ("624100", "Transports sur achats", "expense", "Services extérieurs", False, None),
        ("625100", "Voyages et déplacements", "expense", "Services extérieurs", False, None),
        ("626000", "Téléphone et internet", "expense", "Services extérieurs", False, None),
        ("701000", "Ventes de produits", "revenue", "Ventes", False, None),
        ("706000", "Prestations de services", "revenue", "Ventes", False, None),
        ("709000", "Rabais accordés", "expense", "Ventes", False, None),
    ),
}
_NEXT_YEAR = f"{date.today().year + 1}-01-01"
MAPPINGS: dict[str, tuple[dict[str, Any], ...]] = {  # 490000 and 491000 are left open: somebody has to map them
    GERMAN: (
        {"name": "Receivables", "kind": "explicit", "source": "140000", "target": "1200"},
        {"name": "Payables", "kind": "explicit", "source": "160000", "target": "3300"},
        {"name": "Input VAT", "kind": "explicit", "source": "154000", "target": "1406"},
        {"name": "Materials", "kind": "between", "source": "400000..409999", "target": "5100"},
        {"name": "Freight", "kind": "explicit", "source": "410000", "target": "5800"},
        {"name": "Travel", "kind": "like", "source": "47*", "target": "6650"},
        {"name": "Hotels by themselves", "kind": "explicit", "source": "471000", "target": "6660",
         "valid_from": _NEXT_YEAR, "note": "Tax advisers want meals apart from next year on."},
        {"name": "Rent", "kind": "in", "source": "480000, 481000", "target": "6310"},
        {"name": "Goods", "kind": "explicit", "source": "800000", "target": "4400"},
        {"name": "Goods delivered to the EU", "kind": "explicit", "source": "800000", "target": "4125",
         "conditions": [{"dimension": "tax_code", "codes": "EU-*"}]},
        {"name": "Services", "kind": "explicit", "source": "830000", "target": "4410"},
        {"name": "Rebates", "kind": "explicit", "source": "870000", "target": "4720"},
    ),
    FRENCH: (
        {"name": "Clients", "kind": "explicit", "source": "140000", "target": "411000"},
        {"name": "Suppliers", "kind": "explicit", "source": "160000", "target": "401000"},
        {"name": "Input VAT", "kind": "explicit", "source": "154000", "target": "445660"},
        {"name": "Materials", "kind": "between", "source": "400000..409999", "target": "601000"},
        {"name": "Freight", "kind": "explicit", "source": "410000", "target": "624100"},
        {"name": "Travel", "kind": "between", "source": "470000..479999", "target": "625100"},
        {"name": "Whatever else is built for the quay", "kind": "multi", "target": "231000",
         "conditions": [{"dimension": "project", "codes": "P-QUAY*"}]},
        {"name": "Rent", "kind": "explicit", "source": "480000", "target": "613200"},
        {"name": "Sales", "kind": "explicit", "source": "800000", "target": "701000"},
        {"name": "Services", "kind": "explicit", "source": "830000", "target": "706000"},
        {"name": "Rebates are an expense here", "kind": "explicit", "source": "870000", "target": "709000",
         "flip": True},
    ),
}  # fmt: skip


IN_USE = (  # system, company, chart: the ERP books in the charts of the countries, everybody else in the group's
    ("", "", GROUP),
    ("s4hana", "NH01", GERMAN),
    ("s4hana", "NH10", GERMAN),
    ("s4hana", "NH20", FRENCH),
)


def put_in_use() -> None:
    """What a governance lead said already stays."""
    for system, entity, chart in IN_USE:
        ChartUse.objects.get_or_create(system=system, legal_entity=entity, defaults={"chart": chart})


def charts() -> Iterator[Found]:
    for chart in CHARTS:
        yield "chart_of_accounts", dict(chart)


def accounts() -> Iterator[Found]:
    for chart, listed in ACCOUNTS.items():
        for number, name, kind, group, open_items, subledger in listed:
            yield "gl_account", {
                "code": f"{chart}/{number}", "chart": chart, "number": number, "name": name, "kind": kind,
                "group": group, "open_items": open_items, "reconciliation": subledger,
            }  # fmt: skip


def mappings() -> Iterator[Found]:
    for chart, rows in MAPPINGS.items():
        for number, row in enumerate(rows, 1):
            yield "gl_mapping", {"code": f"{chart}-{number}", "source_chart": GROUP, "target_chart": chart, **row}


TAX_CODES = {  # what input VAT at the standard rate is called at a platform
    "s4hana": (("DE-V-STD", "V1"), ("FR-V-STD", "F1"), ("GB-V-STD", "G1")),
    "coupa": (("DE-V-STD", "DE19"), ("FR-V-STD", "FR20"), ("GB-V-STD", "GB20")),
}


def tax_mappings() -> Iterator[Found]:
    """Of the platforms that are there."""
    there = System.objects.filter(code__in=TAX_CODES).values_list("code", flat=True)
    for system in there:
        for source, target in TAX_CODES[system]:
            values = {"name": f"Input VAT {source[:2]}", "kind": "explicit", "source": source, "target": target}
            yield "tax_code_mapping", {"code": f"{system}-{source}", "system": system, **values}
