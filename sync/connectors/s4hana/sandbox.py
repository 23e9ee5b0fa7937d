"""Owns the stand-in for SAP S/4HANA: API_BUSINESS_PARTNER (OData V2) over the suppliers of the ERP extract; beside it
stands API_COST_CENTER, see `cost_center_service.py`; several requests in one are in `batch_service.py`.

It follows published documents and proves "as documented", not "as is":
[edmx] API_BUSINESS_PARTNER.edmx, SAP-samples/cloud-cap-risk-management c32ad05;
[csrf] community.sap.com 13427700, CSRF token handling of SAP Gateway;
[etag] SAP Cloud SDK, virtual data model: If-Match on update;
[vdm] @sap/cloud-sdk-vdm-business-partner-service 1.28.2;
[mdm] community.sap.com 14084248, read the state, then choose POST or PATCH per child.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from sync import flat
from sync.connectors.s4hana import batch_service, gateway
from sync.connectors.s4hana.cost_center_service import TYPE, CostCenterService, Fail4
from sync.connectors.s4hana.cost_centers import SERVICE4
from sync.connectors.s4hana.entities import HEAD, REFERENCE, SERVICE, SETS, TOKEN_PATH, EntitySet
from sync.connectors.s4hana.filters import after_key, compile_filter, equalities, literals
from sync.connectors.s4hana.inserting import insert, insert_below
from sync.connectors.s4hana.schema import PROPERTIES, metadata
from sync.connectors.s4hana.seed import read_extract
from sync.sandbox import Fail, Request, Response, Sandbox, main, route
from sync.sandbox_store import Row

FIRST_NUMBER = 1_000_001  # of the internal number range; the extract's suppliers are older
SESSION = "SAP_SESSIONID_S4H_100"
ENTITY = rf"{SERVICE}/(?P<name>A_\w+)\((?P<key>.*)\)"


class S4HanaSandbox(CostCenterService, Sandbox):
    name: ClassVar[str] = "s4hana"
    title: ClassVar[str] = "SAP S/4HANA"
    indexes = {"supplier": (f"{HEAD}.{REFERENCE}",)}
    refuse_field = "OrganizationBPName1"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._csrf: dict[str, str] = {}
        super().__init__(*args, **kwargs)

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        highest = 0
        for key, fields in read_extract(file):
            gateway.derive(fields)
            self._stamp(fields, 1)
            highest = max(highest, int(key) if key.isdigit() and int(key) >= FIRST_NUMBER else 0)
            yield "supplier", key, fields
        if highest:
            self.store.raise_number("BP", highest)
        yield from self.seed_cost_centers()

    def forget_sessions(self) -> None:
        self._csrf.clear()

    def mutated(self, row: Row, field: str, value: Any) -> dict[str, Any]:
        fields = {**row.fields, field: value}
        if row.type == TYPE:
            return fields
        if field.startswith(f"{HEAD}.OrganizationBPName"):
            gateway.derive(fields)
        self._stamp(fields, row.etag + 1)
        return fields

    def error(self, fail: Fail) -> Response:
        """[edmx] errors of OData V2: code, message {lang, value}, and every detail with its property."""
        code = fail.code or "/IWBEP/CX_MGW_TECH_EXCEPTION"
        detail = {"code": code, "message": fail.message, "propertyref": fail.field, "severity": "error"}
        inner = {"transactionid": secrets.token_hex(16).upper(), "errordetails": [detail]}
        body = {"code": code, "message": {"lang": "en", "value": fail.message}, "innererror": inner}
        if isinstance(fail, Fail4):
            body = {"code": code, "message": fail.message, "target": fail.field, "details": []}
        return Response(fail.status, {"error": body}, dict(fail.headers))

    def answer(self, request: Request) -> Response:
        """[csrf] Sign-in first, then the token of the session for everything that changes data."""
        if request.path.startswith((SERVICE, SERVICE4)):
            if not (self.has_basic(request) or self.has_token(request)):
                headers = {"WWW-Authenticate": 'Basic realm="SAP NetWeaver Application Server"'}
                return self.error(Fail(401, "Logon failed", headers=headers))
            if request.method not in ("GET", "HEAD") and not self._has_csrf(request):
                headers = {"x-csrf-token": "Required"}
                return self.error(Fail(403, "CSRF token validation failed", code="/IWFND/CM_CSRF", headers=headers))
        response = self._several(request) if batch_service.is_batch(request) else super().answer(request)
        if request.method == "GET" and request.header("x-csrf-token").lower() == "fetch" and response.status == 200:
            self._give_csrf(request, response)
        return response

    def is_read(self, request: Request) -> bool:
        return super().is_read(request) or batch_service.only_reads(request)

    def next_fault(self, request: Request) -> str:
        """For planned faults a batch that changes nothing counts as GET."""
        return super().next_fault(replace(request, method="GET") if batch_service.only_reads(request) else request)

    @route("POST", TOKEN_PATH)
    def token(self, request: Request) -> Response:
        """OAuth 2.0 client credentials (RFC 6749, 4.4), the path SAP Gateway serves it at."""
        if request.form().get("grant_type") != "client_credentials":
            return Response(400, {"error": "unsupported_grant_type"})
        if not self.has_client(request):
            return Response(401, {"error": "invalid_client"})
        answer = {"access_token": self.issue_token(), "token_type": "Bearer", "expires_in": 3600}
        return Response(200, {**answer, "scope": "API_BUSINESS_PARTNER_0001"})

    @route("GET", f"{SERVICE}/?")
    def service_document(self, request: Request) -> Response:
        """OData V2 service document; also where clients fetch their CSRF token [csrf]."""
        return Response(200, {"d": {"EntitySets": list(SETS)}})

    @route("GET", rf"{SERVICE}/\$metadata")
    def describe(self, request: Request) -> Response:
        """[edmx] reduced to the entity sets a supplier consists of."""
        return Response(200, metadata(), {"Content-Type": "application/xml;charset=utf-8"})

    @route("GET", rf"{SERVICE}/(?P<name>A_\w+)(?P<count>/\$count)?")
    def collection(self, request: Request, name: str, count: str | None) -> Response:
        """[vdm] $filter, $orderby by key, $top, $skip, $expand, $inlinecount."""
        entity_set, query = self._set(name), request.query
        condition = query.get("$filter", "")
        test = compile_filter(condition, PROPERTIES[name]) if condition else None
        expand = gateway.read_expand(query.get("$expand", ""), name)
        skip, top = _number(query, "$skip", 0), _number(query, "$top", None)
        counted = bool(count) or query.get("$inlinecount") == "allpages"
        found: list[dict[str, Any]] = []
        total, base = 0, request.base_url + SERVICE
        for row, leaves in self._candidates(entity_set, condition):
            if test is not None and not test(leaves):
                continue
            total += 1
            if total > (skip or 0) and (top is None or len(found) < top) and not count:
                found.append(gateway.render(row, name, leaves, expand, base))
            if not counted and top is not None and len(found) >= top:
                break
        if count:
            return Response(200, str(total), {"Content-Type": "text/plain"})
        body: dict[str, Any] = {"results": found}
        if counted:
            body["__count"] = str(total)
        return Response(200, {"d": body})

    @route("GET", ENTITY)
    def entity(self, request: Request, name: str, key: str) -> Response:
        """[vdm] One entity by key, with its ETag where it has one [etag]."""
        row, _, leaves = self._one(name, key)
        expand = gateway.read_expand(request.query.get("$expand", ""), name)
        body = gateway.render(row, name, leaves, expand, request.base_url + SERVICE)
        headers = {"ETag": gateway.etag_of(row)} if name == HEAD else {}
        return Response(200, {"d": body}, headers)

    @route("GET", rf"{ENTITY}/(?P<nav>to_\w+)")
    def navigation(self, request: Request, name: str, key: str, nav: str) -> Response:
        """[vdm] The entities behind a navigation property."""
        row, _, leaves = self._one(name, key)
        tree = gateway.read_expand(nav, name)
        body = gateway.render(row, name, leaves, tree, request.base_url + SERVICE)[nav]
        return Response(200, {"d": body})

    @route("POST", f"{SERVICE}/{HEAD}")
    def create(self, request: Request) -> Response:
        """[edmx] Deep insert; the number comes from the internal range, everything or nothing is created."""
        body = request.json()
        number = f"{self.store.next_number('BP', FIRST_NUMBER):010d}"
        fields: dict[str, Any] = {f"{HEAD}.BusinessPartner": number, f"{HEAD}.CreationDate": _today()}
        fields[f"{HEAD}.CreatedByUser"] = self.client_id.upper()
        values = gateway.incoming(HEAD, body, creating=True)
        values.pop("BusinessPartner", None)
        gateway.store(fields, HEAD, None, values)
        insert_below(self.store, fields, number, HEAD, body)
        self._stamp(fields, 1)
        row = self.store.put("supplier", number, fields)
        return self._created(request, row, HEAD, flat.head(fields, HEAD), body)

    @route("POST", rf"{ENTITY}/(?P<nav>to_\w+)")
    def create_below(self, request: Request, name: str, key: str, nav: str) -> Response:
        """[mdm] One child of a known business partner."""
        child = next((item for item in SETS.values() if item.parent == name and item.nav == nav), None)
        if child is None:
            raise Fail(404, f"Resource not found for the segment {nav}", code="/IWBEP/CM_MGW_RT/020")
        row, _, leaves = self._one(name, key)
        return self._add(request, row, child, str(leaves.get("AddressID", "")))

    @route("POST", rf"{SERVICE}/(?P<name>A_\w+)")
    def create_child(self, request: Request, name: str) -> Response:
        """[edmx] The same by the child's own entity set, its parent's keys in the body."""
        entity_set, body = self._set(name), request.json()
        owner = str(body.get("BusinessPartner") or body.get("Supplier") or "") if isinstance(body, Mapping) else ""
        row = self.store.get("supplier", owner.zfill(10)) if owner else None
        if row is None:
            raise Fail(404, f"Business partner {owner} does not exist", code="R1/103", field="BusinessPartner")
        return self._add(request, row, entity_set, str(body.get("AddressID") or ""))

    @route("PATCH", ENTITY)
    def change(self, request: Request, name: str, key: str) -> Response:
        """[etag] Changes what is sent; a business partner needs If-Match, and 412 says it moved."""
        row, row_id, leaves = self._one(name, key)
        if name == HEAD:
            given = request.header("if-match")
            if not given:
                raise Fail(428, "The request needs an If-Match header", code=gateway.BUSINESS)
            if given != "*" and given != gateway.etag_of(row):
                raise Fail(412, "The entity was changed in the meantime", code=gateway.BUSINESS)
        values = gateway.incoming(name, request.json(), creating=False)
        for leaf in SETS[name].all_keys:
            if leaf in values and not gateway.same_key(name, leaves, {leaf: values[leaf]}):
                raise Fail(400, f"Key property {leaf} cannot be changed", code=gateway.BUSINESS, field=leaf)
            values.pop(leaf, None)
        fields = dict(row.fields)
        gateway.store(fields, name, row_id, values)
        if name == HEAD:  # changes of children need not touch the business partner's change date
            self._stamp(fields, row.etag + 1)
        self.store.put("supplier", row.key, fields)
        return Response(204)

    @route("MERGE", ENTITY)
    def merge(self, request: Request, name: str, key: str) -> Response:
        """OData V2 knew MERGE before PATCH; Gateway takes both."""
        return self.change(request, name, key)

    @route("DELETE", ENTITY)
    def delete(self, request: Request, name: str, key: str) -> Response:
        """[edmx] sap:deletable="false": business partners are blocked, never deleted."""
        raise Fail(405, f"Deletion of {name} is not allowed", code="/IWBEP/CX_MGW_NOT_IMPL_EXC")

    def _several(self, request: Request) -> Response:
        """A transaction for each changeset, none around all."""
        try:
            return batch_service.answer(request, super().answer, self.store)
        except Fail as fail:
            return self.error(fail)

    def _add(self, request: Request, row: Row, child: EntitySet, address: str) -> Response:
        fields, body = dict(row.fields), request.json()
        row_id = insert(self.store, fields, row.key, child, body, address)
        changed = self.store.put("supplier", row.key, fields)
        leaves = dict(gateway.entities(changed, child.name))[row_id]
        return self._created(request, changed, child.name, leaves, body)

    def _created(
        self, request: Request, row: Row, name: str, leaves: Mapping[str, Any], body: Mapping[str, Any]
    ) -> Response:
        base = request.base_url + SERVICE
        below: gateway.Tree = {nav: {} for nav in body if nav.startswith("to_")}
        entity = gateway.render(row, name, {**leaves}, below, base)
        return Response(201, {"d": entity}, {"Location": entity["__metadata"]["uri"]})

    def _candidates(self, entity_set: EntitySet, condition: str) -> Iterator[tuple[Row, dict[str, Any]]]:
        for row in self._rows(entity_set, condition):
            for _, leaves in gateway.entities(row, entity_set.name):
                yield row, leaves

    def _rows(self, entity_set: EntitySet, condition: str) -> Iterator[Row]:
        exact = equalities(condition)
        if entity_set.name == HEAD and REFERENCE in exact:
            yield from self.store.where("supplier", f"{HEAD}.{REFERENCE}", exact[REFERENCE])
            return
        if entity_set.name != HEAD and (texts := [text for text in literals(condition) if len(text) > 5]):
            found = {row.key: row for text in texts for row in self.store.containing("supplier", text)}
            yield from (found[key] for key in sorted(found))
            return
        after = after_key(condition, "BusinessPartner")
        while page := self.store.page("supplier", after=after, top=100):
            yield from page
            after = page[-1].key

    def _one(self, name: str, key: str) -> tuple[Row, str | None, dict[str, Any]]:
        entity_set = self._set(name)
        wanted = gateway.read_key(entity_set, key)
        owner = str(wanted.get("BusinessPartner") or wanted.get("Supplier") or "")
        if owner:
            rows = [row for row in (self.store.get("supplier", owner.zfill(10)),) if row]
        else:
            rows = self.store.containing("supplier", str(wanted.get("AddressID", "")) or "\0")
        for row in rows:
            for row_id, leaves in gateway.entities(row, name):
                if gateway.same_key(name, leaves, wanted):
                    return row, row_id, leaves
        raise Fail(404, f"Resource not found for the segment {name}", code="/IWBEP/CM_MGW_RT/020")

    def _set(self, name: str) -> EntitySet:
        if name not in SETS:
            raise Fail(404, f"Resource not found for the segment {name}", code="/IWBEP/CM_MGW_RT/020")
        return SETS[name]

    def _stamp(self, fields: dict[str, Any], count: int) -> None:
        fields[f"{HEAD}.LastChangeDate"] = _today()
        fields[f"{HEAD}.ETag"] = f"{datetime.now(UTC):%Y%m%d%H%M%S}{count:08d}"

    def _has_csrf(self, request: Request) -> bool:
        token = request.header("x-csrf-token")
        return bool(token) and self._csrf.get(_session(request)) == token

    def _give_csrf(self, request: Request, response: Response) -> None:
        session = _session(request) or secrets.token_hex(16)
        self._csrf.setdefault(session, secrets.token_urlsafe(18))
        response.headers["x-csrf-token"] = self._csrf[session]
        response.headers["Set-Cookie"] = f"{SESSION}={session}; path=/; HttpOnly"


def _session(request: Request) -> str:
    cookies = (piece.strip().partition("=") for piece in request.header("cookie").split(";"))
    return next((value for name, _, value in cookies if name == SESSION), "")


def _number(query: Mapping[str, str], name: str, default: int | None) -> int | None:
    if name not in query:
        return default
    if not query[name].isdigit():
        raise Fail(400, f"Invalid value for {name}", code="/IWBEP/CM_MGW_RT/021")
    return int(query[name])


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


if __name__ == "__main__":
    sys.exit(main(S4HanaSandbox))
