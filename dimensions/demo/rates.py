"""Real VAT rates (demo/data/README.md) as tax codes: one per country, a period for each rate it has had."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from mdm import periods
from mdm.documents import COUNTRIES
from mdm.types import Document

FILE = Path(__file__).parent / "data" / "vat_rates.csv"


def tax_codes() -> Iterator[Document]:
    """Documents of input VAT at the standard rate; a country whose rates contradict one another is left out."""
    rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    with FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for country in set(row["territory_codes"].split()) & COUNTRIES:
                if row["rate_type"] == "standard":
                    rows[country].append(_period(country, row))
    for country, found in sorted(rows.items()):
        if not periods.problems(found, "slices"):
            yield {"code": f"{country}-V-STD", "country": country, "kind": "input", "slices": found}


def _period(country: str, row: dict[str, str]) -> dict[str, Any]:
    return {
        "name": f"Input VAT {country}, standard rate",
        "rate": f"{(Decimal(row['rate']) * 100).normalize():f}",
        "deductible": "100",
        "valid_from": row["start_date"] or None,
        "valid_to": row["stop_date"] or None,
    }
