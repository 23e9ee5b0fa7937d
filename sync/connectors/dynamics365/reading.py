"""Owns reading and finding vendors: by key, by the number we give, by tax number, and all of them page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync import flat
from sync.connectors.dynamics365.batch import Batch
from sync.connectors.dynamics365.shape import (
    ALL,
    BANK_KEY,
    BANKS,
    COMPANY,
    HOLD,
    OURS,
    VENDOR_KEY,
    VENDORS,
    account_of,
    company_of,
    entity_fields,
    key_of,
    row_name,
    split_key,
    vendor_fields,
)
from sync.connectors.dynamics365.wire import NOT_FOUND, Api, equals, key_text, literal
from sync.errors import FieldProblem, Refused
from sync.mapping import Mapping as TargetMapping
from sync.normalise import canonical
from sync.protocol import RemoteRecord

Entity = dict[str, Any]


@dataclass(frozen=True)
class Held:
    """A vendor as read: `accounts` by row, None where the environment shows no bank accounts."""

    vendor: Entity
    accounts: Mapping[str, Entity] | None
    record: RemoteRecord


class Reader:
    """`company`: the only one this target serves; empty for all that its user may see."""

    def __init__(self, api: Api, mapping: TargetMapping, company: str) -> None:
        self._api, self._batch, self._company = api, Batch(api), company
        names = [flat.split_name(name)[2] for rule in mapping.rules.fields for name in rule.names]
        rows = {item.part: [leaf for rule in item.fields for leaf in rule.leaves] for item in mapping.rules.rows}
        self._own = rows[COMPANY]
        self._names = list(dict.fromkeys([*VENDOR_KEY, *names, *self._own]))
        self._bank_names = list(dict.fromkeys([*BANK_KEY, *rows[BANKS]]))

    def one(self, key: str) -> Held | None:
        company, number = split_key(key)
        if not company:
            return None
        vendor = self._api.get(VENDORS, {"dataAreaId": company, "VendorAccountNumber": number}, self._names)
        return self.with_accounts(vendor) if vendor else None

    def several(self, keys: Sequence[str]) -> dict[str, Held]:
        """Those of these keys that are there, in one request."""
        urls = []
        for key in keys:
            named = dict(zip(VENDOR_KEY, split_key(key), strict=True))
            urls.append(self._api.url(f"{VENDORS}({key_text(named)})", select=",".join(self._names)))
            urls.append(self._api.url(BANKS, filter=_its(named), select=",".join(self._bank_names)))
        answers = iter(self._batch.get(urls))
        found = {}
        for key, vendor, banks in zip(keys, answers, answers, strict=True):
            if vendor.status != NOT_FOUND:
                accounts = None if banks.status == NOT_FOUND else self._api.page_of(banks)
                found[key] = self._held_of(self._api.object_of(vendor), accounts)
        return found

    def touched(self, wanted: Sequence[tuple[str, Mapping[str, Any], str]]) -> list[bool]:
        """For each reference, payload and company: does a vendor have one of its numbers, or its tax number there?
        In one request, because one filter for all would be too long for an address."""
        urls = []
        for reference, payload, company in wanted:
            asked = (equals("VendorAccountNumber", _numbers(reference, payload)), _tax_filter(payload, company))
            filter = " or ".join(text for text in asked if text)
            urls.append(self._api.url(VENDORS, filter=filter, select=",".join(VENDOR_KEY), top="1"))
        return [bool(self._api.page_of(answer)) for answer in self._batch.get(urls)]

    def scan(self) -> Iterator[RemoteRecord]:
        """Every vendor of the target's company, or of all; a vendor that comes twice is given once."""
        filter = f"dataAreaId eq {literal(self._company)}" if self._company else ""
        before: set[str] = set()  # new vendors push others onto the next page
        for page in self._api.pages(VENDORS, filter=filter, select=self._names, order=VENDOR_KEY):
            accounts = self._accounts_of(page)
            keys = {key_of(vendor) for vendor in page}
            for vendor in page:
                if key_of(vendor) not in before:
                    mine = None if accounts is None else accounts.get(key_of(vendor), [])
                    yield self._held(vendor, mine).record
            before = keys

    def search(self, reference: str, payload: Mapping[str, Any], company: str) -> Held | None:
        """By the number we give, then by the tax number; never a vendor that belongs to another record."""
        return self.pick(self.numbered(reference, payload), payload, company)

    def pick(self, numbered: list[Entity], payload: Mapping[str, Any], company: str) -> Held | None:
        """The one in this company of those that have our number, else the one with the tax number."""
        for vendor in numbered:
            if company in ("", company_of(vendor)):
                return self.with_accounts(vendor)
        return self._by_tax_number(payload, company)

    def numbered(self, reference: str, payload: Mapping[str, Any]) -> list[Entity]:
        """Ours by the number they have, in any company. A number made from a code may be somebody else's: those
        must look like ours as well."""
        certain, wanted = account_of(reference), _numbers(reference, payload)
        found = self._vendors(equals("VendorAccountNumber", wanted)) if wanted else []
        sure = {canonical(number, ("case",)): number == certain for number in wanted}
        return [vendor for vendor in found if self._is_ours(payload, vendor, sure)]

    def _is_ours(self, payload: Mapping[str, Any], vendor: Entity, sure: Mapping[str, bool]) -> bool:
        number = canonical(vendor.get("VendorAccountNumber"), ("case",))
        return number in sure and (sure[number] or _alike(payload, vendor))

    def _by_tax_number(self, payload: Mapping[str, Any], company: str) -> Held | None:
        """The vendor of that tax number, when name or address agree as well: groups share tax numbers."""
        filter, spelled = _tax_filter(payload, company), _spelled(payload)
        if not filter:
            return None
        free = [
            vendor
            for vendor in self._vendors(filter)
            if canonical(vendor.get("TaxExemptNumber"), ("identifier",)) in spelled
            and not str(vendor.get("VendorAccountNumber")).startswith(OURS)
        ]
        alike = [vendor for vendor in free if _alike(payload, vendor)]
        if len(alike) == 1:
            return self.with_accounts(alike[0])
        if not free:
            return None
        listed = ", ".join(f"{key_of(vendor)} “{vendor.get('VendorOrganizationName')}”" for vendor in free[:5])
        words = f"Finance already has this tax number: {listed}. Link one of them, or correct the number."
        raise Refused(words, problems=(FieldProblem("TaxExemptNumber", "maybe_there_already", words),))

    def _vendors(self, filter: str) -> list[Entity]:
        return self._api.rows(VENDORS, filter=filter, select=self._names) or []

    def with_accounts(self, vendor: Entity) -> Held:
        return self._held_of(vendor, self._api.rows(BANKS, filter=_its(vendor), select=self._bank_names))

    def _held_of(self, vendor: Entity, found: list[Entity] | None) -> Held:
        """Of the accounts found only its own: filters may be generous."""
        mine = None if found is None else [account for account in found if key_of(account) == key_of(vendor)]
        return self._held(vendor, mine)

    def _accounts_of(self, page: list[Entity]) -> dict[str, list[Entity]] | None:
        """The bank accounts of a page of vendors, asked for by company and range of numbers."""
        ranges: dict[str, list[str]] = {}
        for vendor in page:
            ranges.setdefault(str(vendor.get("dataAreaId")), []).append(str(vendor.get("VendorAccountNumber")))
        accounts: dict[str, list[Entity]] = {}
        for company, numbers in ranges.items():
            filter = (
                f"dataAreaId eq {literal(company)} and VendorAccountNumber ge {literal(numbers[0])}"
                f" and VendorAccountNumber le {literal(numbers[-1])}"
            )
            found = self._api.rows(BANKS, filter=filter, select=self._bank_names)
            if found is None:
                return None
            for account in found:
                accounts.setdefault(key_of(account), []).append(account)
        return accounts

    def _held(self, vendor: Entity, accounts: list[Entity] | None) -> Held:
        rows = None if accounts is None else {row_name(item["VendorBankAccountId"]): item for item in accounts}
        fields = vendor_fields(vendor, self._own)
        fields.update(flat.from_rows(BANKS, {row: entity_fields(item) for row, item in (rows or {}).items()}))
        number = str(vendor.get("VendorAccountNumber") or "")
        record = RemoteRecord(
            key=key_of(vendor),
            fields=fields,
            reference=number if number.startswith(OURS) else "",
            etag=str(vendor.get("@odata.etag") or ""),
            blocked=vendor.get(HOLD) == ALL,
        )
        return Held(vendor, rows, record)


def given_number(payload: Mapping[str, Any]) -> str:
    """The vendor account made from our code, "" when the record has none."""
    return str(payload.get(f"{VENDORS}.VendorAccountNumber") or "")


def tax_number(payload: Mapping[str, Any]) -> str:
    """As it is compared; "" when the record has none."""
    return str(canonical(payload.get(f"{VENDORS}.TaxExemptNumber"), ("identifier",)) or "")


def _spelled(payload: Mapping[str, Any]) -> list[str]:
    """The tax number with and without its country."""
    number = tax_number(payload)
    return list(dict.fromkeys((number, number[2:] if number[:2].isalpha() else number))) if number else []


def _tax_filter(payload: Mapping[str, Any], company: str) -> str:
    spelled = _spelled(payload)
    area = f" and dataAreaId eq {literal(company)}" if company else ""
    return f"({equals('TaxExemptNumber', spelled)}){area}" if spelled else ""


def _numbers(reference: str, payload: Mapping[str, Any]) -> list[str]:
    """The vendor accounts that may be ours."""
    return [number for number in (account_of(reference), given_number(payload)) if number]


def _its(vendor: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} eq {literal(vendor[name])}" for name in VENDOR_KEY)


def _alike(payload: Mapping[str, Any], vendor: Mapping[str, Any]) -> bool:
    """The same name, or the same street and postal code, written in any way."""

    def same(*leaves: str) -> bool:
        pairs = [
            (canonical(payload.get(f"{VENDORS}.{leaf}"), ("identifier",)), canonical(vendor.get(leaf), ("identifier",)))
            for leaf in leaves
        ]
        return all(ours and ours == theirs for ours, theirs in pairs)

    return same("VendorOrganizationName") or same("AddressStreet", "AddressZipCode")
