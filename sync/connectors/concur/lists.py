"""Owns the requests a connector makes of Concur's List v4, List Item v4 and List Item Bulk v4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync.connectors.concur.wire import EXISTS, Api, Written
from sync.errors import FieldProblem, Refused, SyncError
from sync.http import Response

ROOT = "list/v4"
MOST = 250  # records of one bulk request
NOT_FOUND, BAD = 404, 400
_TAKEN = ("already used by another item", "already exists")
Item = dict[str, Any]  # as Concur answers it
Part = Mapping[str, Any]  # of a bulk request: shortCode and value


class Lists:
    """One session, shared with the vendors'. Lists are asked for by name once."""

    def __init__(self, api: Api) -> None:
        self._api, self.client = api, api.client
        self._ids: dict[str, str] = {}

    def id_of(self, name: str) -> str:
        if name not in self._ids:
            found = self._content(self._get(f"{ROOT}/lists", {"value": f"eq:{name}"}))
            known = [one for one in found if one.get("value") == name and one.get("isDeleted") is not True]
            if len(known) != 1:
                what = "no list" if not known else f"{len(known)} lists"
                words = f"Concur has {what} called “{name}”: set one up, or name another one in the option lists."
                raise Refused(words, problems=(FieldProblem("list", "unknown_list", words),))
            self._ids[name] = str(known[0]["id"])
        return self._ids[name]

    def by_code(self, list: str, code: str) -> Item | None:
        """The item of that short code on the first level, a deleted one only when there is no other."""
        for deleted in (False, True):
            params = {"shortCode": f"eq:{code}", **({"isDeleted": "true"} if deleted else {})}
            found = self._content(self._get(f"{ROOT}/lists/{list}/children", params))
            # Filters of a service may be generous; codes are not.
            own = [item for item in found if item.get("shortCode") == code]
            if own:
                return min(own, key=lambda item: item.get("isDeleted") is True)
        return None

    def item(self, id: str) -> Item | None:
        response = self._get(f"{ROOT}/items/{id}", {}, accept=(NOT_FOUND,))
        return None if response.status == NOT_FOUND else self._api.object_of(response)

    def pages(self, list: str) -> Iterator[list[Item]]:
        """Every first-level item in the order of codes, then the deleted ones."""
        for deleted in (False, True):
            page, last = 1, 1
            while page <= last:
                self.client.exchanges()  # only what is being said now is kept: a scan has many pages
                params = {"page": str(page), "sortBy": "shortCode", "sortDirection": "asc"}
                response = self._get(
                    f"{ROOT}/lists/{list}/children", {**params, **({"isDeleted": "true"} if deleted else {})}
                )
                yield self._content(response)
                about = self._api.object_of(response).get("page")
                last = int(about.get("totalPages") or 1) if isinstance(about, dict) else 1
                page += 1

    def create(self, list: str, part: Part) -> Item:
        return self._api.object_of(self._send("POST", f"{ROOT}/items", {"listId": list, **part}))

    def update(self, id: str, part: Part) -> None:
        self._api.object_of(self._send("PUT", f"{ROOT}/items/{id}", part))

    def delete(self, list: str, id: str) -> None:
        """From this list only: an item may stand in several."""
        self._api.sign_in.settle()
        self.client.request("DELETE", f"{ROOT}/lists/{list}/items/{id}")

    def create_many(self, list: str, parts: Sequence[Part]) -> list[Written]:
        """What the whole request fails with is said of each."""
        if not parts:
            return []
        try:
            response = self._send("POST", f"{ROOT}/lists/{list}/bulk", {"requests": [*parts]}, accept=(BAD,))
            return self._read_bulk(response, parts)
        except SyncError as error:
            return [Written(error, self.client.part({"requests": [dict(part)]})) for part in parts]

    def _read_bulk(self, response: Response, parts: Sequence[Part]) -> list[Written]:
        """Each part was executed by itself; those that failed are named by their codes, the others were made."""
        answer = self._api.object_of(response)
        errors = answer.get("errors")
        if "recordsFailed" not in answer or not isinstance(errors, list):
            raise self.client.failure(response) if response.status == BAD else self.client.unreadable(response)
        failed = {str((one.get("listItem") or {}).get("shortCode")): str(one.get("message") or "") for one in errors}
        sure = len(failed) == answer["recordsFailed"] and failed.keys() <= {str(part["shortCode"]) for part in parts}
        if not sure or len(parts) != answer["recordsFailed"] + int(answer.get("recordsSucceeded") or 0):
            raise self.client.unreadable(response)
        if response.status != BAD and len(failed) == len(parts):
            self.client.undone()
        return [self._written(response, part, failed.get(str(part["shortCode"]))) for part in parts]

    def _written(self, response: Response, part: Part, words: str | None) -> Written:
        shown = {"errors": [{"message": words, "listItem": dict(part)}] if words is not None else []}
        said = self.client.part({"requests": [dict(part)]}, shown)
        if words is None:
            return Written(None, said)
        words = self.client.redactor.text(words) or "Concur refused the item without a word."
        code = EXISTS if any(taken in words for taken in _TAKEN) else "invalid"
        problem = FieldProblem("shortCode" if code == EXISTS else "", code, words)
        return Written(Refused(words, problems=(problem,), status=response.status), said)

    def _get(self, url: str, params: Mapping[str, str], accept: tuple[int, ...] = ()) -> Response:
        self._api.sign_in.settle()
        return self.client.request("GET", url, params=dict(params) or None, accept=accept)

    def _send(self, method: str, url: str, body: Part, accept: tuple[int, ...] = ()) -> Response:
        self._api.sign_in.settle()
        return self.client.request(method, url, json=dict(body), accept=accept)

    def _content(self, response: Response) -> list[Item]:
        found = self._api.object_of(response).get("content")
        if not isinstance(found, list) or not all(isinstance(item, dict) and "id" in item for item in found):
            raise self.client.unreadable(response)
        return found
