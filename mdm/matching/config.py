"""Configuration: which fields of a record type feed which evidence, what kind of thing it is, and its hard rules."""

from dataclasses import dataclass
from typing import Any

from mdm.matching.model import COMPANY, KINDS

# Hard rules, switchable one by one per record type.
TAX_ID_CONFLICT = "tax_id_conflict"  # two valid, different tax ids of one country: never linked by itself
NUMBER_CONFLICT = "number_conflict"  # Fund II and Fund IV: never linked by itself
SHARED_BANK = "shared_bank_account"  # one account under different names: a warning, no evidence of identity
OTHER_NAME = "other_name"  # an identifier agrees, the names do not: never linked by itself
SIBLING = "sibling"  # a relative of the same group, another legal entity: never linked by itself
ALL_RULES = frozenset({TAX_ID_CONFLICT, NUMBER_CONFLICT, OTHER_NAME, SHARED_BANK, SIBLING})


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
    rules: frozenset[str] = ALL_RULES
    kind: str = COMPANY  # which shipped model an empty system begins with

    def __post_init__(self) -> None:
        unknown = self.rules - ALL_RULES
        if unknown:
            raise ValueError(f"unknown matching rules: {', '.join(sorted(unknown))}")
        if self.kind not in KINDS:
            raise ValueError(f"matching knows no kind {self.kind!r}: {', '.join(KINDS)}")


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
