"""Owns pushing suppliers to Oracle Fusion Cloud: find, decide, write what differs, read back. See README.md.

Dimensions are values of value sets there, which `value_sets` pushes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from sync import flat, mapping
from sync.connectors.oracle_fusion.record import (
    ADDRESSES,
    ASSIGNMENTS,
    BANKS,
    PAYEES,
    PREFIX,
    SITES,
    TAXES,
    Held,
    gather,
    reference_of,
)
from sync.connectors.oracle_fusion.value_sets import VALUE_SETS, ValueSets
from sync.connectors.oracle_fusion.wire import LINKED, PLAIN, Api, Item, equals, items_of, one_of
from sync.connectors.oracle_fusion.writing import Writer, differences
from sync.errors import FieldProblem, NotSupported, Refused, SyncError, Unauthorised
from sync.normalise import canonical
from sync.protocol import Capability, Config, Exchange, Health, Outcome, Push, RemoteRecord

RULES = Path(__file__).with_name("mapping.yaml")
PAGE, MOST = 50, 100  # suppliers a page of a scan; the queries for what belongs to them name every one
EXPANDED = {"expand": f"{ADDRESSES},{SITES}"}  # cannot be combined with `fields`
NEEDED = {TAXES: (TAXES,), BANKS: (BANKS, PAYEES, ASSIGNMENTS)}  # part -> resources besides the supplier's own
Effect = Literal["created", "updated", "blocked", "unchanged"]


class OracleFusionConnector:
    """Suppliers of Procurement, their tax registrations and bank accounts of Financials.

    Class D: Oracle gives the numbers, so a create is safe only by finding our reference first and waiting out a
    lost request. Updates carry If-Match: none overwrites what it has not read.
    """

    name: ClassVar[str] = "oracle_fusion"
    title: ClassVar[str] = "Oracle Fusion Cloud"
    capability: ClassVar[Capability] = "D"
    types: ClassVar[tuple[str, ...]] = ("supplier", *VALUE_SETS)
    max_inflight_s: ClassVar[float] = 600.0  # twice the five minutes after which Oracle's front end gives up

    def __init__(self, config: Config) -> None:
        options = config.options
        self._mapping = mapping.load(RULES, "supplier")
        self._api = Api(config, [flat.split_name(name)[2] for name in self._mapping.sealed_fields])
        self._values = ValueSets(config, self._api, {type: mapping.load(RULES, type) for type in VALUE_SETS})
        self._reference_field = str(options.get("reference_field", "Alias"))
        without = set(options.get("without", ()))
        self._parts = tuple(part for part in self._mapping.parts if part not in without)
        self._page = max(1, min(int(options.get("page_size", PAGE)), MOST))

    def check(self) -> Health:
        """Sign in, search by our reference, and find out what of Financials this user may see."""
        smallest = {**PLAIN, "limit": "1"}
        self._api.client.begin()
        try:
            self._api.page("suppliers", {**smallest, "q": equals(**{self._reference_field: PREFIX})})
            closed = [path for part in self._parts for path in NEEDED.get(part, ()) if not self._open(path, smallest)]
        except SyncError as error:
            return Health(False, error.message)
        pushable = {
            part: part in self._parts and not set(NEEDED.get(part, ())) & set(closed) for part in self._mapping.parts
        }
        if not closed:
            return Health(True, f"Signed in; suppliers can be read. {self._check_values()}", pushable)
        words = (
            f"Signed in, but not allowed to see: {', '.join(closed)}. Grant it, or leave those parts out (`without`)."
        )
        return Health(False, words, pushable, tuple(closed))

    def _check_values(self) -> str:
        """Of value sets: who only sends suppliers needs none, so it is no failure to have none."""
        try:
            self._values.check()
        except SyncError as error:
            return f"Cost centers and the like cannot be sent yet: {error.message}"
        return "The value sets for cost centers and the like are there."

    def push(self, push: Push) -> Outcome:
        """Make it true; never a second supplier where one can be found."""
        self._expect(push.type)
        self._api.client.begin(
            correlation_id=push.correlation_id,
            conceal=self._mapping.sealed_values(push.payload),
            Idempotency_Key=push.idempotency_key,  # not honoured by the platform; it stands in its logs
        )
        if push.type != "supplier":
            return self._values.push(push)
        if push.action == "block":
            return self._block(push)
        held = self._one(SupplierNumber=push.key) if push.key else None
        held = held or self._search(push.reference, push.payload)
        if held is None and push.key:
            words = f"Oracle has no supplier {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("SupplierNumber", "key_unknown", words),))
        return self._create(push) if held is None else self._update(push, held)

    def read(self, type: str, key: str) -> RemoteRecord | None:
        self._start(type)
        if type != "supplier":
            return self._values.read(type, key)
        held = self._one(SupplierNumber=key)
        return held.record(self._reference_field) if held else None

    def find(self, type: str, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        self._start(type, payload)
        if type != "supplier":
            return self._values.find(type, payload)
        held = self._search(reference, payload)
        return held.record(self._reference_field) if held else None

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        """By id, not by offset, so that no supplier is skipped while others are made.

        `changed_since` looks at the supplier's own time of change; changes of its sites, accounts and tax
        registrations need not touch it, so a drift run that must be complete leaves it out.
        """
        self._start(type)
        if type != "supplier":
            yield from self._values.scan(type, changed_since)
            return
        since = f" and LastUpdateDate >= '{changed_since}'" if changed_since else ""
        last, more = 0, True
        while more:
            self._api.client.exchanges()  # only what is being said now is kept: a scan has thousands of pages
            params = {"q": f"SupplierId > {last}{since}", "orderBy": "SupplierId:asc", "limit": str(self._page)}
            page, more = self._api.page("suppliers", {**params, **EXPANDED, **PLAIN})
            for held in gather(self._api, page, self._parts, PLAIN):
                yield held.record(self._reference_field)
            more = more and bool(page)
            last = int(page[-1]["SupplierId"]) if page else last

    def exchanges(self) -> tuple[Exchange, ...]:
        return self._api.client.exchanges()

    # Deciding

    def _one(self, **conditions: Any) -> Held | None:
        found = self._suppliers(equals(**conditions))
        return gather(self._api, found[:1], self._parts, LINKED)[0] if found else None

    def _suppliers(self, query: str) -> list[Item]:
        return self._api.collect("suppliers", {"q": query, **EXPANDED, **LINKED})

    def _search(self, reference: str, payload: Mapping[str, Any]) -> Held | None:
        """By our reference, by tax number, by name; never a supplier that belongs to another record."""
        mine = self._suppliers(equals(**{self._reference_field: PREFIX + reference}))
        if len(mine) > 1:
            raise _several(mine, "carry our reference")
        found = mine or self._by_tax_number(payload) or self._by_name(payload)
        return gather(self._api, found, self._parts, LINKED)[0] if found else None

    def _by_tax_number(self, payload: Mapping[str, Any]) -> list[Item]:
        """Groups share tax numbers: name or address must agree as well."""
        parties: dict[str, None] = {}
        for row in flat.rows(payload, TAXES).values() if TAXES in self._parts else ():
            number, country = str(row.get("RegistrationNumber") or ""), str(row.get("TaxRegimeCode") or "")[:2]
            spelled = dict.fromkeys((number, number.removeprefix(country), country + number.removeprefix(country)))
            query = f"{equals(TaxRegimeCode=row.get('TaxRegimeCode'))} and {one_of('RegistrationNumber', spelled)}"
            for item in self._api.collect(TAXES, {"q": query, **PLAIN}):
                parties[str(item.get("PartyNumber") or "")] = None
        found = self._suppliers(one_of("RegistryId", parties)) if parties else []
        return self._free(payload, found, "have this tax number")

    def _by_name(self, payload: Mapping[str, Any]) -> list[Item]:
        name = payload.get("Supplier")
        return self._free(payload, self._suppliers(equals(Supplier=name)), "have this name") if name else []

    def _free(self, payload: Mapping[str, Any], found: list[Item], what: str) -> list[Item]:
        """The one that belongs to no record yet and agrees in something else too; else a person decides."""
        free = [item for item in found if not reference_of(item, self._reference_field)]
        alike = [item for item in free if _alike(payload, item, by_name=what != "have this name")]
        if len(alike) == 1:
            return alike
        if free:
            raise _several(free, what)
        return []

    # Writing

    def _create(self, push: Push) -> Outcome:
        writer = self._writer()
        try:
            made = writer.create(push.payload, push.reference)
        except Refused:  # of a name that is taken, perhaps by an earlier, lost request of ours
            mine = self._suppliers(equals(**{self._reference_field: PREFIX + push.reference}))
            if not mine:
                raise
            return self._update(push, gather(self._api, mine, self._parts, LINKED)[0])
        number = str(made.get("SupplierNumber") or "")
        if not number:
            raise self._api.client.lost("The answer to the create names no supplier.")
        writer.bring(push.payload, Held(made), push.reference)
        return self._verified(push, number, "created")

    def _update(self, push: Push, held: Held) -> Outcome:
        writer = self._writer()
        writer.bring(push.payload, held, push.reference)
        if writer.written:
            return self._verified(push, held.key, "updated")
        return self._outcome(held.key, "unchanged", not differences(self._mapping, push.payload, held, self._parts))

    def _block(self, push: Push) -> Outcome:
        """Only the supplier of the key; without a key only the one that carries our reference."""
        reference = {self._reference_field: PREFIX + push.reference}
        found = self._suppliers(equals(**({"SupplierNumber": push.key} if push.key else reference)))
        if not found:
            return self._outcome(push.key or "", "unchanged", True)  # what is not there sells nothing
        held, wanted, writer = Held(found[0]), self._mapping.block_fields(), self._writer()
        writer.head(wanted, held, held.fields(), {})
        if not writer.written:
            return self._outcome(held.key, "unchanged", True)
        now = self._suppliers(equals(SupplierNumber=held.key))
        return self._outcome(held.key, "blocked", bool(now) and now[0].get("Status") == wanted["Status"])

    def _verified(self, push: Push, key: str, effect: Effect) -> Outcome:
        """Read back and compare with what we sent."""
        held = self._one(SupplierNumber=key)
        verified = held is not None and not differences(self._mapping, push.payload, held, self._parts)
        return self._outcome(key, effect, verified)

    def _outcome(self, key: str, effect: Effect, verified: bool) -> Outcome:
        return Outcome(key=key, effect=effect, verified=verified, exchanges=self.exchanges())

    # Small things

    def _writer(self) -> Writer:
        return Writer(self._api, self._mapping, self._parts, self._reference_field)

    def _open(self, path: str, params: Mapping[str, str]) -> bool:
        finder = {"finder": "SearchExternalBankAccount;Intent=Supplier"} if path == BANKS else {}
        try:
            self._api.page(path, {**params, **finder})
        except (Unauthorised, Refused) as error:
            if error.status in (403, 404):
                return False
            raise
        return True

    def _start(self, type: str, payload: Mapping[str, Any] | None = None) -> None:
        self._expect(type)
        self._api.client.begin(conceal=self._mapping.sealed_values(payload or {}))

    def _expect(self, type: str) -> None:
        if type not in self.types:
            raise NotSupported(f"{self.title} takes no {type} from the hub.")


connector = OracleFusionConnector


def _several(found: list[Item], what: str) -> Refused:
    listed = ", ".join(f"{item.get('SupplierNumber')} “{item.get('Supplier')}”" for item in found[:5])
    words = f"Suppliers of Oracle that {what}: {listed}. Link the right one, or correct the supplier."
    return Refused(words, problems=(FieldProblem("SupplierNumber", "maybe_there_already", words),))


def _alike(ours: Mapping[str, Any], theirs: Item, *, by_name: bool) -> bool:
    """Same name (unless that was what found it), DUNS or taxpayer id, or an address in common."""

    def agree(left: Any, right: Any) -> bool:
        plain = canonical(left, ("identifier",))
        return bool(plain) and plain == canonical(right, ("identifier",))

    if by_name and agree(ours.get("Supplier"), theirs.get("Supplier")):
        return True
    if any(agree(ours.get(name), theirs.get(name)) for name in ("DUNSNumber", "TaxpayerId")):
        return True
    places = ("AddressLine1", "PostalCode")
    return any(
        all(agree(mine.get(name), other.get(name)) for name in places)
        for mine in flat.rows(ours, ADDRESSES).values()
        for other in items_of(theirs.get(ADDRESSES))
    )
