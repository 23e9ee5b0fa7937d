"""Owns the requests a connector makes of Fusion's REST APIs: addresses, paging, queries, and what a refusal says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from sync.auth import BasicAuth, OAuth2
from sync.errors import FieldProblem
from sync.http import Client, Problems, Response
from sync.protocol import Config

FRAMEWORK = "4"  # the first that tells refusals as JSON; fixed, because every version changes what a request means
VERSION = "11.13.18.05"
TOKEN_PATH, SCOPE = "oauth2/v1/token", "urn:opc:resource:consumer::all"
PAGE = 500  # the most Oracle gives at once
LARGE = 8 * 1024 * 1024  # a page of suppliers with addresses and sites
PLAIN = {"onlyData": "true"}
LINKED = {"links": "self,child"}  # what it takes to write: own address, change indicator, addresses of the children

Item = dict[str, Any]  # one resource item as Oracle gives it


class Api:
    """One session. No address of an item is ever made up: ids in addresses may be hashes."""

    def __init__(self, config: Config, sensitive: Iterable[str] = ()) -> None:
        options = config.options
        headers = {"Accept": "application/json", "REST-Framework-Version": FRAMEWORK}
        self.client = Client(config, headers=headers, explain=explain, sensitive=sensitive)
        scope = str(options.get("scope", SCOPE))
        basic = options.get("auth", "oauth2") == "basic"
        self.client.auth = BasicAuth(config) if basic else OAuth2(self.client, config, url=TOKEN_PATH, scope=scope)
        self._root = f"fscmRestApi/resources/{options.get('version', VERSION)}"

    def page(self, path: str, params: Mapping[str, str]) -> tuple[list[Item], bool]:
        """The items of one page, and whether there are more."""
        response = self.client.request("GET", self._path(path), params=dict(params), max_body=LARGE)
        found = self._object(response)
        if not isinstance(found.get("items"), list):
            raise self.client.unreadable(response)
        return items_of(found), bool(found.get("hasMore"))

    def collect(self, path: str, params: Mapping[str, str]) -> list[Item]:
        """Every item that fits, page by page."""
        found: list[Item] = []
        more = True
        while more:
            turn = {**params, "limit": str(PAGE), "offset": str(len(found))}
            items, more = self.page(path, turn)
            found += items
            more = more and bool(items)
        return found

    def post(self, path: str, body: Mapping[str, Any]) -> Item:
        """Create; the created item."""
        return self._object(self.client.request("POST", self._path(path), json=dict(body)))

    def patch(self, item: Item, body: Mapping[str, Any]) -> None:
        """Change what is in `body`, if the item is still as we read it."""
        link = _link(item, "self")
        tag = str((link.get("properties") or {}).get("changeIndicator") or "")
        headers = {"If-Match": f'"{tag}"'} if tag else {}
        self.client.request("PATCH", self.address(link), json=dict(body), headers=headers)

    def child(self, item: Item, name: str) -> str:
        """Where an item's children of that name are."""
        return self.address(_link(item, "child", name))

    def address(self, link: Mapping[str, Any]) -> str:
        """The address in a link, on the server that we signed in to: pods answer with names of their own."""
        path = urlsplit(str(link.get("href") or "")).path
        if not path:
            raise self.client.lost("Oracle's answer has no link to what is to be written.")
        return path

    def _path(self, path: str) -> str:
        return path if path.startswith("/") else f"{self._root}/{path}"

    def _object(self, response: Response) -> dict[str, Any]:
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.client.unreadable(response)
        return found


def equals(**conditions: Any) -> str:
    """`Supplier='O''Neil' and SupplierId=5`, as framework versions from 2 on read it."""
    return " and ".join(f"{name}={_literal(value)}" for name, value in conditions.items())


def one_of(name: str, values: Iterable[Any]) -> str:
    return f"{name} in ({','.join(_literal(value) for value in values)})"


def items_of(value: Any) -> list[Item]:
    """Children are a list before framework version 3 and a collection of their own from there on."""
    found = value.get("items") if isinstance(value, Mapping) else value
    return [item for item in found or [] if isinstance(item, dict)]


def explain(response: Response) -> Problems:
    """`{"title": …, "status": …, "o:errorDetails": [{"detail", "o:errorCode", "o:errorPath"}]}`, or plain text."""
    try:
        answer = json.loads(response.body)
    except ValueError:
        return _plain(response), ()
    if not isinstance(answer, dict):
        return "", ()
    details = [item for item in answer.get("o:errorDetails") or [] if isinstance(item, dict)]
    problems = tuple(
        FieldProblem(
            field=str(item.get("o:errorPath") or "").rpartition("/")[2],
            code=str(item.get("o:errorCode") or ""),
            message=str(item.get("detail") or ""),
        )
        for item in details
    )
    words = " ".join(problem.message for problem in problems if problem.message)
    # The token endpoint speaks OAuth2.
    return words or str(answer.get("detail") or answer.get("error_description") or answer.get("title") or ""), problems


def _plain(response: Response) -> str:
    text = response.text().strip()
    return "" if text.startswith("<") else text[:500]


def _link(item: Item, rel: str, name: str = "") -> Mapping[str, Any]:
    links = [link for link in item.get("links") or [] if isinstance(link, dict)]
    return next((link for link in links if link.get("rel") == rel and (not name or link.get("name") == name)), {})


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
