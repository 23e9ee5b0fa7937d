"""Owns what the sandbox of Coupa knows about a supplier: its elements, what it refuses, what it derives.

After compass.coupa.com, “Suppliers API (/suppliers)” (table of elements), “Suppliers API Example Calls”,
“Remit-To Addresses API”, “Payment Terms API”. The words of a refusal are Rails', as in “Differences between
XML and JSON in Coupa”.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.connectors.coupa.shape import ASSOCIATIONS, flatten

OUT_ONLY = {
    "id",
    "created-at",
    "updated-at",
    "created-by",
    "updated-by",
    "coupa-connect-secret",
    "payment-terms",
    "type",
}
SCALARS = {
    "account-number",
    "allow-change-requests",
    "allow-inv-from-connect",
    "buyer-hold",
    "corporate-url",
    "default-locale",
    "display-name",
    "duns",
    "hold-invoices-for-ap-review",
    "invoice-matching-level",
    "name",
    "number",
    "on-hold",
    "one-time-supplier",
    "payment-method",
    "po-change-method",
    "po-email",
    "po-method",
    "savings-pct",
    "send-invoices-to-approvals",
    "status",
    "storefront-url",
    "strategic-supplier",
    "tags",
    "tax-code",
    "tax-id",
    "website",
}
OBJECTS = {
    "primary-address",
    "primary-contact",
    "payment-term",
    "shipping-term",
    "commodity",
    "custom-fields",
    "parent",
}
BOOLEANS = {"on-hold", "buyer-hold", "one-time-supplier", "strategic-supplier", "hold-invoices-for-ap-review"}
CHOICES = {
    "status": ("active", "inactive", "draft"),
    "invoice-matching-level": ("2-way", "3-way", "3-way-direct", "none"),
    "payment-method": ("invoice", "pcard", "invoice_only", "pcard_only", "virtual_card"),
    "po-method": ("cxml", "xml", "email", "prompt", "mark_as_sent", "buy_online"),
    "po-change-method": ("cxml", "xml", "email", "prompt", "mark_as_sent", "buy_online"),
}
# code -> days net, days for the discount, rate: the terms somebody set up in this instance.
TERMS: dict[str, tuple[int, int | None, float | None]] = {
    "Due on receipt": (0, None, None),
    "2% 10 Net 30": (30, 10, 2.0),
    "2/10 Net 30": (30, 10, 2.0),  # the one in the example
    **{f"Net {days}": (days, None, None) for days in (7, 10, 14, 15, 20, 30, 45, 60, 75, 90, 120)},
}
COUNTRIES = {
    "US": "United States",
    "DE": "Germany",
    "FR": "France",
    "GB": "United Kingdom",
    "ES": "Spain",
    "IT": "Italy",
}
REQUIRED_ADDRESS = ("street1", "city", "postal-code", "remit-to-code")


def accept(record: Mapping[str, Any]) -> dict[str, Any]:
    """The flat fields of a request body; unknown and output-only elements fall away, as they do in Rails."""
    found: dict[str, Any] = {}
    for given, value in record.items():
        name = given.replace("_", "-")
        if name == "supplier-status":
            name = "status"
        if name in BOOLEANS and value is not None:
            value = value is True or str(value).lower() == "true"
        if name in SCALARS:
            found[name] = value
        elif name in OBJECTS:
            found.update(_object(name, value))
    return found


def merge(fields: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A PUT changes the elements it names; an association set to null goes as a whole."""
    kept = dict(fields)
    for name, value in given.items():
        if name in ASSOCIATIONS:
            kept = {key: held for key, held in kept.items() if not key.startswith(f"{name}.")}
        else:
            kept[name] = value
    return kept


def derive(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What Coupa works out from what it is given."""
    found = dict(fields)
    days, discount, rate = TERMS.get(str(found.get("payment-term.code")), (None, None, None))
    for leaf, value in (
        ("days-for-net-payment", days),
        ("days-for-discount-payment", discount),
        ("discount-rate", rate),
    ):
        if found.get("payment-term.code"):
            found[f"payment-term.{leaf}"] = value
    if code := found.get("primary-address.country.code"):
        found["primary-address.country.name"] = COUNTRIES.get(str(code), str(code))
    return found


def complaints(fields: Mapping[str, Any], *, creating: bool) -> list[str]:
    """Everything wrong with what is given, uniqueness apart."""
    found = []
    name = str(fields.get("name") or "")
    if (creating or "name" in fields) and not name.strip():
        found.append("Name can't be blank")
    if len(name) > 100:
        found.append("Name is too long (maximum is 100 characters)")
    for element, choices in CHOICES.items():
        if fields.get(element) is not None and fields[element] not in choices:
            found.append(f"{spoken(element)} is not included in the list")
    if fields.get("payment-term.code") and fields["payment-term.code"] not in TERMS:
        found.append("Payment term is invalid")
    if fields.get("po-method") == "email" and not fields.get("po-email"):
        found.append("Po email can't be blank")
    country = fields.get("primary-address.country.code")
    if country is not None and not (isinstance(country, str) and len(country) == 2 and country.isalpha()):
        found.append("Country is invalid")
    if creating:
        found += _missing(fields)
    return found


def address_complaints(address: Mapping[str, Any]) -> list[str]:
    found = [f"{spoken(name)} can't be blank" for name in REQUIRED_ADDRESS if not address.get(name)]
    return found if address.get("country.code") else [*found, "Country can't be blank"]


def address_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """A remit-to address as flat leaves; underscores and dashes mean the same."""
    dashed = {name.replace("_", "-"): value for name, value in given.items()}
    known = (
        "remit-to-code",
        "name",
        "street1",
        "street2",
        "street3",
        "street4",
        "city",
        "state",
        "postal-code",
        "active",
    )
    found = {name: dashed[name] for name in known if name in dashed}
    country = dashed.get("country")
    if isinstance(country, Mapping):
        found["country.code"] = country.get("code")
    return found


def spoken(element: str) -> str:
    return element.replace("-", " ").capitalize()


def _missing(fields: Mapping[str, Any]) -> list[str]:
    """Marked required in the table; the example of a draft shows that drafts need no contact and address."""
    found = [f"{spoken(name)} can't be blank" for name in ("invoice-matching-level",) if not fields.get(name)]
    if fields.get("status") != "draft":
        if not any(name.startswith("primary-address.") and value for name, value in fields.items()):
            found.append("Primary address can't be blank")
        if not fields.get("primary-contact.email"):
            found.append("Primary contact can't be blank")
    return found


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {name: None} if value is None and name in ASSOCIATIONS else {}
    if name == "custom-fields":
        return {f"{name}.{leaf}": held for leaf, held in value.items()}
    dashed = _dashed(value)
    if name in ASSOCIATIONS:
        return {name: None, f"{name}.code": dashed.get("code")}
    dashed.pop("id", None)
    return flatten({name: dashed})


def _dashed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key).replace("_", "-"): _dashed(held) for key, held in value.items()}
    return value
