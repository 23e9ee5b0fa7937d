"""A loopback proxy in front of the real Tryton: the control API and the planned faults every sandbox has.

Requests go through untouched; writes that Tryton answered as done are logged as effects; `records` and `mutate` ask Tryton
itself. So the tests that hold for every sandbox hold for an ERP nobody here wrote.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sync import flat
from sync.connectors.tryton.sandbox import TrytonSandbox
from sync.connectors.tryton.sandbox_records import MODELS
from sync.connectors.tryton.sandbox_seed import read_extract
from sync.connectors.tryton.shape import number_type
from sync.connectors.tryton.wire import Api
from sync.errors import Refused
from sync.sandbox import Request, Response
from sync.sandbox_store import Cause, Row, Store
from tests.sync.tryton.server import Tryton

LEAVES = {
    "identifiers": ("type", "code"),
    "addresses": ("street", "postal_code", "city"),
    "contact_mechanisms": ("type", "value", "name"),
}
FIELDS = ("code", "name", "active", *(f"{part}.{leaf}" for part, leaves in LEAVES.items() for leaf in leaves))
_PASSED = ("authorization", "content-type", "accept")


class TrytonProxy(TrytonSandbox):
    """Of the sandbox only what is said of planned faults and how they look."""

    def __init__(self, tryton: Tryton, state: Path, extract: Path | None = None) -> None:
        self.tryton, self.extract, self.api = tryton, extract, tryton.api()
        self._one_by_one = threading.Lock()
        self.on_write: Callable[[dict[str, Any]], None] | None = None  # once, before the next write goes through
        super().__init__(str(state), "planted")
        self.store.close()
        self.store = LiveStore(str(state), self.api)

    def plant(self) -> None:
        """The parties of the extract, made through Tryton's own API, in one request."""
        self.tryton.forget_parties()
        found = list(read_extract(self.extract)) if self.extract else []
        made = self._call("create", [self._nested(*pair) for pair in found]) if found else []
        archived = [id for id, (party, _) in zip(made, found, strict=True) if not party["active"]]
        if archived:  # Tryton creates nothing that is archived from the start
            self._call("write", archived, {"active": False})

    def mutated(self, row: Row, field: str, value: Any) -> dict[str, Any]:
        """Somebody changes a value at Tryton; what Tryton refuses stays as it is."""
        part, id, leaf = flat.split_name(field)
        model = MODELS[part] if part else "party.party"
        number = int(id) if id is not None else int(row.fields["id"])
        try:
            self.api.write(model, number, {leaf: value}, {})
        except Refused:
            pass
        return {}

    def answer(self, request: Request) -> Response:
        body = json.loads(request.body or b"{}")
        method, hook = str(body.get("method")), self.on_write
        if hook and method in WRITTEN:
            self.on_write = None
            hook(body)
        response = self._forward(request, body)
        if method in WRITTEN and response.status == 200 and "result" in json.loads(response.body):
            self._log(request, method, body, json.loads(response.body)["result"])
        return response

    def _forward(self, request: Request, body: dict[str, Any]) -> Response:
        address = f"{self.tryton.url}/{self.tryton.name}/rpc/"
        headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
        sent = urllib.request.Request(address, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(sent, timeout=60) as answer:
                status, found, content = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refused:
            status, found, content = refused.code, refused.headers, refused.read()
        return Response(status, content, {"Content-Type": found.get("Content-Type", "text/plain")})

    def _log(self, request: Request, method: str, body: dict[str, Any], result: Any) -> None:
        creates = method.endswith(".create")
        ids = result if creates else body["params"][0]
        with self._one_by_one:
            codes = self.api.search_read("party.party", [["id", "in", ids]], ["code"])
            self.api.client.exchanges()
        cause = Cause(method, request.path, request.header("idempotency-key"), request.header("x-correlation-id"))
        with self.store.transaction(cause):
            for party in codes:
                self.store._log("supplier", party["code"], "created" if creates else "updated", {})

    def _nested(self, party: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
        values = {name: party[name] for name in ("code", "name")}
        for row in party["addresses"]:
            row["country"] = self._id("country.country", "code", row["country"])
        values |= {part: [["create", party[part]]] for part in LEAVES if party[part]}
        if party["supplier_payment_term"]:
            values["supplier_payment_term"] = self._id(
                "account.invoice.payment_term", "name", party["supplier_payment_term"]
            )
        if account:
            number = {"type": number_type(account["number"]), "number": account["number"]}
            currency = self._id("currency.currency", "code", account["currency"])
            values["bank_accounts"] = [["create", [{"numbers": [["create", [number]]], "currency": currency}]]]
        return values

    def _call(self, method: str, *params: Any) -> Any:
        return self.api._call(f"model.party.party.{method}", *params, writes=True)

    def _id(self, model: str, field: str, value: str) -> int:
        return int(self.api.search_read(model, [[field, "=", value]], [field])[0]["id"])


WRITTEN = ("model.party.party.create", "model.party.party.write")


class LiveStore(Store):
    """Faults and effects as ever; the records are those of Tryton."""

    def __init__(self, file: str, api: Api) -> None:
        super().__init__(file)
        self._api = api

    def page(self, type: str, **_: Any) -> list[Row]:  # type: ignore[override]
        return [self._row(party) for party in self._api.search_read("party.party", [], FIELDS)]

    def get(self, type: str, key: str) -> Row | None:
        found = self._api.search_read("party.party", [["code", "=", key]], FIELDS)
        return self._row(found[0]) if found else None

    def put(self, type: str, key: str, fields: Any, *, log: bool = True) -> Row:
        row = self.get(type, key)  # `mutated` has written already
        assert row is not None
        return row

    def _row(self, party: dict[str, Any]) -> Row:
        fields = {name: party.get(name) for name in ("id", "code", "name", "active")}
        fields.update(_flat(party))
        return Row("supplier", str(party["code"]), fields, 0, "", "")


def _flat(party: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for part, leaves in LEAVES.items():
        for item in party[f"{part}."]:
            yield from ((f"{part}[{item['id']}].{leaf}", item.get(leaf)) for leaf in leaves)
