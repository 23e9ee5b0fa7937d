"""Money spent a year with records, as their source records say: added up, told in few words, worth what in one currency.

It orders the duplicates queue and is part of no record: nobody approves it, no version holds it, nothing is sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from django.conf import settings
from django.db.models import Sum

from mdm.models import SourceRecord
from mdm.registry import RecordType

Amounts = Mapping[str, Decimal]  # currency -> amount
_STEPS = ((Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "m"), (Decimal(1000), "k"))


def of(kind: RecordType, uids: Iterable[str]) -> dict[str, dict[str, Decimal]]:
    """{uid: {currency: spent a year}} of what systems that still have it say; one query, none where nobody says it."""
    found: dict[str, dict[str, Decimal]] = defaultdict(dict)
    if not kind.spends:
        return found
    rows = SourceRecord.objects.filter(type=kind.key, golden_uid__in=list(uids), active=True, spend__isnull=False)
    sums = rows.order_by().values_list("golden_uid", "spend_currency").annotate(total=Sum("spend"))
    for uid, currency, total in sums:
        own = found[str(uid)]
        code = currency or settings.SPEND_CURRENCY
        own[code] = own.get(code, Decimal(0)) + total
    return found


def added(many: Iterable[Amounts]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for one in many:
        for currency, amount in one.items():
            total[currency] += amount
    return dict(total)


def worth(amounts: Amounts) -> float:
    """In the hub's currency; amounts without a rate count nothing."""
    return sum(float(amount) * (_rate(currency) or 0.0) for currency, amount in amounts.items())


def _rate(currency: str) -> float | None:
    return 1.0 if currency == settings.SPEND_CURRENCY else settings.SPEND_RATES.get(currency)


def in_short(amounts: Amounts) -> str:
    """“spend 1.2 m EUR”, as far as it can be told in the hub's currency; else as it was said."""
    if not amounts:
        return ""
    if any(_rate(currency) for currency in amounts):
        return f"spend {_money(Decimal(worth(amounts)), settings.SPEND_CURRENCY)}"
    return "spend " + " + ".join(_money(amount, currency) for currency, amount in sorted(amounts.items()))


def in_words(amounts: Amounts) -> list[str]:
    """Each currency, saying which ones rank nothing."""
    return [
        f"spend a year: {_money(amount, currency)}" + ("" if _rate(currency) else " (no rate is set: not counted)")
        for currency, amount in sorted(amounts.items())
    ]


def _money(amount: Decimal, currency: str) -> str:
    for least, word in _STEPS:
        if abs(amount) >= least:
            return f"{float(amount / least):.3g} {word} {currency}"
    return f"{amount:.0f} {currency}"
