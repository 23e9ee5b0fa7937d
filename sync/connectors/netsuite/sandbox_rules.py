"""Owns what the sandbox of NetSuite knows about its records: fields, what it refuses, what it derives.

After docs.oracle.com NetSuite help, “Vendor”, “Term”, “Subsidiary”, “Department”, “Class” (REST web services) and
“Account” (SOAP schema), names as README.md says,
and for the form of a refusal “Error Handling in REST Web Services”. Which words a rule is refused with is the sandbox's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sync import flat
from sync.sandbox import Fail

TEXT, FLAG, NUMBER, REFERENCE, ENUM, SEVERAL = "string", "boolean", "number", "reference", "enum", "references"
LINE = "line"
COUNTRIES = {"AT": "Austria", "BE": "Belgium", "CA": "Canada", "CH": "Switzerland", "CZ": "Czech Republic"}
COUNTRIES |= {"DE": "Germany", "ES": "Spain", "FR": "France", "GB": "United Kingdom", "IE": "Ireland", "IT": "Italy"}
COUNTRIES |= {
    "NL": "Netherlands",
    "PL": "Poland",
    "PT": "Portugal",
    "US": "United States",
    "BR": "Brazil",
    "DK": "Denmark",
}
COUNTRIES |= {"SE": "Sweden", "NO": "Norway", "HU": "Hungary", "RO": "Romania", "BG": "Bulgaria", "FI": "Finland"}
ADDRESS = {
    "addr1": TEXT,
    "addr2": TEXT,
    "addr3": TEXT,
    "addressee": TEXT,
    "addrPhone": TEXT,
    "attention": TEXT,
    "city": TEXT,
    "state": TEXT,
    "zip": TEXT,
    "country.id": ENUM,
}
LENGTHS = {"entityId": 83, "companyName": 83, "legalName": 83, "email": 254, "addr1": 150, "addr2": 150, "addr3": 150}
LENGTHS |= {"city": 50, "zip": 36, "name": 83, "acctName": 60, "acctNumber": 60}
ACCOUNT_TYPES = (
    *("Bank", "AcctRec", "OthCurrAsset", "FixedAsset", "OthAsset", "AcctPay", "CredCard", "OthCurrLiab"),
    *("LongTermLiab", "Equity", "Income", "COGS", "Expense", "OthIncome", "OthExpense", "Stat"),
)

# The words of the example in “Error Handling in REST Web Services”.
INVALID = "Error while accessing resource: You have entered an Invalid Field Value {} for the following field: {}"


@dataclass(frozen=True)
class Record:
    """Flat field -> what it takes; `refers` says to which type a reference goes, "" to a list kept here."""

    type: str
    fields: Mapping[str, str]
    required: tuple[str, ...]
    unique: str
    refers: Mapping[str, str]
    sublists: Mapping[str, Mapping[str, str]]
    made: tuple[str, ...] = ()


RECORDS = {
    "vendor": Record(
        "supplier",
        {
            "entityId": TEXT,
            "companyName": TEXT,
            "legalName": TEXT,
            "externalId": TEXT,
            "email": TEXT,
            "phone": TEXT,
            "url": TEXT,
            "taxIdNum": TEXT,
            "comments": TEXT,
            "isPerson": FLAG,
            "isInactive": FLAG,
            "terms.id": REFERENCE,
            "currency.id": REFERENCE,
            "subsidiary.id": REFERENCE,
            "category.id": REFERENCE,
            "incoterm.id": REFERENCE,
        },
        ("companyName", "subsidiary.id"),
        "entityId",
        {"terms.id": "payment_term", "currency.id": "currency", "subsidiary.id": "legal_entity"},
        {
            "addressBook": {
                "label": TEXT,
                "defaultBilling": FLAG,
                "defaultShipping": FLAG,
                **{f"addressBookAddress.{name}": kind for name, kind in ADDRESS.items()},
            },
            "taxRegistration": {"nexusCountry.id": ENUM, "taxRegistrationNumber": TEXT},
        },
        ("id", "dateCreated", "lastModifiedDate", "balance"),
    ),
    "term": Record(
        "payment_term",
        {
            "name": TEXT,
            "externalId": TEXT,
            "dateDriven": FLAG,
            "isInactive": FLAG,
            "preferred": FLAG,
            "daysUntilNetDue": NUMBER,
            "discountPercent": NUMBER,
            "daysUntilExpiry": NUMBER,
            "dayOfMonthNetDue": NUMBER,
            "dueNextMonthIfWithinDays": NUMBER,
        },
        ("name",),
        "name",
        {},
        {},
        ("id",),
    ),
    "subsidiary": Record(
        "legal_entity",
        {
            "name": TEXT,
            "legalName": TEXT,
            "externalId": TEXT,
            "email": TEXT,
            "url": TEXT,
            "isInactive": FLAG,
            "isElimination": FLAG,
            "parent.id": REFERENCE,
            "currency.id": REFERENCE,
            "country.id": ENUM,
            **{f"mainAddress.{name}": kind for name, kind in ADDRESS.items()},
        },
        ("name", "currency.id", "country.id"),
        "name",
        {"parent.id": "legal_entity", "currency.id": "currency"},
        {},
        ("id", "fullName", "lastModifiedDate"),
    ),
}
_CLASSIFICATION = {  # the fields of a department and of a class are the same
    "name": TEXT,
    "externalId": TEXT,
    "isInactive": FLAG,
    "includeChildren": FLAG,
    "parent.id": REFERENCE,
    "subsidiary.items": SEVERAL,
}
RECORDS |= {
    record: Record(
        type, _CLASSIFICATION, ("name",), "name", {"parent.id": type, "subsidiary.items": "legal_entity"}, {}, ("id",)
    )
    for record, type in (("department", "cost_center"), ("classification", "profit_center"))
}
RECORDS["account"] = Record(
    "gl_account",
    {
        "acctNumber": TEXT,
        "acctName": TEXT,
        "acctType.id": ENUM,
        "externalId": TEXT,
        "description": TEXT,
        "isInactive": FLAG,
        "isSummary": FLAG,
        "includeChildren": FLAG,
        "currency.id": REFERENCE,
        "parent.id": REFERENCE,
        "subsidiary.items": SEVERAL,
    },
    ("acctName", "acctType.id"),
    "acctNumber",
    {"currency.id": "currency", "parent.id": "gl_account", "subsidiary.items": "legal_entity"},
    {},
    ("id",),
)
FIXED = {"subsidiary": ("currency.id", "country.id"), "vendor": ("subsidiary.id",)}  # once the record exists
Exists = Callable[[str, str], bool]  # type, internal id


class Complaints(Fail):
    """Everything wrong with a body: (place in it, words)."""

    def __init__(self, found: list[tuple[str, str]], code: str = "INVALID_CONTENT") -> None:
        super().__init__(400, found[0][1], code=code, field=found[0][0])
        self.found = found


def accept(record: str, body: Mapping[str, Any], *, suitetax: bool, strict: bool) -> dict[str, Any]:
    """The flat fields of a request body, sublists apart. `strict`: an unknown name is refused, else passed over."""
    known, wrong = RECORDS[record], []
    found: dict[str, Any] = {}
    for given, value in body.items():
        name = spelled(given, (*known.fields, *known.sublists, *known.made))
        if name in known.sublists and (name != "taxRegistration" or suitetax):
            continue
        spread = _spread(name, value, known.fields)
        if name in known.made or spread is None:
            wrong.append((name, f"Unknown or read-only property: {name}."))
            continue
        found.update(spread)
    if wrong and strict:
        raise Complaints(wrong)
    return found


def lines(record: str, sublist: str, body: Mapping[str, Any], *, strict: bool) -> list[dict[str, Any]]:
    """The lines a body gives for a sublist, flat, with their `id` when they name one."""
    known, wrong, found = RECORDS[record].sublists[sublist], [], []
    held = body[sublist]
    items = held.get("items") if isinstance(held, Mapping) else None
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise Complaints([(sublist, f"The sublist {sublist} needs an array of items.")])
    for place, item in enumerate(items):
        line: dict[str, Any] = {}
        for given, value in item.items():
            name = spelled(given, known)
            spread = {"id": str(value)} if name in ("id", "internalId") else _spread(name, value, known)
            if spread is None:
                wrong.append((f"{sublist}.items[{place}].{name}", f"Unknown or read-only property: {name}."))
            else:
                line.update(spread)
        found.append(line)
    if wrong and strict:
        raise Complaints(wrong)
    return found


def typed(kinds: Mapping[str, str], fields: Mapping[str, Any], *, strict: bool, at: str = "") -> dict[str, Any]:
    """Values of the right JSON type; else refused, or passed over when the value validation is not `Error`."""
    wrong, found = [], {}
    for name, value in fields.items():
        kind = kinds.get(name, TEXT)
        if kind == SEVERAL and isinstance(value, list):
            value = ",".join(sorted(str(one.get("id")) for one in value if isinstance(one, Mapping)))
        fits = {FLAG: isinstance(value, bool), NUMBER: isinstance(value, int | float) and not isinstance(value, bool)}
        if value is not None and not fits.get(kind, isinstance(value, str | int) and not isinstance(value, bool)):
            wrong.append(
                (at + name.removesuffix(".id"), f"Invalid value {value!r} for the property {name}: {kind} is needed.")
            )
            continue
        found[name] = str(value) if kind in (TEXT, REFERENCE, ENUM) and value is not None else value
    if wrong and strict:
        raise Complaints(wrong)
    return found


def complaints(record: str, fields: Mapping[str, Any], exists: Exists) -> list[tuple[str, str]]:
    """What is wrong with one record as it would be stored."""
    known = RECORDS[record]
    found = [
        (name.removesuffix(".id"), f"Please enter value(s) for: {name.removesuffix('.id')}.")
        for name in known.required
        if not str(fields.get(name) or "").strip()
    ]
    for name, type in known.refers.items():
        shown = name.removesuffix(".id").removesuffix(".items")
        for value in str(fields.get(name) or "").split(","):
            if value and not exists(type, value):
                found.append((shown, INVALID.format(value, shown)))
    if (kind := fields.get("acctType.id")) and kind not in ACCOUNT_TYPES:
        found.append(("acctType", INVALID.format(kind, "acctType")))
    for name, value in fields.items():
        leaf = flat.split_name(name)[2].removeprefix("addressBookAddress.").removeprefix("mainAddress.")
        longest = LENGTHS.get(leaf, 4000)
        if isinstance(value, str) and len(value) > longest:
            words = f"The field {leaf} contained more than the maximum number ( {longest} ) of characters allowed."
            found.append((name, words))
        if leaf in ("country.id", "nexusCountry.id") and value and value not in COUNTRIES:
            found.append((name.removesuffix(".id"), INVALID.format(value, "country")))
    phone = str(fields.get("phone") or "")
    if phone and sum(mark.isdigit() for mark in phone) < 7:
        found.append(("phone", "Phone number should have seven digits or more."))
    if fields.get("email") and "@" not in str(fields["email"]):
        found.append(("email", "Invalid email address."))
    return found


def fixed(record: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name.removesuffix(".id"), f"{name.removesuffix('.id')} cannot be changed after the record has been created.")
        for name in FIXED.get(record, ())
        if before.get(name) and after.get(name) != before[name]
    ]


def properties(record: str, *, suitetax: bool) -> dict[str, Any]:
    """The record's part of the metadata catalog, as JSON schema."""
    known = RECORDS[record]
    found: dict[str, Any] = {"id": {"title": "Internal ID", "type": "string", "nullable": True}}
    for name in [*known.fields, *known.made]:
        top, _, leaf = name.partition(".")
        if leaf:
            found[top] = (
                {"type": "object", "properties": {"items": {"type": "array"}}}
                if leaf == "items"
                else {"type": "object", "properties": {"id": {"type": "string"}, "refName": {"type": "string"}}}
            )
        else:
            found[top] = {"type": known.fields.get(name, TEXT), "nullable": True}
    for name in known.sublists:
        if name != "taxRegistration" or suitetax:
            found[name] = {"type": "object", "properties": {"items": {"type": "array"}}}
    return found


def spelled(name: str, known: Iterable[str]) -> str:
    """The known spelling of a property: the help's own examples write `daysuntilnetdue`."""
    tops = {field.partition(".")[0].lower(): field.partition(".")[0] for field in known}
    return tops.get(name.lower(), name)


def _spread(name: str, value: Any, known: Mapping[str, str]) -> dict[str, Any] | None:
    """A property as flat fields; None when the record has none of that name."""
    below = [field for field in known if field.startswith(f"{name}.")]
    if not below:
        return {name: value} if name in known else None
    if value is None:
        return dict.fromkeys(below)
    if not isinstance(value, Mapping):
        return {f"{name}.id": value} if f"{name}.id" in known else None
    found: dict[str, Any] = {}
    for given, held in value.items():
        if given == "refName":
            continue
        inner = {field.removeprefix(f"{name}."): kind for field, kind in known.items() if field.startswith(f"{name}.")}
        spread = _spread(spelled(given, inner), held, inner)
        if spread is None:
            return None
        found.update({f"{name}.{field}": held for field, held in spread.items()})
    return found
