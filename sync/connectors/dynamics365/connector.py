"""Owns the connector for Dynamics 365 Finance: signs in, checks the environment, and hands each type to who knows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sync import flat
from sync.connectors.dynamics365.keyed import Keyed
from sync.connectors.dynamics365.metadata import LIMIT, read_metadata
from sync.connectors.dynamics365.shape import BANKS, COMPANY, VENDORS
from sync.connectors.dynamics365.vendors import Vendors
from sync.connectors.dynamics365.wire import Api, literal
from sync.errors import NotSent, NotSupported, SyncError
from sync.mapping import load
from sync.protocol import Answer, Capability, Config, Exchange, Health, Outcome, Push, RemoteRecord

MAPPING = Path(__file__).with_name("mapping.yaml")
TERMS, COMPANIES, DIMENSIONS, ACCOUNTS = "PaymentTerms", "LegalEntities", "FinancialDimensionValues", "MainAccounts"
SETS = {VENDORS: VENDORS, COMPANY: VENDORS, BANKS: BANKS, TERMS: TERMS, COMPANIES: COMPANIES}  # part -> entity set
SETS |= {DIMENSIONS: DIMENSIONS, ACCOUNTS: ACCOUNTS}
# Type -> the financial dimension whose values its records are, when the target's options do not name another.
NAMED = {"cost_center": "CostCenter", "profit_center": "ProfitCenter", "project": "Project"}


class Dynamics365Connector:
    """Vendors by VendorsV3, payment terms, the companies that exist already, values of financial dimensions, main accounts.

    Class A: every change carries the ETag of what was read, and a new record the key we give it; a request that
    arrives late can neither double a record nor overwrite a newer one.
    """

    name: ClassVar[str] = "dynamics365"
    title: ClassVar[str] = "Dynamics 365 Finance"
    capability: ClassVar[Capability] = "A"
    types: ClassVar[tuple[str, ...]] = ("supplier", "payment_term", "legal_entity", *NAMED, "gl_account")
    max_inflight_s: ClassVar[float] = 300.0
    bulk_size: ClassVar[int] = 20  # nothing is published; a second for each still ends before our deadline
    bulk_types: ClassVar[tuple[str, ...]] = ("supplier",)

    def __init__(self, config: Config) -> None:
        self._company = str(config.options.get("company", "")).lower()
        self._api = api = Api(config)
        self._mappings = maps = {type: load(MAPPING, type) for type in self.types}
        area = {"dataAreaId": self._company}
        self._vendors = Vendors(api, maps["supplier"], self._company)
        self._owners: dict[str, Vendors | Keyed] = {
            "supplier": self._vendors,
            "payment_term": Keyed(api, maps["payment_term"], TERMS, ("dataAreaId", "Name"), fixed=area),
            "legal_entity": Keyed(api, maps["legal_entity"], COMPANIES, ("LegalEntityId",), makes=False),
            "gl_account": Keyed(api, maps["gl_account"], ACCOUNTS, ("ChartOfAccounts", "MainAccountId")),
        }
        key = ("FinancialDimension", "LegalEntityId", "DimensionValue")
        for type, dimension in {**NAMED, **dict(config.options.get("dimensions", {}))}.items():
            fixed = {"FinancialDimension": dimension, "LegalEntityId": ""}  # shared by all companies
            self._owners[type] = Keyed(api, maps[type], DIMENSIONS, key, fixed=fixed, hidden=True)

    def check(self) -> Health:
        """Sign in, read what the environment offers, look for the company, and say what is lacking."""
        self._api.client.begin()
        try:
            has, note = self._offered()
            missing = self._missing(has)
            if self._company and COMPANIES in has and not self._knows_company():
                words = f"There is no company {self._company}, or the application's user may not see it."
                return Health(False, words, missing=missing)
            if VENDORS in has:
                self._api.rows(VENDORS, filter="VendorAccountNumber eq '-'", select=["VendorAccountNumber"])
        except SyncError as error:
            return Health(False, error.message)
        lacking = {name for name in missing if "." not in name}
        pushable = {part: SETS[part] not in lacking for part in self._mappings["supplier"].parts}
        if VENDORS in lacking:
            return Health(False, f"The environment has no entity set {VENDORS}.", pushable, missing)
        words = f"Connected; not available here: {', '.join(missing)}." if missing else "Connected."
        return Health(True, words + note, pushable, missing)

    def push(self, push: Push) -> Outcome:
        owner, mapping = self._owner(push.type), self._mappings[push.type]
        self._api.client.begin(
            correlation_id=push.correlation_id,
            conceal=mapping.sealed_values(push.payload),
            Idempotency_Key=push.idempotency_key,  # not honoured by the platform; it stands in its logs
        )
        return owner.push(push)

    def find_many(self, pushes: Sequence[Push]) -> list[bool]:
        self._begin_many(pushes)
        return self._vendors.find_many(pushes)

    def push_many(self, pushes: Sequence[Push]) -> list[Answer]:
        self._begin_many(pushes)
        return self._vendors.push_many(pushes)

    def read(self, type: str, key: str) -> RemoteRecord | None:
        owner = self._owner(type)
        self._api.client.begin()
        return owner.read(key)

    def find(self, type: str, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        owner = self._owner(type)
        self._api.client.begin(conceal=self._mappings[type].sealed_values(payload))
        return owner.find(reference, payload)

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        """Everything, always: the entities carry no time of change."""
        owner = self._owner(type)
        self._api.client.begin()
        return owner.scan()

    def exchanges(self) -> tuple[Exchange, ...]:
        return self._api.client.exchanges()

    def _begin_many(self, pushes: Sequence[Push]) -> None:
        correlations = {push.correlation_id for push in pushes}
        self._api.client.begin(
            correlation_id=correlations.pop() if len(correlations) == 1 else "",
            conceal=[value for push in pushes for value in self._mappings[push.type].sealed_values(push.payload)],
        )

    def _owner(self, type: str) -> Vendors | Keyed:
        if type not in self._owners:
            raise NotSupported(f"{self.title} takes no {type} from the hub.")
        return self._owners[type]

    def _knows_company(self) -> bool:
        filter = f"LegalEntityId eq {literal(self._company)}"
        found = self._api.rows(COMPANIES, filter=filter, select=["LegalEntityId"]) or []
        return any(str(item.get("LegalEntityId")).lower() == self._company for item in found)

    def _offered(self) -> tuple[Mapping[str, frozenset[str] | None], str]:
        """Entity set -> its properties; None for all of them where only the names of sets could be had."""
        try:
            return read_metadata(self._api.metadata(LIMIT), set(SETS.values())), ""
        except NotSent:  # tens of megabytes: not every environment gives them before our deadline
            sets = self._api.entity_sets()
            return dict.fromkeys(sets), " Its $metadata could not be read in time; single properties were not checked."

    def _missing(self, has: Mapping[str, frozenset[str] | None]) -> tuple[str, ...]:
        """Entity sets, and properties of those that are there, in the order of the mapping."""
        missing: dict[str, None] = {}
        for mapping in self._mappings.values():
            for rule in (*mapping.rules.fields, *(rule for rows in mapping.rules.rows for rule in rows.fields)):
                part, _, leaf = flat.split_name(rule.names[0])
                if SETS[part] not in has:
                    missing[SETS[part]] = None
                elif (known := has[SETS[part]]) is not None and leaf not in known and rule.writable != "never":
                    missing[f"{SETS[part]}.{leaf}"] = None
        return tuple(missing)


connector = Dynamics365Connector
