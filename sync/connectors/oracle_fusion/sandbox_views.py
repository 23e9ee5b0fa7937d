"""Owns how the sandbox of Oracle Fusion shows suppliers and what belongs to them: items, links, pages, expansion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sync.connectors.oracle_fusion import sandbox_rules as rules
from sync.connectors.oracle_fusion.sandbox_queries import Term, envelope, read_terms, window
from sync.connectors.oracle_fusion.sandbox_rules import Leaves, entities
from sync.connectors.oracle_fusion.sandbox_schema import CHILDREN, RESOURCES
from sync.sandbox import Response
from sync.sandbox_query import Condition, search
from sync.sandbox_store import Row, Store

# How an item of the resource names its supplier: its attribute, and the supplier's own.
OWNERS = {
    "taxRegistrations": ("PartyNumber", "RegistryId"),
    "paymentsExternalPayees": ("PayeePartyIdentifier", "SupplierPartyId"),
    "externalBankAccounts": ("VendorId", "SupplierId"),
}
_OPERATORS = {"=": "eq", "!=": "not_eq", "<": "lt", "<=": "lt_or_eq", ">": "gt", ">=": "gt_or_eq", "in": "in"}


@dataclass(frozen=True)
class View:
    """One request's way of looking: its query, its framework version, and whether numbers are masked."""

    query: Mapping[str, str]
    framework: int
    masked: bool

    def suppliers(self, store: Store) -> dict[str, Any]:
        conditions = [_condition(term) for term in self._terms("suppliers")]
        rows = search(store, "supplier", conditions, order_by=["SupplierId"])
        return self._cut("suppliers", ((row, str(row.fields["SupplierId"])) for row in rows))

    def owned(self, store: Store, resource: str) -> dict[str, Any]:
        terms = self._terms(resource)
        return self._cut(resource, self._found(_candidates(store, resource, terms), resource, terms))

    def children(self, row: Row, resource: str) -> dict[str, Any]:
        return self._cut(resource, self._found([row], resource, self._terms(resource)))

    def answer(self, status: int, row: Row, resource: str, id: str) -> Response:
        """One item, with its tag."""
        tag = rules.indicator(entities(row, resource)[id])
        return Response(status, self.item(row, resource, id), {"ETag": f'"{tag}"'})

    def item(self, row: Row, resource: str, id: str) -> dict[str, Any]:
        """`fields` and `expand` cannot be combined: then only `fields` counts."""
        leaves = entities(row, resource)[id]
        found = self._shown(row, resource, leaves)
        if "fields" in self.query:
            found = {name: found.get(name) for name in self.query["fields"].split(",")}
        elif resource == "suppliers":
            found.update(self._expanded(row))
        if self.query.get("onlyData") != "true":
            owner = f"suppliers/{rules.path_id(str(row.fields['SupplierId']))}/child/" if resource in CHILDREN else ""
            found["links"] = rules.links(resource, id, leaves, owner, self.query.get("links", ""))
        return found

    def _expanded(self, row: Row) -> dict[str, Any]:
        """“Version 3”: children are a collection of their own, a page at a time; before that a list."""
        kept = {name: value for name, value in self.query.items() if name in ("onlyData", "links")}
        inner = View(kept, self.framework, self.masked)
        pages = {
            name: inner.children(row, name) for name in self.query.get("expand", "").split(",") if name in CHILDREN
        }
        return {name: page if self.framework >= 3 else page["items"] for name, page in pages.items()}

    def _terms(self, resource: str) -> list[Term]:
        return read_terms(resource, self.query, self.framework)

    def _found(self, rows: Iterable[Row], resource: str, terms: list[Term]) -> list[tuple[Row, str]]:
        found = [
            (row, id)
            for row in rows
            for id, leaves in entities(row, resource).items()
            if self._fits(self._shown(row, resource, leaves), terms)
        ]
        return sorted(found, key=lambda item: int(item[1]))

    def _fits(self, shown: Leaves, terms: list[Term]) -> bool:
        return all(term.holds(shown) for term in terms)

    def _cut(self, resource: str, found: Iterable[tuple[Row, str]]) -> dict[str, Any]:
        every = list(found)
        offset, limit = window(self.query)
        items = [self.item(row, resource, id) for row, id in every[offset : offset + limit]]
        return envelope(items, len(every), self.query)

    def _shown(self, row: Row, resource: str, leaves: Leaves) -> Leaves:
        return rules.show(row, resource, leaves, masked=self.masked)


def _condition(term: Term) -> Condition:
    number = RESOURCES["suppliers"].attributes[term.name].kind == "number"
    values = [value if number else str(value) for value in term.values]
    return Condition(term.name, _OPERATORS[term.operator], values if term.operator == "in" else values[0])


def _candidates(store: Store, resource: str, terms: list[Term]) -> list[Row]:
    """Suppliers that may have what is asked for; who asks for one account need not wait for all."""
    theirs, own = OWNERS.get(resource, ("", ""))
    asked = [term for term in terms if term.operator in ("=", "in")]
    for term in asked:
        if term.name == theirs:
            return search(store, "supplier", [Condition(own, "in", list(term.values))])
    for term in asked:
        if term.name in ("PaymentPartyId", "RegistrationNumber"):
            rows = [row for value in term.values for row in store.mentioning("supplier", str(value))]
            return list({row.key: row for row in rows}.values())
    return store.page("supplier")
