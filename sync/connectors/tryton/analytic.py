"""Owns the dimensions the hub keeps at Tryton: analytic accounts of the module analytic_account, below a root per company."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync.connectors.tryton import shape
from sync.connectors.tryton.shape import Held, Values
from sync.connectors.tryton.wire import Api
from sync.errors import FieldProblem, Refused
from sync.mapping import Difference
from sync.protocol import Push

MODEL = "analytic_account.account"
ROOTS = {"cost_center": "Cost Centers", "project": "Projects"}  # our type -> the name of the root in every company
_FIELDS = ("code", "name", "active", "_timestamp", "write_date", "create_date", "company.party.code")


class Analytic:
    """The key is Tryton's id: codes are not unique there. Found by code, root and company."""

    model = MODEL
    models: Mapping[str, tuple[str, ...]] = {"": (MODEL,)}

    def __init__(self, api: Api, root: str) -> None:
        self._api, self._root = api, root

    def by_key(self, key: str) -> Held | None:
        return self.show(int(key)) if key.isdigit() and int(key) < 2**31 else None

    def by_reference(self, reference: str) -> Held | None:
        return None  # nothing of ours fits into one

    def show(self, id: int) -> Held | None:
        found = self._api.search_read(MODEL, [["id", "=", id], *self._ours()], _FIELDS)
        return next(map(_held, found), None)

    def search(self, reference: str, payload: Mapping[str, Any]) -> Held | None:
        company = ["company.party.code", "=", payload.get("company")]
        domain = [*self._ours(), company, ["code", "=", payload.get("code")]]
        found = [_held(raw) for raw in self._api.search_read(MODEL, domain, _FIELDS)]
        active = [held for held in found if held.raw.get("active") is not False]
        if len(active) > 1:
            words = f"Tryton has {len(active)} analytic accounts {payload.get('code')} in this company: archive all but one."
            raise Refused(words, problems=(FieldProblem("code", "maybe_there_already", words),))
        return next(iter([*active, *found]), None)

    def pages(self, changed_since: str | None) -> Iterator[list[Held]]:
        domain: list[Any] = self._ours()
        if changed_since:
            moment = shape.moment_of(changed_since)
            domain.append(["OR", ["write_date", ">=", moment], ["create_date", ">=", moment]])
        for page in self._api.pages(MODEL, domain, _FIELDS):
            yield [_held(raw) for raw in page]

    def create(self, push: Push, payload: Mapping[str, Any]) -> int:
        """Made open, and archived by a second request when it does not hold: an archived one cannot be created."""
        root = self._root_of(str(payload.get("company")))
        values = {name: payload.get(name) for name in ("code", "name")}
        place = {
            "company": root["company"],
            "root": root["id"],
            "parent": root["id"],
            "type": "normal",
            "state": "opened",
        }
        made = self._api.create(MODEL, {**values, **place})
        if payload.get("active") is False:
            self._api.write(MODEL, made, {"active": False}, {})
        return made

    def change(self, push: Push, held: Held, changes: Sequence[Difference]) -> bool:
        values = {change.field: push.payload[change.field] for change in changes}
        if values:
            self._api.write(MODEL, held.id, values, held.stamps)
        return bool(values)

    def _ours(self) -> list[Any]:
        return [["type", "=", "normal"], ["root.name", "=", self._root]]

    def _root_of(self, company: str) -> Values:
        domain = [["type", "=", "root"], ["name", "=", self._root], ["company.party.code", "=", company]]
        found = self._api.search_read(MODEL, domain, ["company"])
        if len(found) != 1:
            what = "no analytic root" if not found else f"{len(found)} analytic roots"
            words = f"Tryton has {what} “{self._root}” in the company {company}: set one up, or map the company's code."
            raise Refused(words, problems=(FieldProblem("company", "unknown_reference", words),))
        return found[0]


def _held(raw: Values) -> Held:
    party = (raw.get("company.") or {}).get("party.") or {}
    fields = {**{name: raw.get(name) for name in ("code", "name", "active")}, "company": party.get("code")}
    return Held(raw["id"], str(raw["id"]), raw, fields, "", shape.stamps_of(MODEL, raw))
