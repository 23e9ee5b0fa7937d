"""The demo's own companies (the invented Nordhaven group) and payment terms."""

from __future__ import annotations

from collections.abc import Callable

from dimensions.models import LegalEntity, PaymentTerm
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


def load(say: Callable[[str], None]) -> None:
    by = Actor.system("Demo set-up")
    have = set(LegalEntity.objects.values_list("code", flat=True)) | set(
        PaymentTerm.objects.values_list("code", flat=True)
    )
    items = [
        ProposedItem(
            type="legal_entity",
            action="create",
            patch={"code": code, "name": name, "country": country, "currency": currency, "city": city},
        )
        for code, name, country, currency, city in ENTITIES
        if code not in have
    ]
    items += [
        ProposedItem(
            type="payment_term",
            action="create",
            patch={
                "code": code,
                "name": name,
                "net_days": days,
                "discount_days": early,
                "discount_percent": percent,
            },
        )
        for code, name, days, early, percent in TERMS
        if code not in have
    ]
    if items:
        clock.at(21, 9)
        changes.propose(items=items, by=by, origin="system", title="Companies and payment terms of the demo")
    say(f"legal entities: {len(ENTITIES)}, payment terms: {len(TERMS)}")
