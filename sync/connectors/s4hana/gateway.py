"""Owns the sandbox's OData entities: raw record to entity and back, with the checks SAP makes on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sync import flat
from sync.connectors.s4hana.entities import HEAD, SETS, SUPPLIER, EntitySet
from sync.connectors.s4hana.odata import iso, key_of
from sync.connectors.s4hana.schema import PROPERTIES
from sync.normalise import is_empty
from sync.sandbox import Fail
from sync.sandbox_store import Row

Fields = dict[str, Any]
Tree = dict[str, "Tree"]
BUSINESS = "/IWBEP/CX_MGW_BUSI_EXCEPTION"
PAYMENT_TERMS = {"0001", "Z010", "Z014", "Z015", "Z030", "Z045", "Z060", "Z090", "Z210"}  # its customizing
REQUIRED = {
    HEAD: ("BusinessPartnerCategory",),
    "A_BusinessPartnerAddress": ("Country",),
    "A_BusinessPartnerBank": ("BankCountryKey",),
    "A_BusinessPartnerTaxNumber": ("BPTaxType",),
    "A_SupplierCompany": ("CompanyCode",),
    "A_SupplierPurchasingOrg": ("PurchasingOrganization",),
}


def entities(row: Row, name: str) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """(row id, properties with all keys) of one entity set within one record."""
    entity_set = SETS[name]
    shared = {
        key: row.key for key in (*entity_set.inherited, *entity_set.keys) if key in ("BusinessPartner", "Supplier")
    }
    if name in (HEAD, SUPPLIER):
        found = flat.head(row.fields, name)
        if found:
            yield None, {**found, **shared}
        return
    for row_id, leaves in flat.rows(row.fields, name).items():
        yield row_id, {**leaves, **shared}


def render(row: Row, name: str, leaves: Mapping[str, Any], expand: Tree, base: str) -> dict[str, Any]:
    """One entity as Gateway writes it: `__metadata`, initial values, deferred or expanded navigations."""
    entity_set = SETS[name]
    uri = f"{base}/{name}({key_text(entity_set, leaves)})"
    metadata = {"id": uri, "uri": uri, "type": f"API_BUSINESS_PARTNER.{name}Type"}
    if name == HEAD:
        metadata["etag"] = etag_of(row)
    body: dict[str, Any] = {"__metadata": metadata}
    for item in PROPERTIES[name].values():
        body[item.name] = _outgoing(item.type, leaves.get(item.name))
    for child in SETS.values():
        if child.parent != name:
            continue
        if child.nav not in expand:
            body[child.nav] = {"__deferred": {"uri": f"{uri}/{child.nav}"}}
            continue
        below = [
            render(row, child.name, its_leaves, expand[child.nav], base)
            for _, its_leaves in entities(row, child.name)
            if all(its_leaves.get(key) == leaves.get(key) for key in child.inherited)
        ]
        body[child.nav] = (below[0] if below else None) if child.to_one else {"results": below}
    return body


def read_expand(text: str, name: str = HEAD) -> Tree:
    tree: Tree = {}
    for path in filter(None, (piece.strip() for piece in text.split(","))):
        node, at = tree, name
        for nav in path.split("/"):
            child = next((item for item in SETS.values() if item.parent == at and item.nav == nav), None)
            if child is None:
                raise Fail(400, f"Navigation property {nav} not found in {at}.", code=BUSINESS, field=nav)
            node, at = node.setdefault(nav, {}), child.name
    return tree


def incoming(name: str, body: Any, *, creating: bool) -> dict[str, Any]:
    """The checked values of one entity, without its navigations; raises what SAP would answer."""
    if not isinstance(body, Mapping):
        raise Fail(400, "The request body is no entity.", code=BUSINESS)
    values: dict[str, Any] = {}
    for leaf, value in body.items():
        if leaf == "__metadata" or leaf.startswith("to_"):
            continue
        known = PROPERTIES[name].get(leaf)
        if known is None:
            raise Fail(400, f"Property {leaf} is invalid", code="/IWCOR/CX_DS_EP_PROPERTY_ERROR", field=leaf)
        if not known.writable:
            raise Fail(400, f"Property {leaf} is read-only in {name}", code=BUSINESS, field=leaf)
        if known.type == "Edm.Boolean" and not isinstance(value, bool) and value is not None:
            raise Fail(400, f"Property {leaf} has an invalid value", code=BUSINESS, field=leaf)
        if known.type == "Edm.String" and not isinstance(value, str) and value is not None:
            raise Fail(400, f"Property {leaf} has an invalid value", code=BUSINESS, field=leaf)
        if known.length and isinstance(value, str) and len(value) > known.length:
            words = f"Property {leaf} exceeds the maximum length of {known.length}"
            raise Fail(400, words, code="/IWBEP/CM_MGW_RT/026", field=leaf)
        values[leaf] = iso(value) if known.type == "Edm.DateTime" and isinstance(value, str) else value
    _check(name, values, creating)
    return values


def _check(name: str, values: Mapping[str, Any], creating: bool) -> None:
    for leaf in REQUIRED.get(name, ()):
        if (creating or leaf in values) and is_empty(values.get(leaf)):
            raise Fail(400, f"Enter a value for {leaf}", code="R1/104", field=leaf)
    if name == HEAD and (creating or "OrganizationBPName1" in values) and is_empty(values.get("OrganizationBPName1")):
        raise Fail(400, "Enter a name for the organization", code="R1/212", field="OrganizationBPName1")
    terms = values.get("PaymentTerms")
    if terms and terms not in PAYMENT_TERMS:
        raise Fail(400, f"Terms of payment {terms} are not defined", code="F2/045", field="PaymentTerms")
    if (number := values.get("IBAN")) and not has_check_digits(str(number)):
        raise Fail(400, "The check digits of the IBAN are incorrect", code="BF00/303", field="IBAN")
    if creating and name == "A_BusinessPartnerBank" and not (values.get("IBAN") or values.get("BankAccount")):
        raise Fail(400, "Enter an IBAN or a bank account", code="AR/007", field="BankAccount")


def store(fields: Fields, name: str, row_id: str | None, values: Mapping[str, Any]) -> None:
    """Write values into the raw record; emptied ones are removed; derived ones follow."""
    for leaf, value in values.items():
        full = flat.join_name(name, row_id, leaf)
        if is_empty(value):
            fields.pop(full, None)
        else:
            fields[full] = value
    derive(fields)


def derive(fields: Fields) -> None:
    """What SAP makes of other fields and lets nobody write."""
    head = flat.head(fields, HEAD)
    names = [str(head.get(f"OrganizationBPName{n}") or "") for n in (1, 2, 3, 4)]
    full = " ".join(part for part in names if part)[:81]
    fields[f"{HEAD}.BusinessPartnerFullName"] = fields[f"{HEAD}.BusinessPartnerName"] = full
    if flat.head(fields, SUPPLIER):
        fields[f"{SUPPLIER}.SupplierName"], fields[f"{SUPPLIER}.SupplierFullName"] = full[:80], full
    for row_id, bank in flat.rows(fields, "A_BusinessPartnerBank").items():
        prefix = f"A_BusinessPartnerBank[{row_id}]"
        code, account = _inside_iban(str(bank.get("IBAN") or ""))
        if code and not bank.get("BankNumber"):
            fields[f"{prefix}.BankNumber"] = code
        if account and not bank.get("BankAccount"):
            fields[f"{prefix}.BankAccount"] = account
        if not bank.get("BankName"):
            fields[f"{prefix}.BankName"] = f"Bank {fields.get(f'{prefix}.BankNumber', '')}".strip()


def has_check_digits(iban: str) -> bool:
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", iban):
        return False
    return int("".join(str(int(mark, 36)) for mark in iban[4:] + iban[:4])) % 97 == 1


def _inside_iban(iban: str) -> tuple[str, str]:
    """Bank number and account, where the national format is plain (ISO 13616 registry)."""
    cuts = {"DE": (4, 12, 22), "AT": (4, 9, 20), "CH": (4, 9, 21), "GB": (8, 14, 22), "NL": (4, 8, 18)}
    if iban[:2] not in cuts:
        return "", ""
    start, middle, end = cuts[iban[:2]]
    return iban[start:middle], iban[middle:end]


def etag_of(row: Row) -> str:
    return f"W/\"'{row.fields.get(f'{HEAD}.ETag', '')}'\""


def key_text(entity_set: EntitySet, leaves: Mapping[str, Any]) -> str:
    shown = {key: _outgoing(PROPERTIES[entity_set.name][key].type, leaves.get(key)) for key in entity_set.all_keys}
    return key_of(entity_set.all_keys, shown)


def read_key(entity_set: EntitySet, text: str) -> dict[str, Any]:
    """`'1'` or `BusinessPartner='1',BankIdentification='0001'`."""
    named = re.findall(r"(\w+)=(?:(?:datetime|datetimeoffset)?'((?:[^']|'')*)'|(true|false|null))", text)
    found: dict[str, Any] = {
        name: (bare == "true") if bare in ("true", "false") else value.replace("''", "'") for name, value, bare in named
    }
    if not found and (only := re.fullmatch(r"'((?:[^']|'')*)'", text)):
        found = {entity_set.all_keys[0]: only[1].replace("''", "'")}
    if set(found) != set(entity_set.all_keys):
        raise Fail(400, f"Invalid key predicate for {entity_set.name}.", code="/IWBEP/CM_MGW_RT/019")
    return {name: value[:10] if name.endswith("Date") else value for name, value in found.items()}


def same_key(name: str, leaves: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """ALPHA conversion: `25` and `0000000025` are one business partner."""
    return all(_alpha(leaves.get(key)) == _alpha(value) for key, value in wanted.items())


def _alpha(value: Any) -> Any:
    text = "" if value is None or value is False else str(value)
    return text.lstrip("0") if text.isdigit() else text


def _outgoing(kind: str, value: Any) -> Any:
    if kind == "Edm.Boolean":
        return bool(value)
    if kind == "Edm.DateTime":
        return _odata_date(value)
    return "" if value is None else value


def _odata_date(value: Any) -> str | None:
    try:
        moment = datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
    except ValueError:
        return None
    return f"/Date({int(moment.timestamp()) * 1000})/"
