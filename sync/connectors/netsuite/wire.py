"""Owns the requests a connector makes of SuiteTalk REST web services, and reads their refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sync.connectors.netsuite.signin import sign_in
from sync.errors import FieldProblem
from sync.http import Client, Problems, Response
from sync.protocol import Config

RECORDS, SUITEQL = "services/rest/record/v1", "services/rest/query/v1/suiteql"
# Without these NetSuite may pass over a field it does not know, or a value it cannot take, and say nothing.
STRICT = {"X-NetSuite-PropertyNameValidation": "Error", "X-NetSuite-PropertyValueValidation": "Error"}
PAGE = 500  # of 1000 at most; an answer stays below the size limit
MAX_PAGE_BODY = 8 * 1024 * 1024
RETRY_FLOOR = 5.0  # a 429 of NetSuite says not how long
EXISTS = "exists"  # the code of “this is there already”
NOT_FOUND = 404
_EID = re.compile(r"eid:[A-Za-z0-9_-]+")
_PLACES = ("o:errorPath", "o:errorQueryParam", "o:errorHeader", "o:urlPath")


class Api:
    """One session with one account."""

    def __init__(self, config: Config) -> None:
        headers = {"Accept": "application/json", **STRICT}
        kept = ("x-n-operationid",)
        self.client = Client(config, headers=headers, explain=explain, retry_floor=RETRY_FLOOR, keep_headers=kept)
        self.client.auth = sign_in(self.client, config)
        self.page = min(int(config.options.get("page_size", PAGE)), 1000)

    def read(self, record: str, key: str) -> dict[str, Any] | None:
        """By internal id, or by external id as `eid:…`; sublists and subrecords come with it."""
        if not key.isdigit() and not _EID.fullmatch(key):
            return None
        url, params = f"{RECORDS}/{record}/{key}", {"expandSubResources": "true"}
        response = self.client.request("GET", url, params=params, accept={NOT_FOUND})
        return None if response.status == NOT_FOUND else self._object(response, "id")

    def search(self, record: str, field: str, value: str, *, limit: int = 20) -> list[dict[str, Any]]:
        """Records whose text field is this; a list has ids only, so each is read."""
        if '"' in value:
            return []  # a filter cannot say it
        params = {"q": f'{field} IS "{value}"', "limit": limit}
        found = self._items(self.client.request("GET", f"{RECORDS}/{record}", params=params))
        records = (self.read(record, str(item.get("id"))) for item in found)
        return [held for held in records if held is not None]

    def ids(self, record: str) -> Iterator[str]:
        """Every internal id, page by page. One that is deleted meanwhile can hide a neighbour from this run."""
        offset, more = 0, True
        while more:
            params = {"limit": self.page, "offset": offset}
            response = self.client.request("GET", f"{RECORDS}/{record}", params=params, max_body=MAX_PAGE_BODY)
            items = self._items(response)
            yield from (str(item["id"]) for item in items if item.get("id"))
            offset += self.page
            more = bool(self._object(response).get("hasMore")) and bool(items)

    def first(self, record: str) -> None:
        """The smallest question there is: may we read this?"""
        self._items(self.client.request("GET", f"{RECORDS}/{record}", params={"limit": 1}))

    def query(self, text: str) -> Iterator[dict[str, Any]]:
        """The rows of a SuiteQL query; it must say its order, or pages could overlap."""
        offset, more = 0, True
        while more:
            params, headers = {"limit": self.page, "offset": offset}, {"Prefer": "transient"}
            response = self.client.request(
                "POST", SUITEQL, params=params, json={"q": text}, headers=headers, writes=False, max_body=MAX_PAGE_BODY
            )
            items = self._items(response)
            yield from items
            offset += self.page
            more = bool(self._object(response).get("hasMore")) and bool(items)

    def upsert(self, record: str, eid: str, body: Mapping[str, Any]) -> None:
        self._write("PUT", f"{RECORDS}/{record}/eid:{eid}", body)

    def change(self, record: str, id: str, body: Mapping[str, Any], *, replace: tuple[str, ...] = ()) -> None:
        """Only what is named changes; the sublists in `replace` become what the body says."""
        self._write("PATCH", f"{RECORDS}/{record}/{id}", body, {"replace": ",".join(replace)} if replace else None)

    def _write(self, method: str, url: str, body: Mapping[str, Any], params: Mapping[str, str] | None = None) -> None:
        response = self.client.request(method, url, json=dict(body), params=params)
        if response.body and _parsed(response) is None:  # success has no body; somebody else has answered
            raise self.client.unreadable(response)

    def _items(self, response: Response) -> list[dict[str, Any]]:
        found = self._object(response, "items")["items"]
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self.client.unreadable(response)
        return found

    def _object(self, response: Response, needed: str = "") -> dict[str, Any]:
        answer = _parsed(response)
        if not isinstance(answer, dict) or (needed and needed not in answer):
            raise self.client.unreadable(response)
        return answer


def explain(response: Response) -> Problems:
    """The details of an error, with the place NetSuite names."""
    answer = _parsed(response)
    answer = answer if isinstance(answer, dict) else {}
    details = [item for item in answer.get("o:errorDetails") or [] if isinstance(item, dict)]
    words = " ".join(str(item.get("detail") or "") for item in details) or str(answer.get("title") or "")
    words = words or str(answer.get("error_description") or answer.get("error") or "")  # of the token endpoint
    return words, tuple(_problem(item) for item in details)


def _problem(item: Mapping[str, Any]) -> FieldProblem:
    words = str(item.get("detail") or "NetSuite refused this without a word.")
    place = next((str(item[name]) for name in _PLACES if item.get(name)), "")
    code = EXISTS if "already exists" in words.lower() else str(item.get("o:errorCode") or "invalid")
    return FieldProblem(place, code, words)


def _parsed(response: Response) -> Any:
    try:
        return json.loads(response.body)
    except ValueError:
        return None
