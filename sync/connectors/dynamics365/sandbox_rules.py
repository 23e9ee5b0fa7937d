"""Owns what the sandbox takes and what it makes itself: checks in Finance's words, derived fields, ETags."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from sync.connectors.dynamics365.sandbox_schema import ENUMS, NAMESPACE, EntitySet
from sync.sandbox import Fail

Fields = dict[str, Any]
COUNTRIES = {
    "AUT": "AT",
    "BEL": "BE",
    "CHE": "CH",
    "CZE": "CZ",
    "DEU": "DE",
    "DNK": "DK",
    "ESP": "ES",
    "FIN": "FI",
    "FRA": "FR",
    "GBR": "GB",
    "GRC": "GR",
    "HUN": "HU",
    "IRL": "IE",
    "ITA": "IT",
    "LUX": "LU",
    "NLD": "NL",
    "NOR": "NO",
    "POL": "PL",
    "PRT": "PT",
    "ROU": "RO",
    "SWE": "SE",
    "SVK": "SK",
    "SVN": "SI",
    "USA": "US",
    "BRA": "BR",
    "CAN": "CA",
    "CHN": "CN",
    "IND": "IN",
    "JPN": "JP",
    "TUR": "TR",
    "BGR": "BG",
    "HRV": "HR",
    "EST": "EE",
    "LVA": "LV",
    "LTU": "LT",
    "LIE": "LI",
    "MLT": "MT",
    "CYP": "CY",
    "UKR": "UA",
    "SRB": "RS",
}
CHARTS = frozenset({"NH-GROUP", "NH-DE"})  # of the environment
DIMENSIONS = frozenset({"CostCenter", "ProfitCenter", "Project"})
CURRENCIES = frozenset("EUR USD GBP CHF PLN CZK SEK DKK NOK HUF RON BRL CAD CNY INR JPY TRY".split())
_REQUIRED = {
    "VendorsV3": {"VendorOrganizationName": "Name", "VendorGroupId": "Vendor group", "CurrencyCode": "Currency"},
    "PaymentTerms": {"Name": "Terms of payment"},
    "LegalEntities": {"Name": "Name"},
    "FinancialDimensionValues": {"FinancialDimension": "Dimension", "DimensionValue": "Dimension value"},
    "MainAccounts": {"ChartOfAccounts": "Chart of accounts", "MainAccountId": "Main account", "Name": "Name"},
}
_RELATED = {  # property -> (label, related table, what may stand there)
    "AddressCountryRegionId": ("Country/region", "Countries/regions", COUNTRIES),
    "ChartOfAccounts": ("Chart of accounts", "Charts of accounts", CHARTS),
    "FinancialDimension": ("Dimension", "Financial dimensions", DIMENSIONS),
    "DefaultCurrency": ("Currency", "Currencies", CURRENCIES),
    "CurrencyCode": ("Currency", "Currencies", CURRENCIES),
    "CurrentCurrencyCode": ("Currency", "Currencies", CURRENCIES),
}


def incoming(item: EntitySet, body: Any, *, creating: bool) -> Fields:
    """The properties of a request's body; names are case-sensitive, enums travel as their words."""
    if not isinstance(body, Mapping):
        raise Fail(400, "The request's body is not an entity.", code="odata")
    found: Fields = {}
    for name, value in body.items():
        held = item.properties.get(name)
        if held is None:
            words = f"The property '{name}' does not exist on type '{NAMESPACE}.{item.entity}'. "
            raise Fail(400, words + "Make sure to only use property names that are defined by the type.", code="odata")
        if held.made or (name in item.key and not creating):
            continue
        found[name] = _checked(name, held.type, held.length, value)
    return found


def _checked(name: str, type: str, length: int, value: Any) -> Any:
    wrong = False
    if type in ENUMS:
        wrong = value not in ENUMS[type]
    elif type == "Edm.Int32":
        wrong = isinstance(value, bool) or not isinstance(value, int)
    elif type == "Edm.DateTimeOffset":
        wrong = not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(value))
    elif not isinstance(value, str):
        wrong = value is not None
    if wrong:
        expected = f"{NAMESPACE}.{type}" if type in ENUMS else type
        raise Fail(400, f"Cannot convert the literal '{value}' to the expected type '{expected}'.", code="odata")
    if length and isinstance(value, str) and len(value) > length:
        raise Fail(400, f"The value in field '{name}' is longer than {length} characters.")
    return "" if value is None else value


def check(item: EntitySet, fields: Mapping[str, Any], terms: frozenset[str] | None = None) -> None:
    """One record as it would be stored; every complaint at once, as the Infolog has them."""
    found = [
        f"Field '{label}' must be filled in."
        for name, label in _REQUIRED.get(item.name, {}).items()
        if not str(fields.get(name) or "").strip()
    ]
    related = dict(_RELATED)
    if terms is not None:
        related["DefaultPaymentTermsName"] = ("Terms of payment", "Terms of payment", dict.fromkeys(terms))
    for name, (label, table, known) in related.items():
        value = str(fields.get(name) or "")
        if name in item.properties and value and value not in known:
            found.append(f"The value '{value}' in field '{label}' is not found in the related table '{table}'.")
    first, last = (str(fields.get(name) or "")[:10] for name in ("ActiveFrom", "ActiveTo"))
    if first and last and last < first and not last.startswith("1900-01-01"):
        found.append("The value in field 'Active to' is before that in field 'Active from'.")
    iban = re.sub(r"\s", "", str(fields.get("IBAN") or "")).upper()
    if iban and not _is_iban(iban):
        found.append("Field 'IBAN' holds no valid IBAN.")
    if found:
        raise Fail(400, "; Warning: ".join(text.rstrip(".") + "." for text in found))


def derive(fields: Fields) -> None:
    """What Finance makes from the address, and the language it starts with."""
    country = str(fields.get("AddressCountryRegionId") or "")
    fields["AddressCountryRegionISOCode"] = COUNTRIES.get(country, "")
    place = " ".join(str(fields.get(name) or "") for name in ("AddressZipCode", "AddressCity")).strip()
    lines = (str(fields.get("AddressStreet") or ""), place, country)
    fields["FormattedPrimaryAddress"] = "\n".join(line for line in lines if line)


def etag(fields: Mapping[str, Any], prefix: str = "") -> str:
    """Weak, base64 of `'record version,record id'`, as published answers of Finance show it."""
    text = f"'{fields.get(f'{prefix}RecVersion', 0)},{fields.get(f'{prefix}RecId', 0)}'"
    return f'W/"{base64.b64encode(text.encode()).decode()}"'


def _is_iban(text: str) -> bool:
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", text):
        return False
    return int("".join(str(int(mark, 36)) for mark in text[4:] + text[:4])) % 97 == 1
