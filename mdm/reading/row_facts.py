"""What a row says about itself and not about the record: that it was deleted there, and what is spent with it a year.

Columns are mapped to these like to paths of the document; none of it becomes part of the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from mdm.reading.spec import Spec
from mdm.reading.values import CASTS, BadValue, to_decimal
from mdm.registry import RecordType
from mdm.types import Problem

GONE = "_deleted"
SPEND = "_annual_spend"
CURRENCY = "_spend_currency"
_MOST = Decimal(10) ** 15


@dataclass(frozen=True)
class Spend:
    """Money a year; `currency` "" is the hub's own."""

    amount: Decimal
    currency: str


def paths(kind: RecordType) -> tuple[str, ...]:
    """What a column of this record type may be mapped to beside the paths of its document."""
    return (GONE, SPEND, CURRENCY) if kind.spends else (GONE,)


class RowFacts:
    """The columns of one mapping that feed such facts."""

    def __init__(self, spec: Spec, kind: RecordType) -> None:
        known = paths(kind)
        self._columns: dict[str, tuple[str, ...]] = {
            path: tuple(name for name, text in spec.get("columns", {}).items() if text == path) for path in known
        }
        self._currency = str(spec.get("const", {}).get(CURRENCY) or "").strip().upper()

    def is_gone(self, values: Mapping[str, str]) -> bool:
        """Whether the row is marked as deleted at its system: a yes in any of its columns.

        What is neither yes nor no counts as yes: platforms write a date or a letter of their own there.
        """
        for name in self._columns[GONE]:
            if raw := (values.get(name) or "").strip():
                try:
                    if CASTS[bool](raw):
                        return True
                except BadValue:
                    return True
        return False

    def spend(self, values: Mapping[str, str]) -> tuple[Spend | None, list[Problem]]:
        """What the row says is spent a year, if anything; columns of one row are added up."""
        texts = [(name, raw) for name in self._columns.get(SPEND, ()) if (raw := (values.get(name) or "").strip())]
        currency = next((raw for name in self._columns.get(CURRENCY, ()) if (raw := values.get(name) or "")), "")
        currency = currency.strip().upper() or self._currency
        problems, total = [], Decimal(0)
        for name, raw in texts:
            try:
                total += to_decimal(raw)
            except BadValue as error:
                problems.append(Problem(SPEND, error.code, f"“{raw[:60]}” in column “{name}” {error}"))
        if texts and not problems and abs(total) > _MOST:
            problems.append(Problem(SPEND, "invalid_number", "More is spent than there is: check the number."))
        if texts and currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
            words = f"“{currency[:20]}” is no currency such as EUR."
            problems.append(Problem(CURRENCY, "invalid_currency", words))
        return (None if problems or not texts else Spend(total.quantize(Decimal("0.01")), currency)), problems
