"""Owns the stand-in for Dynamics 365 Finance: its OData V4 service over the vendors of an extract.

It follows published documents and proves "as documented", not "as is":
[odata] learn.microsoft.com, fin-ops-core, dev-itpro/data-entities/odata (page of 19 June 2020): addressing, query
options, cross-company behaviour, enums, wildcards, pages of 10,000;
[batch] the section *Batch requests* of [odata], and the specification it names: `sandbox_batch.py`;
[csdl] the specification named in `sandbox_schema.py`: entity sets, keys, POST 201, PATCH 200, If-Match, errors;
[entra] learn.microsoft.com, identity-platform/v2-oauth2-client-creds-grant-flow: the token request and its errors;
[throttle] learn.microsoft.com, fin-ops-core, priority-based throttling: 429 with Retry-After under load, no fixed rate.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from sync import flat
from sync.connectors.dynamics365 import sandbox_batch as batch
from sync.connectors.dynamics365 import sandbox_records as records
from sync.connectors.dynamics365 import sandbox_rules as rules
from sync.connectors.dynamics365 import sandbox_seed as seeds
from sync.connectors.dynamics365.sandbox_filters import no_property, read_filter
from sync.connectors.dynamics365.sandbox_schema import NAMESPACE, PARTY, SETS, EntitySet, metadata
from sync.connectors.dynamics365.shape import BANKS, VENDORS
from sync.sandbox import Fail, Request, Response, main, route
from sync.sandbox_store import Row

MAX_PAGE = 10_000
CONFLICT = (
    "An update conflict occurred due to another user process deleting the record or changing one or more fields in "
    "the record."
)
ENTITY = r"/data/(?P<name>\w+)\((?P<key>.+)\)"
Fields = dict[str, Any]


class Dynamics365Sandbox(batch.BatchRoute):
    name: ClassVar[str] = "dynamics365"
    title: ClassVar[str] = "Dynamics 365 Finance"
    indexes = {"supplier": ("VendorAccountNumber", "TaxExemptNumber", "VendorPartyNumber")}
    refuse_field = "VendorOrganizationName"
    default_company = "nh01"  # of the user the application is mapped to
    token_life = 3599.0
    without: frozenset[str] = frozenset()  # entity sets that this environment lacks
    conflicts = 0  # how many changes its own record lock refuses next

    def plant(self) -> None:
        """Companies, payment terms, dimensions and accounts are there before any vendor is."""
        planted = (("legal_entity", seeds.companies()), ("payment_term", seeds.terms()))
        for type, rows in (*planted, *seeds.dimensions(), ("gl_account", seeds.accounts())):
            for key, fields in rows:
                self.store.put(type, key, self._stamped(fields), log=False)
        super().plant()

    def seed(self, file: Path) -> Iterator[tuple[str, str, Fields]]:
        for key, fields in seeds.vendors(file):
            fields.setdefault("VendorPartyNumber", self._party_number())
            yield "supplier", key, self._stamped(fields)

    def mutated(self, row: Row, field: str, value: Any) -> Fields:
        part, id, leaf = flat.split_name(field)
        if leaf in ("dataAreaId", "VendorAccountNumber", "VendorBankAccountId", "VendorPartyNumber"):
            return row.fields  # keys do not change
        fields = {**row.fields, field: value}
        if row.type == "supplier" and not part:
            rules.derive(fields)
            records.share(self.store, row.key, fields)
        version = flat.join_name(part, id, "RecVersion")
        return {**fields, version: int(fields.get(version, 0)) + 1}

    def error(self, fail: Fail) -> Response:
        """[csdl] `{"error": {code, message, innererror}}`; why a write failed stands in the Infolog of the latter."""
        words, inner = fail.message, {}
        if fail.status == 400 and fail.code != "odata":
            entity = fail.code or "VendVendorV3Entity"
            log = f"Infolog: Warning: {fail.message}; Warning: validateWrite failed on data source 'VendTable (VendTable)'."
            inner = {"message": f"Write failed for table row of type '{entity}'. {log}"}
        elif fail.status == 400:
            inner = {"message": fail.message}
        body: Fields = {"code": "", "message": "An error has occurred." if inner else words}
        if inner:
            body["innererror"] = {**inner, "type": "Microsoft.OData.ODataException", "stacktrace": ""}
        return Response(fail.status, {"error": body}, dict(fail.headers))

    def answer(self, request: Request) -> Response:
        if request.path.startswith("/data") and not self.has_token(request):
            return self.error(Fail(401, "Authentication failed.", headers={"WWW-Authenticate": "Bearer"}))
        response = super().answer(request)
        response.headers.setdefault("OData-Version", "4.0")
        return response

    @route("POST", r"(?:/[\w.-]+)?/oauth2/v2\.0/token")
    def token(self, request: Request) -> Response:
        """[entra] client_credentials with the scope `{environment}/.default`; tokens last an hour."""
        form = request.form()
        if form.get("grant_type") != "client_credentials":
            return _refused("unsupported_grant_type", "AADSTS70003: The app requested an unsupported grant type.")
        if not self.has_client(request):
            return _refused("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
        if form.get("scope") != f"{request.base_url}/.default":
            words = "AADSTS1002012: The provided value for scope is not valid; it ends with /.default."
            return _refused("invalid_scope", words)
        token = self.issue_token(self.token_life)
        return Response(200, {"token_type": "Bearer", "expires_in": int(self.token_life), "access_token": token})

    @route("GET", r"/data/?")
    def service(self, request: Request) -> Response:
        """[odata] the service root: every entity set."""
        names = [name for name in SETS if name not in self.without]
        return Response(200, {"value": [{"name": name, "kind": "EntitySet", "url": name} for name in names]})

    @route("GET", r"/data/\$metadata")
    def describe(self, request: Request) -> Response:
        return Response(200, metadata(self.without), {"Content-Type": "application/xml"})

    @route("GET", r"/data/(?P<name>\w+)")
    def collection(self, request: Request, name: str) -> Response:
        """[odata] $filter, $select, $orderby, $top, $skip, $count; pages that link to the next."""
        item, query = self._set(name), request.query
        type = f"{NAMESPACE}.{item.entity}"
        test = read_filter(query.get("$filter", ""), item.properties, type)
        found = [
            entity
            for entity in records.entities(self.store, item, test)
            if self._is_visible(request, entity) and (test is None or test.holds(entity))
        ]
        for order in reversed([text.strip() for text in query.get("$orderby", "").split(",") if text.strip()]):
            leaf, _, way = order.partition(" ")
            if leaf not in item.properties:
                raise no_property(leaf, type)
            found.sort(key=lambda entity: str(entity[leaf]), reverse=way == "desc")
        skip, top = int(query.get("$skip", 0)), int(query.get("$top", len(found)))
        asked = re.search(r"odata\.maxpagesize=(\d+)", request.header("prefer"))
        size = min(int(asked[1]), MAX_PAGE) if asked else MAX_PAGE
        page = found[skip : skip + min(top, size)]
        body: Fields = {"@odata.context": f"{request.base_url}/data/$metadata#{name}"}
        if query.get("$count") == "true":
            body["@odata.count"] = len(found)
        body["value"] = [records.selected(item, entity, query.get("$select", "")) for entity in page]
        if skip + len(page) < min(len(found), skip + top):
            rest = {
                **query,
                "$skip": str(skip + len(page)),
                **({"$top": str(top - len(page))} if "$top" in query else {}),
            }
            text = "&".join(f"{part}={quote(value)}" for part, value in rest.items())
            body["@odata.nextLink"] = f"{request.base_url}/data/{name}?{text}"
        return Response(200, body)

    @route("GET", ENTITY)
    def entity(self, request: Request, name: str, key: str) -> Response:
        """[odata] one entity by its whole key."""
        item = self._set(name)
        _, entity = self._one(request, item, key)
        return Response(200, records.selected(item, entity, request.query.get("$select", "")))

    @route("POST", r"/data/(?P<name>\w+)")
    def create(self, request: Request, name: str) -> Response:
        """[csdl] 201 with the entity."""
        item = self._set(name)
        body = rules.incoming(item, request.json(), creating=True)
        if "dataAreaId" in item.properties:
            body["dataAreaId"] = str(body.get("dataAreaId") or self.default_company).lower()
            if self.store.get("legal_entity", body["dataAreaId"].upper()) is None:
                raise Fail(400, f"Company '{body['dataAreaId']}' does not exist or cannot be accessed.")
        makers = {VENDORS: self._make_vendor, BANKS: self._make_account, "PaymentTerms": self._make_keyed}
        makers |= dict.fromkeys((records.VALUES, "MainAccounts"), self._make_keyed)
        if name not in makers:
            raise Fail(405, f"{name} cannot be created here.", code="odata")
        return Response(201, records.shown(item, makers[name](item, body)), {"OData-Version": "4.0"})

    @route("PATCH", ENTITY)
    def change(self, request: Request, name: str, key: str) -> Response:
        """[csdl] changes what is sent; with an If-Match that no longer fits: 412."""
        item = self._set(name)
        row, entity = self._one(request, item, key)
        given = request.header("if-match")
        if given and given not in ("*", entity["@odata.etag"]):
            raise Fail(412, "The record was changed by somebody else since it was read.", code="odata")
        if self.conflicts:
            self.conflicts -= 1
            raise Fail(400, f"Cannot edit a record in {item.table} ({item.source}). {CONFLICT}")
        body = rules.incoming(item, request.json(), creating=False)
        prefix = f"{BANKS}[{entity['VendorBankAccountId']}]." if name == BANKS else ""
        fields = {**row.fields, **{prefix + leaf: value for leaf, value in body.items()}}
        self._check(item, records.leaves(fields, prefix))
        if not prefix:
            rules.derive(fields)
        if name == VENDORS:
            records.share(self.store, row.key, fields)
        fields[f"{prefix}RecVersion"] = int(fields.get(f"{prefix}RecVersion", 0)) + 1
        self.store.put(row.type, row.key, fields)
        return Response(
            200, records.shown(item, {**records.leaves(fields, prefix), **{k: entity[k] for k in item.key}})
        )

    # Making

    def _make_vendor(self, item: EntitySet, body: Fields) -> Fields:
        """Without a number the number sequence gives one: whoever repeats such a request has two vendors."""
        area = body["dataAreaId"]
        number = body.get("VendorAccountNumber") or f"{area.upper()}-{self.store.next_number(f'vendor {area}', 900001)}"
        party = self._known_party(area, str(body.get("VendorPartyNumber") or ""))
        company = self.store.get("legal_entity", area.upper())
        fields: Fields = {"VendorPartyType": "Organization", "OnHoldStatus": "No", "LanguageId": "en-US"}
        fields["CurrencyCode"] = company.fields.get("AccountingCurrency") if company else ""
        fields.update({leaf: party[leaf] for leaf in PARTY if party.get(leaf)})
        fields.update({leaf: value for leaf, value in body.items() if value != ""})
        fields["VendorAccountNumber"] = number
        fields["VendorPartyNumber"] = party.get("VendorPartyNumber") or self._party_number()
        if self.store.get("supplier", f"{area}/{number}"):
            raise _twice(item, f"Vendor account: {number}")
        self._check(item, fields)
        rules.derive(fields)
        records.share(self.store, f"{area}/{number}", fields)
        return self.store.put("supplier", f"{area}/{number}", self._stamped(fields)).fields

    def _make_account(self, item: EntitySet, body: Fields) -> Fields:
        row = self.store.get("supplier", f"{body['dataAreaId']}/{body.get('VendorAccountNumber', '')}")
        if row is None:
            words = f"The value '{body.get('VendorAccountNumber', '')}' in field 'Vendor account' is not found"
            raise Fail(400, f"{words} in the related table 'Vendors'.")
        id = body.get("VendorBankAccountId", "")
        if not id:
            raise Fail(400, "Field 'Bank account' must be filled in.")
        if f"{BANKS}[{id}].RecId" in row.fields or records.leaves(row.fields, f"{BANKS}[{id}]."):
            raise _twice(item, f"Bank account: {id}")
        self._check(item, body)
        own = self._stamped(
            {leaf: value for leaf, value in body.items() if leaf not in ("dataAreaId", "VendorAccountNumber")}
        )
        self.store.put("supplier", row.key, {**row.fields, **{f"{BANKS}[{id}].{leaf}": v for leaf, v in own.items()}})
        return {**own, "dataAreaId": body["dataAreaId"], "VendorAccountNumber": body["VendorAccountNumber"]}

    def _make_keyed(self, item: EntitySet, body: Fields) -> Fields:
        """A record that its key names; there is no number sequence for it."""
        self._check(item, body)
        key, type = "/".join(str(body.get(name) or "") for name in item.key), records.type_of(item, body)
        if self.store.get(type, key):
            raise _twice(item, f"{item.key[-1]}: {body.get(item.key[-1])}")
        return self.store.put(type, key, self._stamped(body)).fields

    # Small things

    def _set(self, name: str) -> EntitySet:
        if name not in SETS or name in self.without:
            raise Fail(404, f"No HTTP resource was found that matches the request URI '/data/{name}'.")
        return SETS[name]

    def _one(self, request: Request, item: EntitySet, key: str) -> tuple[Row, Fields]:
        values = records.read_key(item, key)
        names = [name for name in item.key if name != "VendorBankAccountId"]
        row = self.store.get(records.type_of(item, values), "/".join(values[name] for name in names))
        for entity in records.entities_of(row, item) if row else ():
            fits = item.name != BANKS or entity["VendorBankAccountId"] == values["VendorBankAccountId"]
            if row and fits and self._is_visible(request, {**entity, **values}):
                return row, entity
        raise Fail(404, f"No resource was found for {item.name}({key}).")

    def _is_visible(self, request: Request, entity: Mapping[str, Any]) -> bool:
        """[odata] without `cross-company=true` only what belongs to the user's default company."""
        area = entity.get("dataAreaId", self.default_company)
        return request.query.get("cross-company") == "true" or area == self.default_company

    def _check(self, item: EntitySet, fields: Mapping[str, Any]) -> None:
        area = str(fields.get("dataAreaId", ""))
        known = [row.fields["Name"] for row in self.store.where("payment_term", "dataAreaId", area)]
        rules.check(item, fields, frozenset(known) if item.name == VENDORS else None)

    def _known_party(self, area: str, number: str) -> Fields:
        """The party of a number that was given; one supplier has one vendor in a company."""
        if not number:
            return {}
        vendors = self.store.where("supplier", "VendorPartyNumber", number)
        if not vendors:
            raise Fail(
                400, f"The value '{number}' in field 'Party number' is not found in the related table 'Parties'."
            )
        if any(row.fields["dataAreaId"] == area for row in vendors):
            raise Fail(400, f"A vendor for the party {number} already exists in this company.")
        return vendors[0].fields

    def _party_number(self) -> str:
        return f"{self.store.next_number('party', 1001):09d}"

    def _stamped(self, fields: Fields) -> Fields:
        """A new record has its id and its first version; the accounts that came with it too."""
        accounts = {name: name.replace(".RecVersion", ".RecId") for name in fields if name.endswith("].RecVersion")}
        ids = {id: self.store.next_number("record", 22565430001) for id in ("RecId", *accounts.values())}
        return {**fields, "RecVersion": 1, **ids}


def _refused(error: str, words: str, status: int = 400) -> Response:
    return Response(status, {"error": error, "error_description": words})


def _twice(item: EntitySet, which: str) -> Fail:
    words = f"Cannot create a record in {item.table} ({item.source}). {which}. The record already exists."
    return Fail(400, words, code=f"Vend{item.entity}Entity")


if __name__ == "__main__":
    sys.exit(main(Dynamics365Sandbox))
