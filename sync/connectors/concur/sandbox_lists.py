"""Owns the lists of the sandbox of Concur: lists, their items one by one and up to 250 at once, and what was there before.

After SAP-docs/preview.developer.concur.com: common/lists/v4.list, common/list-item/v4.list-item and v4.list-item-bulk.
Lists have one level here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from sync.sandbox import Fail, Request, Response, Sandbox, route
from sync.sandbox_query import Condition, search
from sync.sandbox_store import Row

PAGE, MOST = 100, 250
# The lists of this company, by the type under which the store keeps their items.
TYPES = {"Cost Center": "cost_center", "Profit Center": "profit_center", "Project": "project"}
_HOME = uuid.UUID("80edb3fa-c15e-a34a-b97f-f2ec291ab44f")
IDS = {str(uuid.uuid5(_HOME, name)): name for name in TYPES}
ITEMS = {  # code, text
    "Cost Center": (("DE_1000", "Management"), ("FR_3100", "Entrepot Lyon"), ("DE_4100", "Purchasing")),
    "Profit Center": (("PC_CORP", "Corporate"),),
    "Project": (("P_QUAY7", "Quay 7"),),
}
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda held, given: held == given,
    "not": lambda held, given: held != given,
    "sw": lambda held, given: held.startswith(given),
    "ew": lambda held, given: held.endswith(given),
    "cp": lambda held, given: given in held,
}
Fields = dict[str, Any]


class ListRoutes(Sandbox):
    indexes: ClassVar[Mapping[str, Iterable[str]]] = dict.fromkeys(TYPES.values(), ("id",))

    def need_token(self, request: Request) -> None:
        raise NotImplementedError

    def plant_items(self) -> None:
        with self.store.transaction():
            for id, name in IDS.items():
                for code, text in ITEMS.get(name, ()):
                    self._make(id, {"shortCode": code, "value": text}, log=False)

    @route("GET", "/list/v4/lists")
    def lists(self, request: Request) -> Response:
        """v4.list, Get All Lists: filters `value=<op>:<value>`, 100 a page."""
        self.need_token(request)
        about = {"levelCount": 1, "searchCriteria": "TEXT", "displayFormat": "(CODE) TEXT", "isReadOnly": False}
        kind = {"id": "a2dfc451-8f3c-410e-a5f2-20d79c8fc3dc", "type": "Normal"}
        found = [
            {"id": id, "value": name, **about, "category": kind, "isDeleted": False, "managedBy": None}
            for id, name in sorted(IDS.items(), key=lambda one: one[1])
        ]
        return _paged([one for one in found if _fits(one, request.query, ("value",))], request.query)

    @route("GET", r"/list/v4/lists/(?P<list>[\w-]+)/children")
    def children(self, request: Request, list: str) -> Response:
        """v4.list-item, Retrieve First Level Children Items of a List; `isDeleted=true` shows the deleted ones."""
        self.need_token(request)
        query = request.query
        sort = query.get("sortBy", "value")
        if sort not in ("value", "shortCode"):
            raise Fail(400, "Please check your request parameter", code="request.validation.error", field="sortBy")
        asked = [Condition("isDeleted", "eq", query.get("isDeleted") == "true")]
        down = query.get("sortDirection", "asc") == "desc"
        rows = search(self.store, _type(list), asked, order_by=(sort,), descending=down)
        shown = [_shown(row.fields) for row in rows]
        return _paged([item for item in shown if _fits(item, query, ("shortCode", "value"))], query)

    @route("GET", r"/list/v4/items/(?P<id>[\w-]+)")
    def item(self, request: Request, id: str) -> Response:
        """v4.list-item, Retrieve a List Item by ID: deleted ones too."""
        self.need_token(request)
        return Response(200, _shown(self._row(id).fields))

    @route("POST", "/list/v4/items")
    def create_item(self, request: Request) -> Response:
        """v4.list-item, Create a List Item, Example 1: on the first level."""
        self.need_token(request)
        body = _object(request.json())
        list = str(body.get("listId") or "")
        _type(list)
        row = self._made(list, body)
        return Response(201, _shown(row.fields), {"Location": f"{request.base_url}/list/v4/items/{row.fields['id']}"})

    @route("PUT", r"/list/v4/items/(?P<id>[\w-]+)")
    def update_item(self, request: Request, id: str) -> Response:
        """v4.list-item, Update a List Item: short code and value, both required."""
        self.need_token(request)
        row, body = self._row(id), _object(request.json())
        _check(body)
        if row.fields["isDeleted"]:
            raise Fail(400, "The list item has been deleted.", code="item.deleted")
        if body["shortCode"] != row.key:
            raise Fail(400, "This sandbox does not change codes.", code="item.invalid", field="shortCode")
        return Response(200, _shown(self.store.put(row.type, row.key, {**row.fields, "value": body["value"]}).fields))

    @route("DELETE", r"/list/v4/lists/(?P<list>[\w-]+)/items/(?P<id>[\w-]+)")
    def delete_item(self, request: Request, list: str, id: str) -> Response:
        """v4.list-item, Delete a List Item from a List: 204; the item and its code are kept, as deleted."""
        self.need_token(request)
        row = self._row(id)
        if row.type != _type(list):
            raise Fail(404, "The list item is not in this list.", code="item.not.found")
        self.store.put(row.type, row.key, {**row.fields, "isDeleted": True})
        return Response(204)

    @route("POST", r"/list/v4/lists/(?P<list>[\w-]+)/bulk")
    def create_items(self, request: Request, list: str) -> Response:
        """v4.list-item-bulk, Create List Items: up to 250 parts in order, each by itself; 201, 206 or 400."""
        self.need_token(request)
        parts = _object(request.json()).get("requests")
        if not isinstance(parts, (tuple, type([]))) or not 1 <= len(parts) <= MOST:
            words = f"size must be between 1 and {MOST}"
            raise Fail(400, words, code="request.validation.error", field="requests")
        _type(list)
        errors = []
        for part in parts:
            try:
                self._made(list, part)
            except Fail as fail:
                errors.append({"message": fail.message, "listItem": part})
        failed, made = len(errors), len(parts) - len(errors)
        status, word = (201, "SUCCESS") if not failed else (206, "PARTIAL_SUCCESS") if made else (400, "FAILURE")
        body = {"status": word, "recordsSucceeded": made, "recordsFailed": failed, "errors": errors}
        return Response(status, body)

    def _made(self, list: str, given: Mapping[str, Any]) -> Row:
        _check(given)
        known = self.store.get(_type(list), str(given["shortCode"]))
        if known is not None and known.fields["isDeleted"]:
            words = "This item code is already used by another item that's been deleted"
            raise Fail(400, words, code="item.duplicate.code.deleted")
        if known is not None:
            raise Fail(
                400, "This item code is already used by another item in the same list", code="item.duplicate.code"
            )
        return self._make(list, given)

    def _make(self, list: str, given: Mapping[str, Any], *, log: bool = True) -> Row:
        code = str(given["shortCode"])
        id = str(uuid.uuid5(uuid.UUID(list), f"{code}/{self.store.next_number('item', 1)}"))
        known = {"id": id, "listId": list, "code": code, "shortCode": code, "value": given["value"]}
        return self.store.put(_type(list), code, {**known, "level": 1, "isDeleted": False}, log=log)

    def _row(self, id: str) -> Row:
        for type in TYPES.values():
            for row in self.store.where(type, "id", id):
                return row
        raise Fail(404, "List item not found.", code="item.not.found")


def _type(list: str) -> str:
    if list not in IDS:
        raise Fail(404, "List not found.", code="list.not.found")
    return TYPES[IDS[list]]


def _object(body: Any) -> Fields:
    if not isinstance(body, dict):
        raise Fail(400, "Please check your request parameter", code="request.validation.error")
    return body


def _check(given: Mapping[str, Any]) -> None:
    for name, length in (("shortCode", 32), ("value", 64)):
        value = given.get(name)
        if not isinstance(value, str) or not value.strip():
            raise Fail(400, f"{name} must not be blank", code="request.validation.error", field=name)
        if len(value) > length:
            raise Fail(400, f"{name} must not exceed {length} characters", code="request.validation.error", field=name)
        if "-" in value:
            words = f"{name} holds a hyphen, which this list takes for a separator: the list would be corrupted"
            raise Fail(400, words, code="item.hyphen", field=name)


def _shown(fields: Mapping[str, Any]) -> Fields:
    held = {name: fields[name] for name in ("id", "code", "shortCode", "value", "level", "isDeleted")}
    return {**held, "parentId": None, "lists": [{"id": fields["listId"], "hasChildren": False}]}


def _fits(item: Mapping[str, Any], query: Mapping[str, str], names: Iterable[str]) -> bool:
    """“Query Syntax”: `<op>:<value>`, eq when there is no operator."""
    for name in names:
        if name in query:
            operator, colon, given = query[name].partition(":")
            if not colon or operator not in _OPERATORS:
                operator, given = "eq", query[name]
            if not _OPERATORS[operator](str(item[name]), given):
                return False
    return True


def _paged(found: list[Any], query: Mapping[str, str]) -> Response:
    page = int(query.get("page") or 1)
    about = {"size": PAGE, "totalElements": len(found), "totalPages": max(1, -(-len(found) // PAGE)), "number": page}
    return Response(200, {"links": [], "content": found[(page - 1) * PAGE : page * PAGE], "page": about})
