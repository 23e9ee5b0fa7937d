"""Owns the sandbox of Coupa Core: sign-in, /api/suppliers and their addresses, paging, errors, rate limit.

Lookup values are in `sandbox_lookups`.

It proves “as documented on compass.coupa.com”, no more. What the documents leave open is listed in README.md.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from sync import flat
from sync.connectors.coupa import sandbox_lookups as lookups
from sync.connectors.coupa import sandbox_rules as rules
from sync.connectors.coupa.sandbox_queries import NO_FILTER, body_of, condition, field, number, projected, wanted
from sync.connectors.coupa.sandbox_seed import read_extract
from sync.connectors.coupa.sandbox_xml import HEADER, errors_to_xml, to_xml
from sync.connectors.coupa.shape import ASSOCIATIONS, nest, row_name
from sync.sandbox import CLIENT_ID, SECRET, Fail, Request, Response, main, route
from sync.sandbox_query import rename, search
from sync.sandbox_store import Row

PAGE, RATE, BURST = 50, 25.0, 20
TOKEN_LIFE = 86399
SCOPES = ("core.supplier.read", "core.supplier.write", lookups.READ, lookups.WRITE)
REMIT_TO = "remit-to-addresses"


class CoupaSandbox(lookups.LookupRoutes):
    name: ClassVar[str] = "coupa"
    title: ClassVar[str] = "Coupa"
    indexes = {
        "supplier": ("id", "number", "name", "tax-id", "custom-fields.mdm-reference"),
        **dict.fromkeys(lookups.TYPES.values(), ("id",)),
    }
    refuse_field: ClassVar[str] = "name"

    def __init__(self, state: str, seed: str = "", *, client_id: str = CLIENT_ID, secret: str = SECRET) -> None:
        self._scopes: dict[str, set[str]] = {}
        self._next_slot, self._gate = 0.0, threading.Lock()
        super().__init__(state, seed, client_id=client_id, secret=secret)

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for fields in read_extract(file):
            fields["id"] = self.store.next_number("supplier", 1001)
            yield "supplier", str(fields["number"]), rules.derive(fields)

    def plant(self) -> None:
        """The suppliers of the extract, and the lookup values somebody typed in."""
        super().plant()
        self.plant_values()

    def forget_sessions(self) -> None:
        self._next_slot = 0.0

    def mutated(self, row: Row, field: str, value: Any) -> dict[str, Any]:
        """Somebody changed a supplier in Coupa's pages; what hangs on a payment term or a country follows.

        Id and number stay: they are how the control API and the hub know the supplier.
        """
        if field in ("id", "number", lookups.NUMBER):
            return row.fields
        changed = super().mutated(row, field, value)
        return rules.derive(changed) if field.endswith(".code") else changed

    def answer(self, request: Request) -> Response:
        """compass.coupa.com, “Exception Handling and Error Codes”: 25 requests a second, up to 20 queue."""
        if request.path.startswith("/api/") and not self._wait_for_slot():
            response = self.error(Fail(429, "Rate limit exceeded"))
        else:
            response = super().answer(request)
        return self._as_asked(request, response)

    def error(self, fail: Fail) -> Response:
        """compass.coupa.com, “Differences between XML and JSON in Coupa”: `{"errors": {…: ["…"]}}`."""
        about = (fail.code or "supplier") if fail.status in (400, 422) else "base"
        return Response(fail.status, {"errors": {about: fail.message.split("\n")}}, dict(fail.headers))

    # Signing in

    @route("POST", "/oauth2/token")
    def token(self, request: Request) -> Response:
        """compass.coupa.com, “Set Up an OpenID Connect Client”: client credentials, scopes, 24 hours."""
        form = request.form()
        if form.get("grant_type") != "client_credentials":
            return Response(400, {"error": "unsupported_grant_type", "error_description": "Unsupported grant type."})
        if not self.has_client(request):
            return Response(401, {"error": "invalid_client", "error_description": "Client authentication failed."})
        asked = form.get("scope", "").split()
        if not asked or not set(asked) <= set(SCOPES):
            return Response(400, {"error": "invalid_scope", "error_description": "The requested scope is invalid."})
        token = self.issue_token(TOKEN_LIFE)
        self._scopes[token] = set(asked)
        body = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": TOKEN_LIFE,
            "scope": " ".join(asked),
        }
        return Response(200, body)

    # Suppliers

    @route("GET", "/api/suppliers")
    def index(self, request: Request) -> Response:
        """compass.coupa.com, “Querying Options” and “API Operators”: filters, 50 rows, offset; `fields` as in
        “API Return Formats”."""
        self.need(request, "core.supplier.read")
        query = request.query
        offset, limit = number(query, "offset", 0), min(number(query, "limit", PAGE), PAGE)
        found = search(
            self.store,
            "supplier",
            [condition(name, value) for name, value in query.items() if name not in NO_FILTER],
            order_by=[field(query.get("order_by", "id"))],
            descending=query.get("dir", "asc") == "desc",
            skip=offset,
            top=limit,
        )
        return Response(200, [self.present(row, query) for row in found])

    @route("POST", "/api/suppliers")
    def create(self, request: Request) -> Response:
        """compass.coupa.com, “Suppliers API Example Calls”, Supplier Create: a draft without status."""
        self.need(request, "core.supplier.write")
        body = body_of(request)
        fields = {"status": "draft", "payment-method": "invoice", "on-hold": False, **rules.accept(body)}
        fields = {name: value for name, value in fields.items() if name not in ASSOCIATIONS}
        fields["id"] = self.store.next_number("supplier", 1001)
        self._check(fields, creating=True, own="")
        for address in body.get(REMIT_TO) or body.get("remit_to_addresses") or []:
            fields = self._with_address(fields, rules.address_fields(address))
        row = self.store.put("supplier", _key(fields), rules.derive(fields))
        return Response(201, self.present(row, request.query))

    @route("GET", r"/api/suppliers/(?P<id>\d+)")
    def show(self, request: Request, id: str) -> Response:
        """compass.coupa.com, “Suppliers API Example Calls”, Get Supplier."""
        self.need(request, "core.supplier.read")
        return Response(200, self.present(self._row(id), request.query))

    @route("PUT", r"/api/suppliers/(?P<id>\d+)")
    def update(self, request: Request, id: str) -> Response:
        """compass.coupa.com, “Suppliers API Example Calls”, Update Supplier: only what is sent."""
        self.need(request, "core.supplier.write")
        row, body = self._row(id), body_of(request)
        given = rules.accept(body)
        self._check(given, creating=False, own=row.key)
        fields = rules.merge(row.fields, given)
        for address in body.get(REMIT_TO) or body.get("remit_to_addresses") or []:
            fields = self._with_address(fields, rules.address_fields(address), address.get("id"))
        if _key(fields) != row.key:
            rename(self.store, "supplier", row.key, _key(fields))
        row = self.store.put("supplier", _key(fields), rules.derive(fields))
        return Response(200, self.present(row, request.query))

    # Remit-to addresses of a supplier

    @route("GET", r"/api/suppliers/(?P<id>\d+)/addresses")
    def addresses(self, request: Request, id: str) -> Response:
        """compass.coupa.com, “Remit-To Addresses API (/suppliers/addresses)”, index."""
        self.need(request, "core.supplier.read")
        return Response(200, nest(self._row(id).fields).get(REMIT_TO, []))

    @route("POST", r"/api/suppliers/(?P<id>\d+)/addresses/?")
    def add_address(self, request: Request, id: str) -> Response:
        """compass.coupa.com, “Remit to Addresses API Example Calls”, Create."""
        self.need(request, "core.supplier.write")
        row, given = self._row(id), rules.address_fields(body_of(request))
        stored = self.store.put("supplier", row.key, self._with_address(row.fields, given))
        return Response(201, _address_of(stored, given["remit-to-code"]))

    @route("PUT", r"/api/suppliers/(?P<id>\d+)/addresses/(?P<address>\d+)")
    def update_address(self, request: Request, id: str, address: str) -> Response:
        """compass.coupa.com, “Remit to Addresses API Example Calls”, Update; `active: false` ends one."""
        self.need(request, "core.supplier.write")
        row = self._row(id)
        fields = self._with_address(row.fields, rules.address_fields(body_of(request)), int(address))
        stored = self.store.put("supplier", row.key, fields)
        code = next(
            held["remit-to-code"] for held in flat.rows(fields, REMIT_TO).values() if held["id"] == int(address)
        )
        return Response(200, _address_of(stored, code))

    # Inside

    def need(self, request: Request, scope: str) -> None:
        if not self.has_token(request):
            raise Fail(401, "Unauthorized: the access token is missing, unknown or no longer valid")
        if scope not in self._scopes.get(request.header("authorization").partition(" ")[2].strip(), set()):
            raise Fail(403, f"Forbidden: the scope {scope} is missing")

    def _wait_for_slot(self) -> bool:
        """A leaky bucket that lets 25 a second through, holds 20 and refuses the rest."""
        with self._gate:
            now = time.monotonic()
            slot = max(now, self._next_slot)
            if (slot - now) * RATE > BURST:
                return False
            self._next_slot = slot + 1 / RATE
        time.sleep(slot - now)
        return True

    def _row(self, id: str) -> Row:
        found = self.store.where("supplier", "id", int(id))
        if not found:
            raise Fail(404, "No results match your search criteria.")
        return found[0]

    def _check(self, fields: Mapping[str, Any], *, creating: bool, own: str) -> None:
        wrong = rules.complaints(fields, creating=creating)
        for element in ("name", "number"):
            value = fields.get(element)
            if value and any(row.key != own for row in self.store.where("supplier", element, value)):
                wrong.append(f"{element.capitalize()} has already been taken")
        if wrong:
            raise Fail(400, "\n".join(wrong))

    def _with_address(self, fields: Mapping[str, Any], given: Mapping[str, Any], id: Any = None) -> dict[str, Any]:
        known = flat.rows(fields, REMIT_TO)
        row = next((name for name, held in known.items() if id is not None and held.get("id") == int(id)), None)
        if id is not None and row is None:
            raise Fail(404, "No results match your search criteria.")
        leaves = {"active": True, **known.get(row or "", {}), **given}
        if wrong := rules.address_complaints(leaves):
            raise Fail(400, "\n".join(wrong))
        name = row_name(REMIT_TO, leaves)
        if any(other != row and held["remit-to-code"] == leaves["remit-to-code"] for other, held in known.items()):
            raise Fail(400, "Remit to code has already been taken")
        leaves.setdefault("id", self.store.next_number("address", 501))
        kept = {key: value for key, value in fields.items() if row is None or not key.startswith(f"{REMIT_TO}[{row}].")}
        return {**kept, **flat.from_rows(REMIT_TO, {name: leaves})}

    def present(self, row: Row, query: Mapping[str, str]) -> dict[str, Any]:
        stamps = {"created-at": _stamp(row.created_at), "updated-at": _stamp(row.changed_at)}
        record = {"id": row.fields["id"], **stamps, **nest(row.fields)}
        if query.get("return_object") == "limited":
            return {"id": record["id"]}
        if "fields" in query:
            return projected(record, wanted(query["fields"]))
        return record

    def _as_asked(self, request: Request, response: Response) -> Response:
        if "xml" not in request.header("accept") or not isinstance(response.body, dict | list):
            return response
        if isinstance(response.body, dict) and "errors" in response.body:
            text = errors_to_xml(response.body)
        elif response.body == []:  # “Different Response for No Results”: 404 in XML, an empty array in JSON
            text, response.status = (
                errors_to_xml({"errors": {"base": ["No results match your search criteria."]}}),
                404,
            )
        else:
            name = "lookup-value" if "lookup_values" in request.path else "supplier"
            text = HEADER + to_xml(f"{name}s" if isinstance(response.body, list) else name, response.body)
        return Response(response.status, text, {**response.headers, "Content-Type": "application/xml"})


def _key(fields: Mapping[str, Any]) -> str:
    return str(fields.get("number") or f"id:{fields['id']}")


def _address_of(row: Row, code: str) -> dict[str, Any]:
    return next(item for item in nest(row.fields)[REMIT_TO] if item["remit-to-code"] == code)


def _stamp(moment: str) -> str:
    return moment[:19] + "+00:00"


if __name__ == "__main__":
    sys.exit(main(CoupaSandbox))
