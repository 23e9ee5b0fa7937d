"""Owns the sandbox of NetSuite: SuiteTalk REST web services for vendors, what they refer to and the dimensions, and SuiteQL.

It proves “as documented in NetSuite's help”, no more. What the documents leave open is listed in README.md.
"""

from __future__ import annotations

import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from sync import flat
from sync.assertions import TYPE as ASSERTION
from sync.connectors.netsuite import sandbox_rules as rules
from sync.connectors.netsuite import sandbox_seed, sandbox_sql
from sync.connectors.netsuite.sandbox_filters import MAX_PAGE, QUERY, number, read_filter
from sync.connectors.netsuite.sandbox_login import Door, accepts
from sync.connectors.netsuite.shape import nest
from sync.connectors.netsuite.signin import TOKEN_PATH
from sync.sandbox import CLIENT_ID, SECRET, Fail, Request, Response, Sandbox, main, route
from sync.sandbox_query import count, remove, search
from sync.sandbox_store import Row

ROOT = "/services/rest/record/v1"
CONCURRENCY = 15  # a shared account of 5 with one SuiteCloud Plus license, as in “Sample Scenario”
_RECORD = "(?P<record>vendor|term|subsidiary|department|classification|account)"
_KEY = r"(?P<key>\d+|eid:[A-Za-z0-9_-]+)"
_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}
_TITLES |= {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}
_CODES = {401: "INVALID_LOGIN", 404: "NONEXISTENT_ID", 429: "CONCURRENCY_LIMIT_EXCEEDED", 500: "UNEXPECTED_ERROR"}
_RFC = "https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html"
_DENIED = (
    "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at "
    "Setup > Users/Roles > User Management > View Login Audit Trail."
)


class NetSuiteSandbox(Sandbox):
    name: ClassVar[str] = "netsuite"
    title: ClassVar[str] = "Oracle NetSuite"
    indexes = {
        "supplier": ("externalId", "entityId", "taxIdNum"),
        "payment_term": ("externalId", "name"),
        "legal_entity": ("externalId", "name"),
        "cost_center": ("externalId", "name"),
        "profit_center": ("externalId", "name"),
        "gl_account": ("externalId", "acctNumber"),
    }
    refuse_field: ClassVar[str] = "companyName"
    suitetax = True  # a feature of the account; without it REST knows no tax registrations

    def __init__(self, state: str, seed: str = "", *, client_id: str = CLIENT_ID, secret: str = SECRET) -> None:
        self.door = Door(client_id, secret)
        self.certificates: dict[str, Any] = {}  # certificate id -> public key
        self.threads = threading.BoundedSemaphore(CONCURRENCY)
        super().__init__(state, seed, client_id=client_id, secret=secret)

    def plant(self) -> None:
        with self.store.transaction():
            for type, key, fields in sandbox_seed.lists():
                self.store.put(type, key, fields, log=False)
            super().plant()

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for type, key, fields in sandbox_seed.vendors(file):
            self.store.raise_number("supplier", int(key))
            yield type, key, fields

    def mutated(self, row: Row, field: str, value: Any) -> dict[str, Any]:
        """Somebody changed a record in NetSuite's pages. The ids of its lines stay: they are how one knows them."""
        if field.endswith("].id"):
            return row.fields
        return super().mutated(row, field, value)

    def answer(self, request: Request) -> Response:
        """Login first, then governance: help “Concurrency Governance and Session Management”; every answer is named."""
        if not (self.has_token(request) or request.path == f"/{TOKEN_PATH}" or self.door.admits(request)):
            response = self.error(Fail(401, _DENIED))
        elif not self.threads.acquire(blocking=False):
            words = "Concurrent request limit exceeded. Request blocked."
            response = self.error(Fail(429, words))
        else:
            try:
                response = super().answer(request)
            finally:
                self.threads.release()
        response.headers.setdefault("X-N-OperationId", str(uuid.uuid4()))
        return response

    def error(self, fail: Fail) -> Response:
        """help “Error Handling in REST Web Services”: `o:errorDetails` with a code and the place; no Retry-After."""
        number = f"#sec10.{fail.status // 100}.{fail.status % 100 + 1}" if fail.status != 401 else ""
        place = {**dict.fromkeys(QUERY, "o:errorQueryParam"), "Prefer": "o:errorHeader", "Accept": "o:errorHeader"}
        found = fail.found if isinstance(fail, rules.Complaints) else [(fail.field, fail.message)]
        details = []
        for field, words in found:
            code = fail.code or _CODES.get(fail.status, "INVALID_CONTENT")
            detail = {"detail": words, "o:errorCode": code}
            if field:
                detail[place.get(field, "o:urlPath" if fail.status == 404 else "o:errorPath")] = field
            details.append(detail)
        title = _TITLES.get(fail.status, "Bad Request")
        body = {"type": _RFC + number, "title": title, "status": fail.status, "o:errorDetails": details}
        headers = {} if fail.status == 429 else dict(fail.headers)
        return Response(
            fail.status, body, {"Content-Type": "application/vnd.oracle.resource+json; type=error", **headers}
        )

    @route("POST", f"/{TOKEN_PATH}")
    def token(self, request: Request) -> Response:
        """help “POST Request to the Token Endpoint and the Access Token Response”: client credentials, an hour."""
        form, audience = request.form(), f"{request.base_url}/{TOKEN_PATH}"
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION:
            return Response(400, {"error": "unsupported_grant_type"})
        jwt = form.get("client_assertion", "")
        if not accepts(jwt, self.certificates, issuer=self.client_id, audience=audience):
            return Response(400, {"error": "invalid_client", "error_description": "The client assertion is invalid."})
        return Response(200, {"access_token": self.issue_token(), "expires_in": "3600", "token_type": "bearer"})

    # Records

    @route("GET", rf"{ROOT}/metadata-catalog/{_RECORD}")
    def metadata(self, request: Request, record: str) -> Response:
        """help “Getting Metadata”: JSON schema when Accept asks for application/schema+json."""
        if "application/schema+json" not in request.header("accept"):
            raise Fail(400, "Only application/schema+json is served here.", field="Accept")
        return Response(200, {"type": "object", "properties": rules.properties(record, suitetax=self.suitetax)})

    @route("GET", rf"{ROOT}/{_RECORD}")
    def collection(self, request: Request, record: str) -> Response:
        """help “Collection Paging” and “Record Collection Filtering”: ids and links only, 1000 a page."""
        type, query = rules.RECORDS[record].type, request.query
        limit, offset = number(query, "limit", MAX_PAGE), number(query, "offset", 0)
        conditions = read_filter(record, query.get("q", ""))
        rows = search(self.store, type, conditions, order_by=("@created",), skip=offset, top=min(limit, MAX_PAGE))
        total = count(self.store, type, conditions)
        items = [{"links": [_link(request, record, row.key)], "id": row.key} for row in rows]
        return Response(200, _page(request, items, offset=offset, total=total))

    @route("GET", rf"{ROOT}/{_RECORD}/{_KEY}")
    def show(self, request: Request, record: str, key: str) -> Response:
        """help “Getting a Record Instance”, “Using External IDs”; sublists with `expandSubResources=true`."""
        expanded = request.query.get("expandSubResources", "").lower() == "true"
        return Response(200, self._present(request, record, self._row(record, key), expanded))

    @route("POST", rf"{ROOT}/{_RECORD}")
    def create(self, request: Request, record: str) -> Response:
        """help “Creating a Record Instance”, “Vendor”, “Term”: 204, and the address of what was made."""
        body = _body(request)
        return self._made(request, record, self._save(request, record, None, body))

    @route("PUT", rf"{ROOT}/{_RECORD}/eid:(?P<eid>[A-Za-z0-9_-]+)")
    def upsert(self, request: Request, record: str, eid: str) -> Response:
        """help “Using the Upsert Operation”: create or update, by external id only."""
        body = {**_body(request), "externalId": eid}
        return self._made(request, record, self._save(request, record, self._find(record, f"eid:{eid}"), body))

    @route("PATCH", rf"{ROOT}/{_RECORD}/{_KEY}")
    def update(self, request: Request, record: str, key: str) -> Response:
        """help “Updating a Record Instance”, “Updating a Sublist”, “Replacing a Sublist”."""
        self._save(request, record, self._row(record, key), _body(request))
        return Response(204)

    @route("DELETE", rf"{ROOT}/{_RECORD}/{_KEY}")
    def delete(self, request: Request, record: str, key: str) -> Response:
        """help “Deleting a Record Instance”."""
        row = self._row(record, key)
        remove(self.store, row.type, row.key)
        return Response(204)

    # Query

    @route("POST", "/services/rest/query/v1/suiteql")
    def suiteql(self, request: Request) -> Response:
        """help “Using SuiteQL with SuiteTalk REST Web Services”: `Prefer: transient`, the query in `q`."""
        if "transient" not in request.header("prefer"):
            raise Fail(400, "The Prefer header must be set to transient.", code="INVALID_HEADER", field="Prefer")
        limit, offset = min(number(request.query, "limit", MAX_PAGE), MAX_PAGE), number(request.query, "offset", 0)
        items, total = sandbox_sql.ask(self.store, str(_body(request).get("q") or ""), offset=offset, limit=limit)
        return Response(200, _page(request, items, offset=offset, total=total))

    # Inside

    def _find(self, record: str, key: str) -> Row | None:
        type = rules.RECORDS[record].type
        if key.startswith("eid:"):
            return next(iter(self.store.where(type, "externalId", key[4:])), None)
        return self.store.get(type, key)

    def _row(self, record: str, key: str) -> Row:
        row = self._find(record, key)
        if row is None:
            words = "The record instance does not exist. Provide a valid record instance ID."
            raise Fail(404, words, field=f"{record}/{key}")
        return row

    def _save(self, request: Request, record: str, row: Row | None, body: Mapping[str, Any]) -> Row:
        known = rules.RECORDS[record]
        names = request.header("x-netsuite-propertynamevalidation").lower() == "error"
        values = request.header("x-netsuite-propertyvaluevalidation").lower() == "error"
        given = rules.typed(
            known.fields, rules.accept(record, body, suitetax=self.suitetax, strict=names), strict=values
        )
        before = dict(row.fields) if row else {"isInactive": False, "isPerson": False} if record == "vendor" else {}
        fields = {**before, **given}
        replaced = [name for name in request.query.get("replace", "").split(",") if name]
        if unknown := set(replaced) - set(known.sublists):
            raise rules.Complaints(
                [("replace", f"Unknown sublist: {', '.join(sorted(unknown))}.")], "INVALID_PARAMETER"
            )
        for name in known.sublists:
            if name in body and (name != "taxRegistration" or self.suitetax):
                fields = self._with_lines(record, name, fields, body, name in replaced, (names, values))
        if record == "vendor" and not fields.get("entityId"):
            fields["entityId"] = fields.get("companyName")
        wrong = [
            *rules.complaints(record, fields, self._exists),
            *rules.fixed(record, row.fields if row else {}, fields),
        ]
        if wrong:
            raise rules.Complaints(wrong)
        self._check_unique(record, fields, row.key if row else "")
        kept = {name: value for name, value in fields.items() if value not in (None, "")}
        key = row.key if row else str(self.store.next_number(known.type, 101))
        return self.store.put(known.type, key, kept)

    def _with_lines(
        self,
        record: str,
        sublist: str,
        fields: Mapping[str, Any],
        body: Mapping[str, Any],
        replace: bool,
        strict: tuple[bool, bool],
    ) -> dict[str, Any]:
        """Lines with a known key are updated, others added; with `replace` those that are not named go."""
        kinds = rules.RECORDS[record].sublists[sublist]
        held = flat.rows(fields, sublist)
        found = {} if replace else dict(held)
        for place, line in enumerate(rules.lines(record, sublist, body, strict=strict[0])):
            at = f"{sublist}.items[{place}]."
            id = line.pop("id", "")
            if id and id not in held:
                raise rules.Complaints([(f"{at}id", f"The line {id} does not exist in the sublist {sublist}.")])
            id = id or str(self.store.next_number("line", 20001))
            found[id] = {**held.get(id, {}), "id": id, **rules.typed(kinds, line, strict=strict[1], at=at)}
            if found[id].get("defaultBilling") and sublist == "addressBook":  # a vendor has one
                found = {other: {**row, "defaultBilling": other == id} for other, row in found.items()}
        kept = {name: value for name, value in fields.items() if flat.part_of(name) != sublist}
        return {**kept, **flat.from_rows(sublist, found)}

    def _exists(self, type: str, id: str) -> bool:
        return self.store.get(type, id) is not None

    def _check_unique(self, record: str, fields: Mapping[str, Any], own: str) -> None:
        known = rules.RECORDS[record]
        for name in (known.unique, "externalId"):
            value = fields.get(name)
            if value and any(row.key != own for row in self.store.where(known.type, name, value)):
                words = f"Error while accessing a resource. A {record} record with this {name} already exists."
                raise rules.Complaints([(name, f"{words} You must enter a unique one.")], code="USER_ERROR")

    def _made(self, request: Request, record: str, row: Row) -> Response:
        return Response(204, None, {"Location": _link(request, record, row.key)["href"]})

    def _present(self, request: Request, record: str, row: Row, expanded: bool) -> dict[str, Any]:
        self_link = _link(request, record, row.key)
        shown = nest({name: value for name, value in row.fields.items() if value not in (None, "")})
        for sublist in rules.RECORDS[record].sublists:
            if sublist == "taxRegistration" and not self.suitetax:
                continue
            link = {"rel": "self", "href": f"{self_link['href']}/{sublist}"}
            items = (shown.get(sublist) or {}).get("items", [])
            lines = {"items": items, "totalResults": len(items)} if expanded else {}
            shown[sublist] = {"links": [link], **lines}
        for name, type in rules.RECORDS[record].refers.items():
            if name.endswith(".id"):
                self._name_reference(shown, name.removesuffix(".id"), type)
        if record in ("vendor", "subsidiary"):
            shown["lastModifiedDate"] = row.changed_at[:19] + "Z"
        return {"links": [self_link], "id": row.key, **shown}

    def _name_reference(self, shown: dict[str, Any], name: str, type: str) -> None:
        held = shown.get(name)
        if isinstance(held, dict) and (row := self.store.get(type, str(held.get("id")))):
            shown[name] = {"links": [], **held, "refName": row.fields.get("name")}


def _body(request: Request) -> dict[str, Any]:
    body = request.json()
    if not isinstance(body, dict):
        raise Fail(400, "The request body must be one JSON object.")
    return body


def _link(request: Request, record: str, key: str) -> dict[str, str]:
    return {"rel": "self", "href": f"{request.base_url}{ROOT}/{record}/{key}"}


def _page(request: Request, items: list[dict[str, Any]], *, offset: int, total: int) -> dict[str, Any]:
    more = offset + len(items) < total
    links = [{"rel": "self", "href": f"{request.base_url}{request.target}"}]
    if more:
        following = urlencode({**request.query, "offset": offset + len(items)})
        links.insert(0, {"rel": "next", "href": f"{request.base_url}{request.path}?{following}"})
    return {
        "links": links,
        "count": len(items),
        "hasMore": more,
        "items": items,
        "offset": offset,
        "totalResults": total,
    }


if __name__ == "__main__":
    sys.exit(main(NetSuiteSandbox))
