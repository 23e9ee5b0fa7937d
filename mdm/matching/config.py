"""Configuration: which fields of a record type feed which evidence; its weights, thresholds and rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mdm.matching.weights import BASE, WEIGHTS, WEIGHTS_VERSION

# Hard rules, switchable one by one per record type.
TAX_ID_CONFLICT = "tax_id_conflict"  # two valid, different tax ids of one country: never linked by itself
NUMBER_CONFLICT = "number_conflict"  # Fund II and Fund IV: never linked by itself
SHARED_BANK = "shared_bank_account"  # one account under different names: a warning, no evidence of identity
SIBLING = "sibling"  # a relative of the same group, another legal entity: never linked by itself
ALL_RULES = frozenset({TAX_ID_CONFLICT, NUMBER_CONFLICT, SHARED_BANK, SIBLING})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Score (log-odds) from which a pair is looked at by a person, and from which it is linked unasked.

    The confirmed ones hold once a person has confirmed something about either record.
    """

    review: float = 0.0
    link: float = 4.0
    confirmed_review: float = 1.0
    confirmed_link: float = 6.0


@dataclass(frozen=True, slots=True)
class AddressFields:
    items: str  # path of the list, or of one object
    lines: str = "lines"
    postcode: str = "postal_code"
    city: str = "city"
    country: str = "country"


@dataclass(frozen=True, slots=True)
class IdentifierFields:
    items: str
    value: str = "value"
    scheme: str = "scheme"
    country: str = "country"


@dataclass(frozen=True, slots=True)
class MatchConfig:
    """Everything the engine must know about a record type. Paths: `a.b`, and `list[].b` for every element."""

    record_type: str
    name: str
    aliases: tuple[str, ...] = ()
    country: str = ""
    legal_form: str = ""
    addresses: AddressFields | None = None
    tax_ids: IdentifierFields | None = None
    identifiers: IdentifierFields | None = None
    banks: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    websites: tuple[str, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    rules: frozenset[str] = ALL_RULES
    base: float = BASE
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: WEIGHTS)
    weights_version: str = WEIGHTS_VERSION

    def __post_init__(self) -> None:
        unknown = self.rules - ALL_RULES
        if unknown:
            raise ValueError(f"unknown matching rules: {', '.join(sorted(unknown))}")
        if self.thresholds.link < self.thresholds.review:
            raise ValueError("the link threshold lies below the review threshold")


def collect(document: Any, path: str) -> list[Any]:
    """All non-empty values at a path of a document; a missing step is simply no value."""
    if not path:
        return []
    found = [document]
    for step in path.split("."):
        many = step.endswith("[]")
        key = step[:-2] if many else step
        values = [item.get(key) for item in found if isinstance(item, dict)]
        found = [v for value in values for v in (value or ())] if many else [v for v in values if v]
    return [value for value in found if value]
