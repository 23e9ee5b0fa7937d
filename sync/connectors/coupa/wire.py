"""Owns the requests a connector makes of Coupa's APIs for suppliers and lookup values, and reads its refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sync import flat
from sync.auth import OAuth2
from sync.connectors.coupa.shape import REFERENCE
from sync.errors import FieldProblem
from sync.http import Client, Problems, Response
from sync.protocol import Config

PAGE = 50  # what one GET gives at most
SCOPES = "core.supplier.read core.supplier.write"
TAKEN = "taken"  # the code of a uniqueness problem
NOT_FOUND = 404
# The elements our mapping writes, as Rails spells them at the start of a message; longest first.
_SPOKEN = {
    "Primary address": "primary-address",
    "Primary contact": "primary-contact",
    "Invoice matching level": "invoice-matching-level",
    "Remit to code": "remit-to-code",
    "External ref num": "external-ref-num",
    "Payment method": "payment-method",
    "Shipping term": "shipping-term.code",
    "Payment term": "payment-term.code",
    "Display name": "display-name",
    "Description": "description",
    "Postal code": "postal-code",
    "Country": "primary-address.country.code",
    "Lookup": "lookup.name",
    "Number": "number",
    "Status": "status",
    "Street1": "street1",
    "City": "city",
    "Name": "name",
}


class Resource:
    """One session with one of Coupa's resources, such as `suppliers`; `names` are the elements that are asked for."""

    def __init__(self, config: Config, path: str, names: list[str], scope: str) -> None:
        self.client = Client(config, headers={"Accept": "application/json"}, explain=explain)
        self.oauth = OAuth2(self.client, config, url="oauth2/token", scope=scope, style="body")
        self.client.auth = self.oauth
        self._path = f"api/{path}"
        self._fields = wanted_fields(names)  # payloads are large

    def search(self, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Records by filters, oldest first; at most one page."""
        return self._list(filters)

    def show(self, id: Any) -> dict[str, Any] | None:
        url, params = f"{self._path}/{id}", {"fields": self._fields}
        response = self.client.request("GET", url, params=params, accept={NOT_FOUND})
        return None if response.status == NOT_FOUND else self._object(response)

    def pages(
        self, changed_since: str | None, filters: Mapping[str, Any] | None = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Every record, by id: new and changed ones move offsets, they never move ids."""
        params = {**(filters or {}), **({"updated_at[gt_or_eq]": changed_since} if changed_since else {})}
        last = 0
        while True:
            self.client.exchanges()  # only what is being said now is kept: a scan has thousands of pages
            page = self._list({**params, "id[gt]": last})
            if not page:
                return
            yield page
            last = int(page[-1]["id"])

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._object(self.client.request("POST", self._path, json=dict(body)))

    def update(self, id: Any, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._object(self.client.request("PUT", f"{self._path}/{id}", json=dict(body)))

    def _list(self, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        params = {"order_by": "id", "dir": "asc", "fields": self._fields, **filters}
        response = self.client.request("GET", self._path, params=params)
        found = _parsed(response)
        if not isinstance(found, list) or not all(isinstance(item, dict) and "id" in item for item in found):
            raise self.client.unreadable(response)
        return found

    def _object(self, response: Response) -> dict[str, Any]:
        found = _parsed(response)
        if not isinstance(found, dict) or "id" not in found:
            raise self.client.unreadable(response)
        return found


class Suppliers(Resource):
    """`custom_field` is the element of the custom-fields namespace with our reference."""

    def __init__(self, config: Config, names: list[str]) -> None:
        self.custom_field = str(config.options.get("reference_field", REFERENCE))
        wanted = ["number", *names, f"custom-fields.{self.custom_field}"]
        super().__init__(config, "suppliers", wanted, str(config.options.get("scope", SCOPES)))

    def by_reference(self, reference: str) -> list[dict[str, Any]]:
        """Filters may be generous or, for a field that is not set up, silent; a match is looked at again."""
        name = self.custom_field.replace("-", "_")  # in queries dashes become underscores
        found = self.search({f"custom_fields[{name}]": reference})
        return [held for held in found if reference and self.reference_of(held) == reference]

    def reference_of(self, held: Mapping[str, Any]) -> str:
        return str((held.get("custom-fields") or {}).get(self.custom_field) or "")

    def by_key(self, key: str) -> dict[str, Any] | None:
        """The supplier of that number, or of that Coupa id when the key is `id:…`."""
        if key.startswith("id:"):
            return self.show(key[3:])
        found = self.search({"number": key})
        return next((held for held in found if str(held.get("number")) == key), None)

    def add_address(self, id: Any, body: Mapping[str, Any]) -> None:
        self._object(self.client.request("POST", f"{self._path}/{id}/addresses", json=dict(body)))

    def change_address(self, id: Any, address: Any, body: Mapping[str, Any]) -> None:
        self._object(self.client.request("PUT", f"{self._path}/{id}/addresses/{address}", json=dict(body)))


def explain(response: Response) -> Problems:
    """`{"errors": {"supplier": ["Name has already been taken"]}}`, or the XML that a proxy may answer."""
    answer = _parsed(response)
    words = _words(answer)
    if isinstance(answer, dict) and answer.get("error_description"):  # of the token endpoint
        words = [str(answer["error_description"])]
    if not words:
        words = re.findall(r"<error>(.*?)</error>", response.text(), re.S)
    return " ".join(_sentence(text) for text in words), tuple(_problem(text) for text in words)


def wanted_fields(names: list[str]) -> str:
    """The `fields` parameter for these flat names: `["id", {"payment_term": ["code"]}]`."""
    tree: dict[str, Any] = {}
    for name in ["id", "updated-at", *names]:
        part, _, leaf = flat.split_name(name)
        holder = tree
        for step in [*([part] if part else []), *leaf.split(".")]:
            holder = holder.setdefault(step.replace("-", "_"), {})
    return json.dumps(_listed(tree), separators=(",", ":"))


def _listed(tree: Mapping[str, Any]) -> list[Any]:
    return [{name: _listed(below)} if below else name for name, below in tree.items()]


def _parsed(response: Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _words(answer: Any) -> list[str]:
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if isinstance(errors, dict):
        errors = list(errors.values())
    found: list[str] = []
    for item in errors if isinstance(errors, list) else [errors]:
        found += [str(text) for text in item] if isinstance(item, list) else [str(item)] if item else []
    return found


def _problem(text: str) -> FieldProblem:
    field = next((name for spoken, name in _SPOKEN.items() if text.startswith(spoken)), "")
    return FieldProblem(field, TAKEN if "already been taken" in text else "invalid", _sentence(text))


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
