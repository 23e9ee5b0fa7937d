"""Owns the sandbox of Oracle Fusion Cloud: sign-in, suppliers with addresses and sites, tax registrations, bank accounts.

Value sets are in `sandbox_values`.

It proves “as documented on docs.oracle.com”, no more. What the documents leave open is listed in README.md.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from sync import flat
from sync.connectors.oracle_fusion import sandbox_checks as checks
from sync.connectors.oracle_fusion import sandbox_rules as rules
from sync.connectors.oracle_fusion import sandbox_values as values
from sync.connectors.oracle_fusion.sandbox_rules import ROOT, Leaves, entities, incoming, stamp
from sync.connectors.oracle_fusion.sandbox_schema import RESOURCES
from sync.connectors.oracle_fusion.sandbox_seed import read_extract
from sync.connectors.oracle_fusion.sandbox_views import View
from sync.sandbox import Fail, Request, Response, main, route
from sync.sandbox_store import Row

FIRST_ID, FIRST_NUMBER, FIRST_PARTY = 300000047507644, 20001, 2011
OWNED = "taxRegistrations|paymentsExternalPayees|externalBankAccounts"
TOP = rf"(?P<resource>suppliers|{OWNED}|instrumentAssignments)"
CHILD = rf"{ROOT}/suppliers/(?P<owner>\w+)/child/(?P<resource>addresses|sites)"
_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 412: "Precondition Failed"}


class OracleFusionSandbox(values.ValueRoutes):
    name: ClassVar[str] = "oracle_fusion"
    title: ClassVar[str] = "Oracle Fusion Cloud"
    indexes = {
        "supplier": ("SupplierId", "SupplierNumber", "Supplier", "Alias", "RegistryId", "SupplierPartyId"),
        **dict.fromkeys(values.TYPES.values(), ("ValueId",)),
    }
    refuse_field: ClassVar[str] = "Supplier"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.masked = True  # “Manage System Security Options”: only the last four digits of a bank account
        self.closed: set[str] = set()  # resources this user has no privilege for
        self._asked = threading.local()
        super().__init__(*args, **kwargs)

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for key, fields in read_extract(file, self.next_id, self._next_party):
            if key.isdigit():
                self.store.raise_number("supplier", int(key))
            yield "supplier", key, fields

    def plant(self) -> None:
        """The suppliers of the extract, and the values somebody typed in."""
        super().plant()
        self.plant_values()

    def mutated(self, row: Row, field: str, value: Any) -> dict[str, Any]:
        """Somebody changed a value in Oracle's pages; only the item that has it is touched. Numbers stay."""
        if field in ("SupplierNumber", "Value"):
            return row.fields
        part, id, _ = flat.split_name(field)
        touched = flat.join_name(part, id, "LastUpdateDate")
        return {**row.fields, touched: stamp(), field: value}

    def answer(self, request: Request) -> Response:
        self._asked.framework = int(request.header("rest-framework-version") or "1")
        if request.path.startswith(ROOT):
            if not (self.has_basic(request) or self.has_token(request)):
                return Response(401, "Unauthorized", {"Content-Type": "text/plain", "WWW-Authenticate": "Basic"})
            if any(f"/{name}" in request.path for name in self.closed):
                return self.error(Fail(403, "You don't have the privilege to access this resource."))
        return super().answer(request)

    def error(self, fail: Fail) -> Response:
        """“Set the REST Framework Version”: from version 4 on a refusal is JSON, before that plain text."""
        if getattr(self._asked, "framework", 4) < 4:
            return Response(fail.status, fail.message, {"Content-Type": "text/plain", **fail.headers})
        detail = {"detail": fail.message, "o:errorCode": fail.code or str(fail.status)}
        if fail.field:
            detail["o:errorPath"] = f"/{fail.field}"
        title = _TITLES.get(fail.status, "Error")
        body = {"title": title, "status": str(fail.status), "o:errorDetails": [detail]}
        return Response(fail.status, body, {"Content-Type": "application/vnd.oracle.adf.error+json", **fail.headers})

    @route("POST", "/oauth2/v1/token")
    def token(self, request: Request) -> Response:
        """Identity domain, client credentials (RFC 6749, 4.4); a scope must be asked for."""
        form = request.form()
        if not self.has_client(request):
            words = "Client authentication failed."
            return Response(401, {"error": "invalid_client", "error_description": words})
        if form.get("grant_type") != "client_credentials" or not form.get("scope"):
            words = "Grant type client_credentials with a scope is needed."
            return Response(400, {"error": "invalid_request", "error_description": words})
        return Response(200, {"access_token": self.issue_token(), "token_type": "Bearer", "expires_in": 3600})

    # Reading

    @route("GET", rf"{ROOT}/{TOP}")
    def collection(self, request: Request, resource: str) -> Response:
        """op-suppliers-get, op-taxregistrations-get, op-paymentsexternalpayees-get, op-externalbankaccounts-get,
        op-instrumentassignments-get."""
        view = self._view(request)
        if resource == "suppliers":
            return Response(200, view.suppliers(self.store))
        return Response(200, view.owned(self.store, resource))

    @route("GET", rf"{ROOT}/{TOP}/(?P<id>\w+)")
    def item(self, request: Request, resource: str, id: str) -> Response:
        """op-suppliers-supplierid-get and the like; the id in the address is a key that only Oracle makes."""
        row, known, _ = self._one(resource, id)
        return self._view(request).answer(200, row, resource, known)

    @route("GET", CHILD)
    def children(self, request: Request, owner: str, resource: str) -> Response:
        """op-suppliers-supplierid-child-addresses-get, …-sites-get."""
        row, _, _ = self._one("suppliers", owner)
        return Response(200, self._view(request).children(row, resource))

    @route("GET", rf"{CHILD}/(?P<id>\w+)")
    def child(self, request: Request, owner: str, resource: str, id: str) -> Response:
        """op-suppliers-supplierid-child-addresses-supplieraddressid-get, …-sites-suppliersiteid-get."""
        row, known, _ = self._child(owner, resource, id)
        return self._view(request).answer(200, row, resource, known)

    # Writing

    @route("POST", rf"{ROOT}/suppliers")
    def create(self, request: Request) -> Response:
        """op-suppliers-post: number and party are Oracle's; addresses and sites may come along, all or nothing."""
        body = request.json()
        leaves = incoming("suppliers", body, creating=True)
        checks.check_supplier(self.store, leaves, "")
        key = str(leaves.get("SupplierNumber") or self.store.next_number("supplier", FIRST_NUMBER))
        if self.store.get("supplier", key):
            raise Fail(400, f"A supplier with the number {key} already exists.", field="SupplierNumber")
        ids = {"SupplierId": self.next_id(), "SupplierPartyId": self.next_id(), "RegistryId": str(self._next_party())}
        fields = {**leaves, **ids, "SupplierNumber": key, **self.who(creating=True)}
        for resource in ("addresses", "sites"):
            for child in body.get(resource) or []:
                self._add_child(fields, resource, child)
        row = self.store.put("supplier", key, fields)
        return self._view(request).answer(201, row, "suppliers", str(ids["SupplierId"]))

    @route("PATCH", rf"{ROOT}/suppliers/(?P<id>\w+)")
    def update(self, request: Request, id: str) -> Response:
        """op-suppliers-supplierid-patch: only what is sent."""
        row, known, leaves = self._one("suppliers", id)
        checks.match(request, leaves)
        given = incoming("suppliers", request.json(), creating=False)
        checks.check_supplier(self.store, {**leaves, **given}, row.key)
        row = self.store.put("supplier", row.key, {**row.fields, **given, **self.who()})
        return self._view(request).answer(200, row, "suppliers", known)

    @route("POST", CHILD)
    def create_child(self, request: Request, owner: str, resource: str) -> Response:
        """op-suppliers-supplierid-child-addresses-post, …-child-sites-post (assignments may come along)."""
        row, _, _ = self._one("suppliers", owner)
        fields = dict(row.fields)
        id = self._add_child(fields, resource, request.json())
        return self._stored(201, row, fields, resource, id, request)

    @route("PATCH", rf"{CHILD}/(?P<id>\w+)")
    def update_child(self, request: Request, owner: str, resource: str, id: str) -> Response:
        """op-suppliers-supplierid-child-addresses-supplieraddressid-patch, …-sites-suppliersiteid-patch."""
        row, known, leaves = self._child(owner, resource, id)
        checks.match(request, leaves)
        changed = {**leaves, **incoming(resource, request.json(), creating=False), **self.who()}
        if resource == "sites":
            rules.check_site(changed, entities(row, "addresses"))
        return self._stored(200, row, _with(row.fields, resource, known, changed), resource, known, request)

    @route("POST", rf"{ROOT}/(?P<resource>{OWNED})")
    def create_owned(self, request: Request, resource: str) -> Response:
        """op-taxregistrations-post, op-paymentsexternalpayees-post, op-externalbankaccounts-post (with its owner)."""
        body = request.json()
        leaves = incoming(resource, body, creating=True)
        row = checks.owner_of(self.store, resource, leaves, body)
        for name in ("PartyNumber", "PartyName", "PayeePartyIdentifier", "PartyId"):
            leaves.pop(name, None)
        checks.check_owned(self.store, row, resource, leaves, "")
        id = str(self.next_id())
        who = self.who(creating=True) if resource == "taxRegistrations" else {}
        leaves.update({RESOURCES[resource].id: int(id), **who})
        return self._stored(201, row, _with(row.fields, resource, id, leaves), resource, id, request)

    @route("POST", rf"{ROOT}/instrumentAssignments")
    def create_assignment(self, request: Request) -> Response:
        """op-instrumentassignments-post: a payee, one of the accounts its party owns, once."""
        leaves = incoming("instrumentAssignments", request.json(), creating=True)
        payee, account = str(leaves["PaymentPartyId"]), str(leaves["PaymentInstrumentId"])
        row = next(iter(self._holding("paymentsExternalPayees", payee)), None)
        if row is None:
            raise Fail(400, f"The payee {payee} doesn't exist.", field="PaymentPartyId")
        checks.check_assignment(row, payee, account)
        id = str(self.next_id())
        leaves = {"StartDate": stamp()[:10], **leaves, "PaymentInstrumentAssignmentId": int(id)}
        fields = _with(row.fields, "instrumentAssignments", id, leaves)
        return self._stored(201, row, fields, "instrumentAssignments", id, request)

    @route("PATCH", rf"{ROOT}/(?P<resource>{OWNED}|instrumentAssignments)/(?P<id>\w+)")
    def update_owned(self, request: Request, resource: str, id: str) -> Response:
        """op-taxregistrations-registrationid-patch, op-externalbankaccounts-bankaccountid-patch,
        op-instrumentassignments-paymentinstrumentassignmentid-patch, op-paymentsexternalpayees-payeeid-patch."""
        row, known, leaves = self._one(resource, id)
        checks.match(request, leaves)
        given = incoming(resource, request.json(), creating=False)
        changed = {**leaves, **given, **(self.who() if resource == "taxRegistrations" else {})}
        checks.check_owned(self.store, row, resource, changed, known)
        return self._stored(200, row, _with(row.fields, resource, known, changed), resource, known, request)

    # Inside

    def _view(self, request: Request) -> View:
        return View(request.query, self._asked.framework, self.masked)

    def _stored(self, status: int, row: Row, fields: Leaves, resource: str, id: str, request: Request) -> Response:
        changed = self.store.put("supplier", row.key, fields)
        return self._view(request).answer(status, changed, resource, id)

    def _one(self, resource: str, path: str) -> tuple[Row, str, Leaves]:
        id = rules.id_of(path)
        for row in self._holding(resource, id) if id else ():
            return row, id, entities(row, resource)[id]
        raise Fail(404, "Not Found")

    def _child(self, owner: str, resource: str, path: str) -> tuple[Row, str, Leaves]:
        row, _, _ = self._one("suppliers", owner)
        id = rules.id_of(path)
        if id not in entities(row, resource):
            raise Fail(404, "Not Found")
        return row, id, entities(row, resource)[id]

    def _holding(self, resource: str, id: str) -> list[Row]:
        if resource == "suppliers":
            return self.store.where("supplier", "SupplierId", int(id))
        return self.store.mentioning("supplier", f"{resource}[{id}]")

    def _add_child(self, fields: Leaves, resource: str, body: Any) -> str:
        leaves = incoming(resource, body, creating=True)
        if resource == "sites":
            rules.check_site(leaves, flat.rows(fields, "addresses"))
        checks.check_child(resource, leaves, flat.rows(fields, resource))
        id = str(self.next_id())
        leaves = {RESOURCES[resource].id: int(id), **leaves, **self.who(creating=True)}
        fields.update(flat.from_rows(resource, {id: leaves}))
        for inner in body.get("assignments") or []:
            known, number = incoming("assignments", inner, creating=True), str(self.next_id())
            fields.update(flat.from_rows("assignments", {number: {**known, "SupplierSiteId": int(id)}}))
        return id

    def who(self, *, creating: bool = False) -> Leaves:
        now, user = stamp(), self.client_id.upper()
        found = {"LastUpdateDate": now, "LastUpdatedBy": user}
        return {**found, "CreationDate": now, "CreatedBy": user} if creating else found

    def next_id(self) -> int:
        return self.store.next_number("id", FIRST_ID)

    def _next_party(self) -> int:
        return self.store.next_number("party", FIRST_PARTY)


def _with(fields: Leaves, resource: str, id: str, leaves: Leaves) -> Leaves:
    return {**fields, **flat.from_rows(resource, {id: leaves})}


if __name__ == "__main__":
    sys.exit(main(OracleFusionSandbox))
