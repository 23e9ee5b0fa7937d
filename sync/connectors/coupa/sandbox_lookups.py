"""Owns the lookup values of the sandbox of Coupa: /api/lookup_values, and those that somebody typed in before we came.

After compass.coupa.com, “Lookup Values API (/lookup_values)” and “Lookup Values API Example Calls”.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.connectors.coupa.sandbox_queries import NO_FILTER, body_of, condition, field, number
from sync.sandbox import Fail, Request, Response, Sandbox, route
from sync.sandbox_query import Condition, remove, search
from sync.sandbox_store import Row

READ, WRITE = "core.accounting.read", "core.accounting.write"
NUMBER = "external-ref-num"
PAGE = 50
# The lookups of this instance, by the type under which the store keeps their values; ids are places in this table.
TYPES = {
    "Account": "gl_account",
    "Cost Center": "cost_center",
    "Profit Center": "profit_center",
    "Project": "project",
}
KNOWN = {
    *("id", "name", "description", "active", NUMBER, "external-ref-code", "lookup", "lookup-id", "parent-id", "depth"),
    *("is-default", "created-at", "updated-at"),
}
# What is there already, by lookup: number, name, description, active.
VALUES = {
    "Cost Center": (
        ("DE_1000", "DE-1000 Management", "Management", True),
        ("DE_2100", "Giesserei", "Giesserei", True),
        ("DE_3100", "DE-3100 Warehouse Bremen", "Warehouse Bremen", False),
        ("GB_3100", "GB-3100 Warehouse Leeds", "Warehouse Leeds", True),
    ),
    "Profit Center": (("PC_CORP", "PC-CORP Corporate", "Corporate", True),),
    "Account": (("470000", "470000 Travel", "Travel", True), ("480000", "480000 Rent", "Rent", True)),
}


class LookupRoutes(Sandbox):
    def need(self, request: Request, scope: str) -> None:
        """Signed in for a scope, or Fail."""
        raise NotImplementedError

    def present(self, row: Row, query: Mapping[str, str]) -> dict[str, Any]:
        raise NotImplementedError

    def plant_values(self) -> None:
        with self.store.transaction():
            for lookup, values in VALUES.items():
                for number_, name, description, active in values:
                    fields = {NUMBER: number_, "name": name, "description": description, "active": active}
                    self._put({**fields, **_lookup(lookup)}, log=False)

    @route("GET", "/api/lookup_values")
    def values(self, request: Request) -> Response:
        """“Lookup Values API Example Calls”, Different Query Options: filters, also by the lookup a value is of."""
        self.need(request, READ)
        query = request.query
        asked = [condition(name, value, KNOWN) for name, value in query.items() if name not in NO_FILTER]
        order, down = field(query.get("order_by", "id")), query.get("dir", "asc") == "desc"
        found = [row for type in _types(asked) for row in search(self.store, type, asked)]
        found.sort(key=lambda row: _order(row, order), reverse=down)
        offset, limit = number(query, "offset", 0), min(number(query, "limit", PAGE), PAGE)
        return Response(200, [self.present(row, query) for row in found[offset : offset + limit]])

    @route("GET", r"/api/lookup_values/(?P<id>\d+)")
    def value(self, request: Request, id: str) -> Response:
        """“Lookup Values API Get Example”."""
        self.need(request, READ)
        return Response(200, self.present(self._value(id), request.query))

    @route("POST", "/api/lookup_values")
    def create_value(self, request: Request) -> Response:
        """“Lookup Values Create”: the lookup by its name, no ids; it must exist already."""
        self.need(request, WRITE)
        fields = {"active": True, "description": None, **_accept(body_of(request))}
        self._check_value(fields, own=None)
        return Response(201, self.present(self._put(fields), request.query))

    @route("PUT", r"/api/lookup_values/(?P<id>\d+)")
    def update_value(self, request: Request, id: str) -> Response:
        """“Lookup Values API PUT Example”: only what is sent; `active: false` takes a value from the users."""
        self.need(request, WRITE)
        row = self._value(id)
        fields = {**row.fields, **_accept(body_of(request))}
        self._check_value(fields, own=row)
        if (row.type, row.key) != (TYPES[fields["lookup.name"]], _key(fields)):
            remove(self.store, row.type, row.key)
        return Response(200, self.present(self._put(fields), request.query))

    def _value(self, id: str) -> Row:
        for type in TYPES.values():
            for row in self.store.where(type, "id", int(id)):
                return row
        raise Fail(404, "No results match your search criteria.")

    def _put(self, fields: dict[str, Any], *, log: bool = True) -> Row:
        fields.setdefault("id", self.store.next_number("lookup_value", 301))
        made = {"external-ref-code": fields.get(NUMBER), "parent-id": None, "depth": 0, "account-type": None}
        return self.store.put(TYPES[fields["lookup.name"]], _key(fields), {**fields, **made}, log=log)

    def _check_value(self, fields: Mapping[str, Any], own: Row | None) -> None:
        wrong = [] if str(fields.get("name") or "").strip() else ["Name can't be blank"]
        if any(len(str(fields.get(name) or "")) > 255 for name in ("name", "description", NUMBER)):
            wrong.append("Name is too long (maximum is 255 characters)")
        if "-" in str(fields.get(NUMBER) or ""):
            wrong.append("External ref num can't contain a hyphen: it separates the segments of an account")
        if fields.get("lookup.name") not in TYPES:
            raise Fail(400, "\n".join([*wrong, "Lookup can't be blank"]), code="lookup_value")
        others = [row for row in self.store.page(TYPES[fields["lookup.name"]]) if own is None or row.key != own.key]
        for name, spoken in (("name", "Name"), (NUMBER, "External ref num")):
            if fields.get(name) and any(row.fields.get(name) == fields[name] for row in others):
                wrong.append(f"{spoken} has already been taken")
        if wrong:
            raise Fail(400, "\n".join(wrong), code="lookup_value")


def _accept(body: Mapping[str, Any]) -> dict[str, Any]:
    """What may be given of a value; elements that are only shown fall away, as they do in Rails."""
    dashed = {str(name).replace("_", "-"): value for name, value in body.items()}
    found = {name: dashed[name] for name in ("name", "description", NUMBER, "is-default") if name in dashed}
    if "active" in dashed:
        found["active"] = str(dashed["active"]).lower() in ("true", "yes", "1")
    lookup = dashed.get("lookup")
    if isinstance(lookup, Mapping):
        found.update(_lookup(str(lookup.get("name") or "")))
    if isinstance(dashed.get("lookup-id"), int):
        found.update(_lookup(dict(enumerate(TYPES, 1)).get(dashed["lookup-id"], "")))
    return found


def _lookup(name: str) -> dict[str, Any]:
    id = list(TYPES).index(name) + 1 if name in TYPES else None
    return {"lookup.name": name, "lookup.id": id, "lookup-id": id}


def _types(asked: list[Condition]) -> list[str]:
    """Where to look: one lookup, when the query says so."""
    named = [one.value for one in asked if one.field == "lookup.name" and one.operator == "eq"]
    return [TYPES[name] for name in named if name in TYPES] if named else list(TYPES.values())


def _order(row: Row, name: str) -> Any:
    times = {"@created": row.created_at, "@changed": row.changed_at}
    return times[name] if name in times else row.fields.get(name) or ""


def _key(fields: Mapping[str, Any]) -> str:
    return str(fields.get(NUMBER) or f"id {fields['id']}")
