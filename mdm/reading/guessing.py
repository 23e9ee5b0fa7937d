"""A first mapping from the headings of a file, for a person to look over: words of the trade against a
type's fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mdm.reading.paths import CODE, SELECTORS, field_type
from mdm.reading.row_facts import CURRENCY, SPEND
from mdm.registry import ChildType, RecordType

# field name -> other words for it, most usual first; used only where a record type has such a field
WORDS: Mapping[str, tuple[str, ...]] = {
    "country": ("country", "country code", "country key", "land", "pays"),
    "currency": ("currency", "currency code", "order currency", "curr"),
    "payment_terms": ("payment terms", "payment term", "terms of payment", "terms"),
    "incoterm": ("incoterm", "incoterms", "shipping term", "shipping terms"),
    "website": ("website", "web site", "url", "homepage", "internet address"),
    "group": ("group", "account group", "category", "commodity"),
    "trade_names": ("trade name", "display name", "doing business as", "dba", "also known as"),
    "legal_form": ("legal form",),
    "tags": ("tags", "tag", "labels"),
    "lines": ("street", "address", "address line", "street address", "strasse", "house number"),
    "city": ("city", "town", "location", "ort", "ville"),
    "region": ("region", "state", "province", "state code"),
    "postal_code": ("postal code", "postcode", "post code", "zip", "zip code", "plz"),
    "email": ("e mail", "email", "email address", "contact email", "contact e mail"),
    "phone": (
        "telephone",
        "phone",
        "phone number",
        "contact phone",
        "contact phone number",
        "telephone number",
        "tel",
    ),
    "name": ("contact", "primary contact", "contact name", "contact person"),
    "iban": ("iban", "iban number"),
    "bic": ("bic", "swift", "swift code", "bic swift", "swift bic"),
    "account_number": ("bank account", "account number", "bank account number"),
    "bank_code": ("bank key", "bank code", "routing number", "sort code", "bank number"),
    "holder": ("account holder", "name on account", "account holder name"),
    "legal_entity": ("company code", "legal entity", "entity"),
    "reconciliation_account": ("reconciliation account", "recon account"),
    "payment_block": ("payment block", "posting block", "on hold"),
    "purchasing_block": ("purchasing block", "purchase block", "order block"),
    "withholding_tax": ("withholding tax", "withholding tax code"),
    "net_days": ("net days", "due in days", "days net", "days"),
    "valid_from": ("valid from", "valid from date", "valid since", "start date", "begin date", "gueltig ab"),
    "valid_to": ("valid to", "valid to date", "valid until", "end date", "expiration date", "gueltig bis"),
    "vat_id": ("vat id", "vat number", "vat registration no"),
}
# Numbers known by a scheme: field that holds the number -> scheme -> headings
SCHEMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "number": {
        "VAT": (
            "vat",
            "vat number",
            "vat registration no",
            "vat id",
            "vat no",
            "tax id",
            "tax number",
            "ust id",
            "tva",
        ),
        "EIN": ("ein", "federal tax id", "tin"),
    },
    "value": {"DUNS": ("duns", "duns number", "d u n s"), "LEI": ("lei", "lei code"), "GLN": ("gln",)},
}
_NAMES = ("name", "name 1", "legal name", "company name", "full name")
_SPEND = ("annual spend", "spend", "spend per year", "yearly spend", "jahresumsatz")
_KEYS = ("number", "no", "code", "id", "key", "nr")
_NUMBERED = re.compile(r"(.*\D) ?(\d)")


def guess(kind: RecordType, columns: Sequence[str], samples: Iterable[Mapping[str, str]] = ()) -> dict[str, Any]:
    """A spec for ColumnMap. Columns nobody recognises are left out; what it finds has to be looked over."""
    rows = list(samples)
    known = _phrases(kind)
    title = kind.noun.split()
    key = _key(columns, rows, title)
    mapped: dict[str, str] = {}
    used: set[str] = set()
    for column in columns:
        words = _words(column)
        path = "" if column == key else _find(words, title, known)
        name, number = _split_number(words)
        if not path and number and (path := _find(name, title, known)):
            path = _numbered(path, number)
        if path and (path not in used or path == kind.name_field or path.endswith(".lines[0]")):
            mapped[column] = path
            used.add(path)
    if key and key not in mapped and CODE not in used and _keys_are_codes(kind):
        mapped[key] = CODE
    return {"key": key, "const": {}, "columns": _complete(kind, mapped), "values": {}}


def _keys_are_codes(kind: RecordType) -> bool:
    """What is not found by its values, and not named inside something else, is called by one code everywhere."""
    return kind.match is None and not kind.model._meta.total_unique_constraints


def _complete(kind: RecordType, mapped: dict[str, str]) -> dict[str, str]:
    """Without the children that would lack a field they need: a block alone, without the legal entity it is
    for.
    """
    kept = dict(mapped)
    for child in kind.children:
        required = {name for name, info in child.document.model_fields.items() if info.is_required()}
        selector = next((name for name in SELECTORS if name in child.document.model_fields), "")
        own = {column: path for column, path in mapped.items() if path.startswith(f"{child.name}[")}
        given = {path.rpartition("].")[2] for path in own.values()} | {selector}
        if required - given:
            kept = {column: path for column, path in kept.items() if column not in own}
    return kept


def known_paths(kind: RecordType) -> list[str]:
    """Every path a column is usually mapped to, for people to choose from; others can be written by hand."""
    lists = {child.name: child for child in kind.children}
    found: list[str] = [CODE]
    for name, info in kind.document.model_fields.items():
        if name not in lists:
            found.append(f"{name}[0]" if field_type(info)[0] else name)
    for child in kind.children:
        found += [path for _, path in _child_phrases(child)]
    return list(dict.fromkeys(found))


def _words(heading: str) -> str:
    """`BankAccount.AccountNumber` and `VAT Registration No.` as plain words; of a dotted name only the last
    part.
    """
    last = heading.rstrip(".").rpartition(".")[2] or heading
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", last)
    return " ".join(re.findall(r"[^\W_]+", spaced.lower()))


def _split_number(words: str) -> tuple[str, int]:
    match = _NUMBERED.fullmatch(words)
    return (match.group(1), int(match.group(2))) if match else (words, 0)


def _numbered(path: str, number: int) -> str:
    """`Street 2` is the second line; what exists only once (`Name 2`) goes on with the first."""
    return path.replace("[0]", f"[{number - 1}]") if path.endswith("[0]") else path


def _phrases(kind: RecordType) -> dict[str, str]:
    """phrase → path, for every field of the type and of its children; what comes first has the say."""
    known: dict[str, str] = {}
    lists = {child.name for child in kind.children}
    for phrase in _NAMES:
        known[phrase] = kind.name_field
    if kind.spends:
        known |= dict.fromkeys(_SPEND, SPEND) | {"spend currency": CURRENCY}
    for name, info in kind.document.model_fields.items():
        if name not in lists:
            path = f"{name}[0]" if field_type(info)[0] else name
            for phrase in (name.replace("_", " "), kind.labels.get(name, "").lower(), *WORDS.get(name, ())):
                known.setdefault(phrase, path)
    for child in kind.children:
        for phrase, path in _child_phrases(child):
            known.setdefault(phrase, path)
    known.pop("", None)
    if kind.match is None:
        known.setdefault("code", CODE)
    return known


def _child_phrases(child: ChildType) -> Iterable[tuple[str, str]]:
    fields = child.document.model_fields
    selector = next((name for name in SELECTORS if name in fields), "")
    if selector == "scheme":
        number = next((name for name in SCHEMES if name in fields), "")
        for scheme, phrases in SCHEMES.get(number, {}).items():
            yield from ((phrase, f"{child.name}[{scheme}].{number}") for phrase in phrases)
        return
    default = fields[selector].default if selector else None
    place = default if isinstance(default, str) else "0"
    for name, info in fields.items():
        if name in ("uid", selector):
            continue
        path = f"{child.name}[{place}].{name}" + ("[0]" if field_type(info)[0] else "")
        own = () if name in ("name", "country", "currency") else (name.replace("_", " "),)
        prefixed = (f"{child.title.lower()} {name.replace('_', ' ')}",)
        yield from ((phrase, path) for phrase in (*own, *prefixed, *WORDS.get(name, ())))
        if name in ("country", "currency") and "iban" in fields:
            yield f"bank {name}", path


def _find(words: str, title: list[str], known: Mapping[str, str]) -> str:
    """By the whole heading, without the record's own name (`Supplier Name`), then by its end (`Vendor
    Name`).
    """
    plain = " ".join(word for word in words.split() if word not in title)
    parts = plain.split()
    for phrase in (
        words,
        plain,
        " ".join(parts[1:]) if len(parts) > 1 and parts[0] in ("vendor", "company") else "",
    ):
        if phrase in known:
            return known[phrase]
    return ""


def _key(columns: Sequence[str], rows: list[Mapping[str, str]], title: list[str]) -> str:
    """The column that names a row: called like the record, or its number or code; and never twice in the
    sample.
    """

    def distinct(column: str) -> bool:
        values = [row.get(column, "").strip() for row in rows]
        filled = [value for value in values if value]
        return len(set(filled)) == len(filled) and len(filled) * 10 >= len(values) * 9

    def rank(column: str) -> int:
        words = _words(column).split()
        own = words[: len(title)] == title or words[:1] in (["vendor"], ["record"])
        if words == title or (own and words[-1] in _KEYS):
            return 0
        if words and words[-1] in _KEYS and len(words) == 1:
            return 1
        return 2 if words and words[-1] in ("number", "code", "id", "key") and len(words) < 3 else 3

    able = [column for column in columns if distinct(column)] or list(columns)
    return min(able, key=rank, default="")
