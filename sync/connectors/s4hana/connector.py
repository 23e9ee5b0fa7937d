"""Owns pushing to and reading from SAP S/4HANA: find, decide, write, read back."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from sync import flat
from sync.auth import BasicAuth, OAuth2
from sync.connectors.s4hana.catalogue import Catalogue, discover
from sync.connectors.s4hana.cost_centers import SET as PERIODS
from sync.connectors.s4hana.cost_centers import CostCenters
from sync.connectors.s4hana.entities import HEAD, REFERENCE, ROLES, SERVICE, SETS, SUPPLIER, TOKEN_PATH
from sync.connectors.s4hana.odata import Session, explain, key_of, literal
from sync.connectors.s4hana.record import TAX, Held, expansion, held, tax_conditions
from sync.connectors.s4hana.several import Made, Question, Several
from sync.connectors.s4hana.writing import Planner, Write
from sync.errors import FieldProblem, NotSupported, Refused, Separately, SyncError
from sync.http import Client
from sync.mapping import load
from sync.protocol import Answer, Capability, Config, Exchange, Health, Outcome, Push, RemoteRecord

MAPPING = Path(__file__).with_name("mapping.yaml")
Effect = Literal["created", "updated", "blocked", "unchanged"]
PAGE = 40  # expanded suppliers a page; the answer stays below the size limit


class S4HanaConnector:
    """Suppliers through API_BUSINESS_PARTNER (OData V2), cost centers through API_COST_CENTER (OData V4).

    Class D: numbers of suppliers are given by the system, so a create is safe only by finding our reference first and
    waiting out a lost request. Updates carry If-Match: none overwrites what it has not read. Cost centers are class C:
    their key is ours.
    """

    name: ClassVar[str] = "s4hana"
    title: ClassVar[str] = "SAP S/4HANA"
    capability: ClassVar[Capability] = "D"
    types: ClassVar[tuple[str, ...]] = ("supplier", "cost_center")
    max_inflight_s: ClassVar[float] = 600.0  # rdisp/max_wprun_time as delivered: a dialog step ends by then
    bulk_size: ClassVar[int] = 10  # made one after the other, all within the time of one request
    bulk_types: ClassVar[tuple[str, ...]] = ("supplier",)

    def __init__(self, config: Config) -> None:
        options = config.options
        self.config = config
        self.mapping = load(MAPPING, "supplier")
        self.reference_field = str(options.get("reference_field", REFERENCE))
        self.roles = tuple(options.get("roles", ROLES))
        standing = {"Accept-Language": str(options.get("language", "en")), **options.get("headers", {})}
        if options.get("sap_client"):
            standing["sap-client"] = str(options["sap_client"])
        sensitive = [flat.split_name(name)[2] for name in self.mapping.sealed_fields]
        self.client = Client(config, headers=standing, explain=explain, sensitive=sensitive)
        basic = options.get("auth", "oauth2") == "basic"
        self.client.auth = BasicAuth(config) if basic else OAuth2(self.client, config, url=TOKEN_PATH)
        self.session = Session(self.client, str(options.get("service", SERVICE)))
        self.several = Several(self.session)
        self.centers = CostCenters(self.client, load(MAPPING, "cost_center"), options)

    def check(self) -> Health:
        """Sign in, read one supplier, and say which parts of the mapping have a place here."""
        self.client.begin()
        try:
            catalogue = discover(self.client, self.session.service, fresh=True)
            self.session.results(HEAD, {"top": "1", "format": "json"})
            has_centers = self._has_centers()
        except SyncError as error:
            return Health(False, error.message)
        reachable = set(catalogue.reachable())
        missing = tuple(name for name in self.mapping.parts if name not in reachable)
        missing += () if has_centers else (PERIODS,)
        pushable = {part: part in reachable for part in self.mapping.parts}
        if not catalogue.knows(HEAD, self.reference_field):
            words = f"The system has no {self.reference_field}: suppliers can be updated here but not created."
            return Health(True, words, pushable, (*missing, f"{HEAD}.{self.reference_field}"))
        words = f"Connected; not available here: {', '.join(missing)}." if missing else "Connected."
        return Health(True, words, pushable, missing)

    def push(self, push: Push) -> Outcome:
        """Make it true; never a second business partner where one can be found."""
        self._begin(push)
        if push.type == "cost_center":
            return self.centers.push(push)
        catalogue = self._catalogue(push.type)
        found = self._locate(push, catalogue)
        if push.action == "block":
            return self._block(push, catalogue, found)
        if found is None:
            return self._create(push, catalogue)
        return self._update(push, catalogue, found)

    def find_many(self, pushes: Sequence[Push]) -> list[bool]:
        catalogue = self._begin_many(pushes)
        return self.several.found([self._questions(catalogue, push.reference, push.payload) for push in pushes])

    def push_many(self, pushes: Sequence[Push]) -> list[Answer]:
        """New suppliers in one request, each made or refused by itself. SAP keeps nothing of ours unique and would make
        a second one without a word, so all are looked for once more, just before."""
        try:
            catalogue = self._begin_many(pushes)
            there = self.several.found([self._questions(catalogue, push.reference, push.payload) for push in pushes])
            new = [push for push, known in zip(pushes, there, strict=True) if not known]
            bodies = [self._new(push, catalogue) for push in new]
        except SyncError as error:
            return [Answer(error)] * len(pushes)
        made = self.several.make(new, bodies)
        shown = self.several.shown([one.key for one in made if one.key], self._expanded(catalogue))
        answers = iter([self._answer(push, catalogue, one, shown) for push, one in zip(new, made, strict=True)])
        known = Answer(Separately("It may be there already: it goes alone."))
        return [known if one else next(answers) for one in there]

    def read(self, type: str, key: str) -> RemoteRecord | None:
        self.client.begin()
        if type == "cost_center":
            return self.centers.read(key)
        found = self._read(self._catalogue(type), key)
        return found.record if found else None

    def find(self, type: str, reference: str, payload: Mapping[str, Any]) -> RemoteRecord | None:
        self.client.begin(conceal=self.mapping.sealed_values(payload))
        if type == "cost_center":
            return self.centers.find(payload)
        found = self._find(self._catalogue(type), reference, payload)
        return found.record if found else None

    def scan(self, type: str, changed_since: str | None = None) -> Iterator[RemoteRecord]:
        """By key, not by offset, so that no page is skipped while others write.

        `changed_since` looks at the business partner's own change date; changes of a bank account or a
        company code need not touch it, so a drift run that must be complete leaves it out.
        """
        self.client.begin()
        if type == "cost_center":
            yield from self.centers.scan()
            return
        catalogue = self._catalogue(type)
        top = str(self.config.options.get("page_size", PAGE))
        fixed = f" and LastChangeDate ge datetime'{changed_since[:10]}T00:00:00'" if changed_since else ""
        last = ""
        while True:
            options = {
                "filter": f"Supplier ne '' and BusinessPartner gt {literal(last)}{fixed}",
                "orderby": "BusinessPartner",
                "top": top,
                **self._expanded(catalogue),
            }
            page = self.session.results(HEAD, options)
            for entity in page:
                yield held(entity, self.reference_field).record
            if len(page) < int(top):
                return
            last = str(page[-1]["BusinessPartner"])

    def exchanges(self) -> tuple[Exchange, ...]:
        return self.client.exchanges()

    def reference_of(self, reference: str) -> str:
        """Our id in the 20 characters the platform has for it."""
        if len(reference) <= 20:
            return reference
        return "MDM-" + b32encode(hashlib.sha256(reference.encode()).digest()).decode()[:16]

    def _begin(self, push: Push) -> None:
        self.client.begin(
            correlation_id=push.correlation_id,
            conceal=self.mapping.sealed_values(push.payload),
            Idempotency_Key=push.idempotency_key,  # not honoured by the platform; it stands in its logs
        )

    def _begin_many(self, pushes: Sequence[Push]) -> Catalogue:
        self.client.begin(conceal=[value for push in pushes for value in self.mapping.sealed_values(push.payload)])
        return self._catalogue(pushes[0].type)

    def _catalogue(self, type: str) -> Catalogue:
        if type not in self.types:
            raise NotSupported(f"This connector does not carry “{type}”.")
        catalogue = discover(self.client, self.session.service)
        if not catalogue.has(HEAD):
            raise NotSupported(f"The service {self.session.service} has no {HEAD}.")
        return catalogue

    def _has_centers(self) -> bool:
        """A user of suppliers alone may not see them, and an older system has no such service."""
        try:
            return self.centers.offered()
        except Refused:
            return False

    def _planner(self, catalogue: Catalogue) -> Planner:
        return Planner(self.mapping, catalogue, self.roles, self.config.options.get("on_create", {}))

    def _expanded(self, catalogue: Catalogue) -> dict[str, str]:
        navigation = expansion(catalogue)
        return {"format": "json", **({"expand": navigation} if navigation else {})}

    def _read(self, catalogue: Catalogue, key: str) -> Held | None:
        address = f"{HEAD}({key_of(SETS[HEAD].keys, {'BusinessPartner': key})})"
        entity = self.session.get(address, self._expanded(catalogue))
        return held(entity, self.reference_field) if entity else None

    def _locate(self, push: Push, catalogue: Catalogue) -> Held | None:
        found = self._read(catalogue, push.key) if push.key else None
        found = found or self._find(catalogue, push.reference, push.payload)
        if found is None and push.key:
            words = f"The system holds no business partner {push.key}; check the crosswalk, nothing was created."
            raise Refused(words, problems=(FieldProblem("BusinessPartner", "key_unknown", words),))
        return found

    def _find(self, catalogue: Catalogue, reference: str, payload: Mapping[str, Any]) -> Held | None:
        keys: dict[str, None] = {}
        for path, options in self._questions(catalogue, reference, payload):
            if path == HEAD:
                if found := self._only(catalogue, options["filter"], "our reference"):
                    return found
                continue
            for entity in self.session.results(path, options):
                keys[str(entity.get("BusinessPartner"))] = None
        if not keys:
            return None
        condition = " or ".join(f"BusinessPartner eq {literal(key)}" for key in keys)
        return self._only(catalogue, condition, "the tax number")

    def _questions(self, catalogue: Catalogue, reference: str, payload: Mapping[str, Any]) -> list[Question]:
        """What finds a supplier: our reference, then its tax numbers."""
        asked: list[Question] = []
        if catalogue.knows(HEAD, self.reference_field):
            condition = f"{self.reference_field} eq {literal(self.reference_of(reference))}"
            asked.append((HEAD, {"filter": condition, "format": "json"}))
        if catalogue.has(TAX):
            conditions = tax_conditions(catalogue.keep_known(payload))
            asked += [(TAX, {"filter": condition, "format": "json"}) for condition in conditions]
        return asked

    def _only(self, catalogue: Catalogue, condition: str, what: str) -> Held | None:
        """The one supplier that fits; several are a decision for a person."""
        options = {"filter": condition, "top": "20", **self._expanded(catalogue)}
        found = [held(entity, self.reference_field) for entity in self.session.results(HEAD, options)]
        if what != "our reference":  # those that carry another record's reference are another record's
            found = [item for item in found if not item.record.reference.startswith("MDM-")]
        if len(found) > 1:
            keys = ", ".join(item.record.key for item in found)
            words = f"Several business partners carry {what}: {keys}. Link the right one, then push again."
            raise Refused(words, problems=(FieldProblem("BusinessPartner", "several", words),))
        return found[0] if found else None

    def _create(self, push: Push, catalogue: Catalogue) -> Outcome:
        created = self.session.post(HEAD, self._new(push, catalogue))
        key = str(created.get("BusinessPartner") or "")
        found = self._read(catalogue, key) if key else None
        if found is None:
            raise self.client.lost("The answer to the create names no business partner that can be read.")
        return self._outcome(push, catalogue, found, "created")

    def _new(self, push: Push, catalogue: Catalogue) -> dict[str, Any]:
        if not catalogue.knows(HEAD, self.reference_field):
            raise NotSupported(
                f"This system has no {self.reference_field} to carry our reference; a lost answer could "
                "double the supplier, so nothing is created."
            )
        body = self._planner(catalogue).deep_insert(push.payload)
        body[self.reference_field] = self.reference_of(push.reference)
        return body

    def _answer(self, push: Push, catalogue: Catalogue, made: Made, shown: Mapping[str, Mapping[str, Any]]) -> Answer:
        if made.error:
            return Answer(made.error, made.said)
        found = held(shown[made.key], self.reference_field) if made.key in shown else None
        verified = found is not None and not self._planner(catalogue).differences(push.payload, found)
        return Answer(Outcome(made.key, "created", verified), made.said)

    def _update(self, push: Push, catalogue: Catalogue, found: Held) -> Outcome:
        planner, written = self._planner(catalogue), False
        for write in planner.missing_roles(push.payload, found):
            self.session.post(write.path, write.body)
            written = True
        if written:
            found = self._read(catalogue, found.record.key) or found
        link = self._link(push, catalogue, found)
        for write in planner.changes(push.payload, found, link):
            self._send(write)
            written = True
        if written:
            found = self._read(catalogue, found.record.key) or found
        return self._outcome(push, catalogue, found, "updated" if written else "unchanged")

    def _block(self, push: Push, catalogue: Catalogue, found: Held | None) -> Outcome:
        if found is None:
            return Outcome("", "unchanged", True, self.client.exchanges())  # nothing there that could be used
        wanted = catalogue.keep_known(self.mapping.block_fields())
        if not found.handle(SUPPLIER):
            wanted = {name: value for name, value in wanted.items() if flat.part_of(name) != SUPPLIER}
        planner, written = self._planner(catalogue), False
        for write in planner.changes(wanted, found, {}):
            self._send(write)
            written = True
        if written:
            found = self._read(catalogue, found.record.key) or found
        verified = not planner.differences(wanted, found)
        effect: Effect = "blocked" if written else "unchanged"
        return Outcome(found.record.key, effect, verified, self.client.exchanges())

    def _link(self, push: Push, catalogue: Catalogue, found: Held) -> dict[str, Any]:
        """Our reference, where the field is free; somebody else's stays, the crosswalk knows the key."""
        if found.record.reference or not catalogue.knows(HEAD, self.reference_field):
            return {}
        return {self.reference_field: self.reference_of(push.reference)}

    def _send(self, write: Write) -> None:
        if write.handle:
            self.session.patch(write.path, write.body, write.handle.etag)
        else:
            self.session.post(write.path, write.body)

    def _outcome(self, push: Push, catalogue: Catalogue, found: Held, effect: Effect) -> Outcome:
        verified = not self._planner(catalogue).differences(push.payload, found)
        return Outcome(found.record.key, effect, verified, self.client.exchanges())


connector = S4HanaConnector
