"""Owns the sandbox of New Platform: sign-in, /api/suppliers, paging, errors. README.md says what it decides itself."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from sync.connector_scaffold.connector import TAKEN
from sync.connector_scaffold.shape import BANKS, REFERENCE, flatten, nest
from sync.sandbox import Fail, Request, Response, Sandbox, main, route
from sync.sandbox_store import Row

FIRST, PAGE, TOKEN_LIFE = 100001, 100, 3600
OWN = ("number", "changed_at")  # what the platform makes itself
LENGTHS = {"name": 200, "country": 2, "currency": 3, "city": 60, "postal_code": 20}


class NewPlatformSandbox(Sandbox):
    name: ClassVar[str] = "new_platform"
    title: ClassVar[str] = "New Platform"
    indexes = {"supplier": (REFERENCE, "tax_number")}
    refuse_field: ClassVar[str] = "name"

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        with file.open(encoding="utf-8", newline="") as source:
            for cells in csv.DictReader(source):
                number = cells.pop("number")
                bank = {f"{BANKS}[0].{leaf}": cells.pop(leaf) for leaf in ("iban", "account_number", "holder")}
                fields = {**cells, **(bank if any(bank.values()) else {}), "status": "active", "number": number}
                self.store.raise_number("supplier", int(number))
                yield "supplier", number, {name: value for name, value in fields.items() if value}

    def error(self, fail: Fail) -> Response:
        """Refusals name the field, a code and words."""
        shown = {"field": fail.field, "code": fail.code or "invalid", "message": fail.message}
        return Response(fail.status, {"errors": [shown]}, dict(fail.headers))

    def mutated(self, row: Row, field: str, value: Any) -> dict[str, Any]:
        return row.fields if field in OWN else super().mutated(row, field, value)

    @route("POST", "/oauth2/token")
    def token(self, request: Request) -> Response:
        if request.form().get("grant_type") != "client_credentials" or not self.has_client(request):
            return Response(401, {"error": "invalid_client"})
        body = {"access_token": self.issue_token(TOKEN_LIFE), "token_type": "bearer", "expires_in": TOKEN_LIFE}
        return Response(200, body)

    @route("GET", "/api/suppliers")
    def index(self, request: Request) -> Response:
        """In the order of numbers, at most a hundred; `next` is where to go on."""
        self._need_token(request)
        query = request.query
        for name in (REFERENCE, "tax_number"):
            if name in query:
                found = self.store.where("supplier", name, query[name])
                return Response(200, {"items": [self._shown(row) for row in found], "next": None})
        top, since = min(int(query.get("limit") or PAGE), PAGE), query.get("changed_since", "")
        rows = self.store.page("supplier", top=top, changed_since=since, after=query.get("after", ""))
        there = (
            f"/api/suppliers?limit={top}&after={rows[-1].key}&changed_since={quote(since)}" if len(rows) == top else ""
        )
        return Response(200, {"items": [self._shown(row) for row in rows], "next": there or None})

    @route("GET", "/api/suppliers/(?P<number>[^/]+)")
    def show(self, request: Request, number: str) -> Response:
        self._need_token(request)
        return Response(200, self._shown(self._row(number)))

    @route("POST", "/api/suppliers")
    def create(self, request: Request) -> Response:
        self._need_token(request)
        given = self._checked(request, {})
        if not given.get("name"):
            raise Fail(400, "A supplier needs a name.", code="required", field="name")
        number = str(self.store.next_number("supplier", FIRST))
        row = self.store.put("supplier", number, {"status": "active", **given, "number": number})
        return Response(201, self._shown(row))

    @route("PATCH", "/api/suppliers/(?P<number>[^/]+)")
    def change(self, request: Request, number: str) -> Response:
        """Fields that are not named stay; the list of accounts is replaced as a whole."""
        self._need_token(request)
        row = self._row(number)
        given = self._checked(request, row.fields)
        kept = row.fields
        if BANKS in request.json():
            kept = {name: value for name, value in kept.items() if not name.startswith(f"{BANKS}[")}
        fields = {name: value for name, value in {**kept, **given}.items() if value is not None}
        return Response(200, self._shown(self.store.put("supplier", number, fields)))

    def _checked(self, request: Request, held: dict[str, Any]) -> dict[str, Any]:
        """What was sent, flat; Fail when the platform would not take it."""
        body = request.json()
        if not isinstance(body, dict):
            raise Fail(400, "The body is no object.")
        for name, most in LENGTHS.items():
            if len(str(body.get(name) or "")) > most:
                raise Fail(400, f"{name} has more than {most} characters.", code="too_long", field=name)
        reference = body.get(REFERENCE)
        if reference and reference != held.get(REFERENCE) and self.store.where("supplier", REFERENCE, reference):
            raise Fail(409, f"The external id {reference} is taken.", code=TAKEN, field=REFERENCE)
        return {name: value for name, value in flatten(body).items() if name not in OWN}

    def _row(self, number: str) -> Row:
        row = self.store.get("supplier", number)
        if row is None:
            raise Fail(404, f"There is no supplier {number}.", code="not_found", field="number")
        return row

    def _need_token(self, request: Request) -> None:
        if not self.has_token(request):
            raise Fail(401, "Sign in first.", code="unauthorised")

    def _shown(self, row: Row) -> dict[str, Any]:
        return nest({**row.fields, "changed_at": row.changed_at})


if __name__ == "__main__":
    sys.exit(main(NewPlatformSandbox))
