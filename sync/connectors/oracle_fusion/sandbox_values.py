"""Owns the value sets of the sandbox of Oracle Fusion: their values read, made and changed, and those that were there before.

After docs.oracle.com, Applications Common REST 23d–25d: op-…-valuesets-get, op-…-valuesets-valuesets_id-child-values-get,
…-post, …-patch. A set is found by its code, its values by the link it gives: ids in addresses are hashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.connectors.oracle_fusion import sandbox_checks as checks
from sync.connectors.oracle_fusion.sandbox_queries import envelope, read_terms, window
from sync.connectors.oracle_fusion.sandbox_rules import ROOT, Leaves, id_of, incoming, indicator, links
from sync.connectors.oracle_fusion.sandbox_schema import RESOURCES, VALUE_SETS
from sync.sandbox import Fail, Request, Response, Sandbox, route
from sync.sandbox_store import Row

# The type under which the store keeps the values of a set; ids of sets are places in this table.
TYPES = {"COST_CENTER": "cost_center", "PROFIT_CENTER": "profit_center", "PROJECT": "project", "ACCOUNT": "gl_account"}
CHILD = rf"{ROOT}/valueSets/(?P<owner>\w+)/child/values"
VALUES = {  # value, description
    "COST_CENTER": (("FR-1000", "Direction"), ("FR-5100", "Service commercial")),
    "PROFIT_CENTER": (("PC-CORP", "Corporate"),),
    "ACCOUNT": (("401000", "Fournisseurs"), ("625100", "Voyages")),
}


class ValueRoutes(Sandbox):
    def next_id(self) -> int:
        raise NotImplementedError

    def who(self, *, creating: bool = False) -> Leaves:
        raise NotImplementedError

    def plant_values(self) -> None:
        with self.store.transaction():
            for code, known in VALUES.items():
                for value, description in known:
                    self._put(
                        code, {"Value": value, "Description": description, "StartDateActive": "2015-01-01"}, log=False
                    )

    @route("GET", rf"{ROOT}/valueSets")
    def value_sets(self, request: Request) -> Response:
        """op-…-valuesets-get."""
        found = [(str(place), _set(place, code)) for place, code in enumerate(TYPES, 1)]
        return Response(200, _page("valueSets", found, request, ""))

    @route("GET", CHILD)
    def values(self, request: Request, owner: str) -> Response:
        """op-…-valuesets-valuesets_id-child-values-get."""
        rows = self.store.page(TYPES[_code(owner)])
        found = sorted(((str(row.fields["ValueId"]), _leaves(row.fields)) for row in rows), key=lambda one: int(one[0]))
        return Response(200, _page("values", found, request, _parent(owner)))

    @route("GET", rf"{CHILD}/(?P<id>\w+)")
    def value(self, request: Request, owner: str, id: str) -> Response:
        """op-…-child-values-valuesets_values_id-get."""
        return _answer(200, self._value(owner, id), owner, request)

    @route("POST", CHILD)
    def create_value(self, request: Request, owner: str) -> Response:
        """op-…-valuesets-valuesets_id-child-values-post: a value stands once in its set."""
        code, given = _code(owner), incoming("values", request.json(), creating=True)
        if self.store.get(TYPES[code], str(given["Value"])):
            raise Fail(400, f"The value {given['Value']} already exists in the value set {code}.", field="Value")
        return _answer(201, self._put(code, given), owner, request)

    @route("PATCH", rf"{CHILD}/(?P<id>\w+)")
    def update_value(self, request: Request, owner: str, id: str) -> Response:
        """op-…-child-values-valuesets_values_id-patch: only what is sent, if it is as it was read."""
        row = self._value(owner, id)
        checks.match(request, _leaves(row.fields))
        given = incoming("values", request.json(), creating=False)
        changed = {**row.fields, **given, **self.who()}
        return _answer(200, self.store.put(row.type, row.key, changed), owner, request)

    def _value(self, owner: str, path: str) -> Row:
        id = id_of(path)
        found = self.store.where(TYPES[_code(owner)], "ValueId", int(id)) if id else []
        if not found:
            raise Fail(404, "Not Found")
        return found[0]

    def _put(self, code: str, given: Mapping[str, Any], *, log: bool = True) -> Row:
        fields = {"ValueId": self.next_id(), "EnabledFlag": "Y", **given, **self.who(creating=True)}
        return self.store.put(TYPES[code], str(fields["Value"]), fields, log=log)


def _set(place: int, code: str) -> Leaves:
    kinds = {"ValidationType": "Independent", "ValueDataType": "Character", "ModuleId": None}
    return {"ValueSetId": place, "ValueSetCode": code, "Description": VALUE_SETS[code], **kinds}


def _code(owner: str) -> str:
    place = id_of(owner)
    code = dict(enumerate(TYPES, 1)).get(int(place)) if place else None
    if code is None:
        raise Fail(404, "Not Found")
    return code


def _parent(owner: str) -> str:
    return f"valueSets/{owner}/child/"


def _leaves(fields: Mapping[str, Any]) -> Leaves:
    return {name: fields.get(name) for name in RESOURCES["values"].attributes}


def _page(resource: str, found: list[tuple[str, Leaves]], request: Request, parent: str) -> dict[str, Any]:
    """One page of what meets the query."""
    query, framework = request.query, int(request.header("rest-framework-version") or "1")
    terms = read_terms(resource, query, framework)
    fitting = [(id, leaves) for id, leaves in found if all(term.holds(leaves) for term in terms)]
    offset, limit = window(query)
    items = [_item(resource, id, leaves, query, parent) for id, leaves in fitting[offset : offset + limit]]
    return envelope(items, len(fitting), query)


def _item(resource: str, id: str, leaves: Leaves, query: Mapping[str, str], parent: str) -> Leaves:
    shown = dict(leaves)
    if query.get("onlyData") != "true":
        shown["links"] = links(resource, id, leaves, parent, query.get("links", ""))
    return shown


def _answer(status: int, row: Row, owner: str, request: Request) -> Response:
    leaves = _leaves(row.fields)
    item = _item("values", str(row.fields["ValueId"]), leaves, request.query, _parent(owner))
    return Response(status, item, {"ETag": f'"{indicator(leaves)}"'})
