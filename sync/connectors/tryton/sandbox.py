"""Owns the sandbox of Tryton: signing in and JSON-RPC over the records of `sandbox_records`.

It proves “as trytond 8.2 answered when we asked it”, no more; `tests/sync/tryton` holds the same connector, and the same
contract tests, against a running trytond.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from sync.connectors.tryton import sandbox_rules as rules
from sync.connectors.tryton.sandbox_domain import matches, project
from sync.connectors.tryton.sandbox_records import ANALYTIC, WRITABLE, Records
from sync.connectors.tryton.sandbox_seed import read_extract, seed_party
from sync.connectors.tryton.wire import is_read
from sync.sandbox import CLIENT_ID, SECRET, Fail, Request, Response, Sandbox, main, route
from sync.sandbox_store import Row

ATTEMPTS = 5  # session.max_attempt
SESSION_LIFE = 30 * 24 * 3600.0  # session.max_age
_TITLES = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed"}
_TITLES |= {
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class TrytonSandbox(Sandbox):
    name: ClassVar[str] = "tryton"
    title: ClassVar[str] = "Tryton"
    indexes = {
        "supplier": ("id",),
        "payment_term": ("id",),
        "legal_entity": ("id", "party"),
        "account": ("number",),
        **dict.fromkeys(rules.ROOTS.values(), ("id",)),
    }
    refuse_field: ClassVar[str] = "name"

    def __init__(self, state: str, seed: str = "", *, client_id: str = CLIENT_ID, secret: str = SECRET) -> None:
        self._failures = 0
        super().__init__(state, seed, client_id=client_id, secret=secret)
        self.records = Records(self.store)

    def plant(self) -> None:
        """The payment terms every database starts with, then the parties of the extract."""
        with self.store.transaction():
            records = Records(self.store)
            for name, days, end in rules.TERMS:
                delta = {"days": days, "day": 31 if end else None, "months": 0, "weeks": 0}
                deltas = [["create", [delta]]] if days or end else []
                lines = [["create", [{"type": "remainder", "relativedeltas": deltas}]]]
                records.create_term({"name": name, "lines": lines})
            for party, account in read_extract(Path(self.seed_file)) if self.seed_file else ():
                seed_party(records, party, account, self.store.page("payment_term"))
            self.store.clear("effect")  # what was there from the start is nobody's write

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        return iter(())  # see `plant`

    def forget_sessions(self) -> None:
        self._failures = 0

    def mutated(self, row: Row, field: str, value: Any) -> dict[str, Any]:
        """Somebody changed a party or one of its rows at Tryton; only what was changed gets a new time stamp."""
        part, _, _ = field.rpartition(".")
        stamp = f"{part}.stamp" if part else "stamp"
        moved = {stamp: self.records._now()} if stamp in row.fields and field != stamp else {}
        return {**super().mutated(row, field, value), **moved}

    def next_fault(self, request: Request) -> str:
        """All of JSON-RPC is POST: for planned faults, a method that changes nothing counts as GET."""
        verb = "GET" if self.is_read(request) else request.method
        return super().next_fault(Request(verb, f"{request.target} {_method(request)}", request.headers, request.body))

    def is_read(self, request: Request) -> bool:
        return is_read(_method(request))

    def error(self, fail: Fail) -> Response:
        """An error of a business rule is an answer of status 200; anything else is the web server's small page."""
        if isinstance(fail, rules.RpcError):
            return Response(200, {"id": fail.id, "error": fail.error})
        title = _TITLES.get(fail.status, "Error")
        page = f"<!doctype html>\n<html lang=en>\n<title>{fail.status} {title}</title>\n<h1>{title}</h1>\n"
        page += f"<p>{html.escape(fail.message)}</p>\n"
        return Response(fail.status, page, {"Content-Type": "text/html; charset=utf-8", **fail.headers})

    @route("POST", r"/(?P<database>[\w-]+)/rpc/")
    def rpc(self, request: Request, database: str) -> Response:
        """trytond/protocols/dispatcher.py and jsonrpc.py of trytond 8.2: id, method, params with the context last."""
        if database != "tryton":
            raise Fail(404, "The requested URL was not found on the server.")
        body = request.json()
        method, params = str(body.get("method") or ""), body.get("params") or []
        if method == "common.db.login":
            return Response(200, {"id": body.get("id"), "result": self._login(params)})
        if not self._signed_in(request):
            raise Fail(401, "Unauthorized", headers={"WWW-Authenticate": 'Basic realm="Tryton"'})
        if not params or not isinstance(params[-1], dict):
            raise Fail(422, "Missing context argument")
        try:
            return Response(200, {"id": body.get("id"), "result": self._dispatch(method, params[:-1], params[-1])})
        except rules.RpcError as error:
            error.id = body.get("id")
            raise
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            crash = rules.crash(error)
            crash.id = body.get("id")
            raise crash from None

    def _login(self, params: list[Any]) -> list[Any]:
        """Six wrong passwords close the door, the right one too."""
        if self._failures > ATTEMPTS:
            raise Fail(429, "This user has exceeded an allotted request count. Try again later.")
        if params[:2] != [self.client_id, {"password": self.secret}]:
            self._failures += 1
            raise Fail(401, "The server could not verify that you are authorized to access the URL requested.")
        return [3, self.issue_token(SESSION_LIFE), None]

    def _signed_in(self, request: Request) -> bool:
        scheme, _, given = request.header("authorization").partition(" ")
        try:
            login, user, key = base64.b64decode(given).decode().split(":")
        except (binascii.Error, ValueError):
            return False
        bearer = Request("", "", {"authorization": f"bearer {key}"})
        return scheme == "Session" and (login, user) == (self.client_id, "3") and self.has_token(bearer)

    def _dispatch(self, method: str, params: list[Any], context: dict[str, Any]) -> Any:
        model, _, name = method.removeprefix("model.").rpartition(".")
        if name == "search_read":
            return self._search_read(model, *params, context=context)
        if name == "get_access":
            rights = dict.fromkeys(("read", "write", "create", "delete"), True)
            return {model: rights for model in params[0] if model in WRITABLE}
        stamps = context.get("_timestamp") or {}
        if name == "create":
            makers = {
                "party.party": self.records.create_party,
                "company.company": self.records.create_company,
                "account.invoice.payment_term": self.records.create_term,
                ANALYTIC: self.records.create_analytic,
            }
            return [makers[model](values) for values in params[0]]
        if name != "write":
            raise Fail(403, "You don't have the permission to access the requested resource.")
        writers = {
            "party.party": self.records.write_party,
            "company.company": self.records.write_company,
            "account.invoice.payment_term": self.records.write_term,
            ANALYTIC: self.records.write_analytic,
        }
        for id in params[0]:
            writers[model](id, params[1], stamps)
        return None

    def _search_read(
        self,
        model: str,
        domain: Any,
        offset: int,
        limit: int | None,
        order: Any,
        fields: Any,
        *,
        context: dict[str, Any],
    ) -> list[dict[str, Any]]:
        if order not in (None, [["id", "ASC"]]):
            raise Fail(422, "This sandbox only sorts by id.")
        hidden = context.get("active_test", True)
        found = [
            record
            for record in self.records.all(model, domain)
            if matches(record, domain) and not (hidden and record.get("active") is False)
        ]
        page = found[offset : None if limit is None else offset + limit]
        return [project(self.records.complete(record), fields) for record in page]


def _method(request: Request) -> str:
    try:
        return str(json.loads(request.body or b"{}").get("method") or "")
    except (ValueError, AttributeError):
        return ""


if __name__ == "__main__":
    sys.exit(main(TrytonSandbox))
