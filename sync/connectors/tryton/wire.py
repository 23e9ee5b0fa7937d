"""Owns the requests a connector makes of Tryton's JSON-RPC, and reads its refusals.

An answer with status 200 may be an error: `["UserError", [message, description, domain]]` and its like are the words
of a business rule, `[text, traceback]` is a crash inside Tryton. Both end a transaction that was rolled back.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync.connectors.tryton.signin import SignIn
from sync.errors import Ambiguous, FieldProblem, NotSent, Refused, Stale, SyncError, Unauthorised
from sync.http import Client, Problems, Response
from sync.protocol import Config, Exchange
from sync.redact import mask_number

PAGE = 100  # records of one search: an answer stays far below what a client takes
TAKEN = "taken"
READS = frozenset({"search", "search_read", "search_count", "read", "fields_get", "get_access", "login"})
Values = dict[str, Any]
# How Tryton 8 words what it refuses, in English, which every request asks for.
_SPOKEN = (
    (r"^The code on party must be unique", "code", TAKEN),
    (r"^IBAN must be unique", "bank_accounts.number", TAKEN),
    (r'^IBAN ".*" is not valid', "bank_accounts.number", "invalid"),
    (r'^The .+ ".*" for party ".*" is not valid', "identifiers.code", "invalid"),
    (r"^A party can only be assigned to one company", "code", TAKEN),
)


class Crashed(SyncError):
    """Tryton failed inside (an unknown field, a bug) and says so: this request is over, and nobody retries it blindly."""

    code = "crashed"


class Api:
    """One session with one database."""

    def __init__(self, config: Config) -> None:
        database = str(config.options.get("database", "tryton"))
        self._path, self._database, self._numbers = f"{database}/rpc/", database, itertools.count(1)
        self.client = Client(
            config, headers={"Accept": "application/json"}, explain=explain, sensitive=("number", "number_compact")
        )
        self.client.auth = SignIn(self.client, config, self._path)

    def search_read(
        self, model: str, domain: Sequence[Any], fields: Sequence[str], *, limit: int | None = None
    ) -> list[Values]:
        """Records by a domain, oldest first, archived ones too; `fields` may lead through relations (`party.name`)."""
        method = f"model.{model}.search_read"
        found = self._call(method, list(domain), 0, limit, [["id", "ASC"]], list(fields), writes=False)
        if not isinstance(found, list) or not all(isinstance(item, dict) and "id" in item for item in found):
            raise self.client.lost(f"Tryton's answer to {method} cannot be read.")
        return found

    def pages(self, model: str, domain: Sequence[Any], fields: Sequence[str]) -> Iterator[list[Values]]:
        """Every record, by id: new and changed ones move offsets, they never move ids."""
        last = 0
        while True:
            self.client.exchanges()  # only what is being said now is kept: a scan has thousands of pages
            page = self.search_read(model, [["id", ">", last], *domain], fields, limit=PAGE)
            if page:
                yield page
            if len(page) < PAGE:
                return
            last = int(page[-1]["id"])

    def create(self, model: str, values: Mapping[str, Any]) -> int:
        """One record with everything below it, in one transaction."""
        return self.create_many(model, [values])[0]

    def create_many(self, model: str, several: Sequence[Mapping[str, Any]]) -> list[int]:
        """All of them in one transaction, or none; their ids in the same order."""
        made = self._call(f"model.{model}.create", [dict(values) for values in several], writes=True)
        if not isinstance(made, list) or len(made) != len(several) or not all(isinstance(id, int) for id in made):
            raise Ambiguous(f"Tryton's answer to the creation of {model} cannot be read.")
        return made

    def part(self, model: str, values: Mapping[str, Any], id: int | None = None) -> tuple[Exchange, ...]:
        """What one record sees of the creation of several."""
        request = {"method": f"model.{model}.create", "params": [[dict(values)]]}
        return self.client.part(request, None if id is None else {"result": [id]})

    def write(self, model: str, id: int, values: Mapping[str, Any], stamps: Mapping[str, str]) -> None:
        """Only if nothing moved since we read it: `stamps` holds the time stamp of every record that is written."""
        self._call(f"model.{model}.write", [id], dict(values), writes=True, _timestamp=dict(stamps))

    def access(self, models: Sequence[str]) -> dict[str, dict[str, bool]]:
        """What our user may do with each of these models."""
        found = self._call("model.ir.model.access.get_access", list(models), writes=False)
        return found if isinstance(found, dict) else {}

    def _call(self, method: str, *params: Any, writes: bool, **context: Any) -> Any:
        """`active_test` false shows archived records too; words come in English, whatever our user reads."""
        shared = {"active_test": False, "language": "en", **context}
        body = {"id": next(self._numbers), "method": method, "params": [*params, shared]}
        try:
            response = self.client.request("POST", self._path, json=body, writes=writes)
        except Refused as refused:  # also of signing in, which comes first
            if refused.status == 404:
                raise NotSent(f"There is no Tryton database “{self._database}” at this address.", status=404) from None
            raise
        try:
            answer = response.json()
        except ValueError:
            raise self.client.unreadable(response) from None
        if isinstance(answer, dict) and answer.get("error"):
            raise self._error(answer["error"], response, writes)
        if not isinstance(answer, dict) or "result" not in answer:
            raise self.client.unreadable(response)
        return answer["result"]

    def _error(self, error: Any, response: Response, writes: bool) -> SyncError:
        if writes:
            self.client.undone()  # an error of any kind rolls Tryton's transaction back
        kind, given = (error[0], error[1] if len(error) > 1 else "") if isinstance(error, list) else (str(error), "")
        redactor = self.client.redactor
        body = redactor.body(response.body)
        if kind == "UserError":
            words, problems = _worded(redactor.text(_sentences(given)))
            return Refused(words, problems=problems, status=response.status, body=body)
        if kind == "UserWarning":  # [name, message, description]: a person would have to say yes
            words = redactor.text(_sentences(given[1:] if isinstance(given, list) else given))
            return Refused(words, problems=(FieldProblem("", "warning", words),), status=response.status, body=body)
        if kind == "ConcurrencyException":
            return Stale(f"Tryton: {given}.", status=response.status, body=body)
        if kind == "LoginException":
            return Unauthorised("Tryton asks to sign in again.", status=response.status, body=body)
        words = f"Tryton failed inside while it worked on this request: {redactor.text(str(kind))}"
        kinds = Crashed if writes else Refused
        return kinds(words, status=response.status, body=body)


def is_read(method: str) -> bool:
    """Whether a JSON-RPC method changes nothing."""
    return method.rpartition(".")[2] in READS


def explain(response: Response) -> Problems:
    """A plain HTTP error: Tryton's web server answers a small page with one paragraph."""
    found = re.search(r"<p>(.*?)</p>", response.text(), re.S)
    return _worded(html.unescape(found[1]).strip(" -\n")) if found else ("", ())


def _sentences(given: Any) -> str:
    """[message, description, domain] as one text, a refused IBAN masked; the domain is for Tryton's own client."""
    parts = given[:2] if isinstance(given, list) else [given]
    words = " ".join(str(part).strip() for part in parts if part)
    return re.sub(r'(?<=IBAN ")[^"]+', lambda found: mask_number(found[0]), words)


def _worded(words: str) -> Problems:
    for pattern, field, code in _SPOKEN:
        if re.search(pattern, words, re.S):
            return words, (FieldProblem(field, code, words),)
    labelled = re.search(r'field "([^"]+)"', words)
    return words, (FieldProblem(labelled[1] if labelled else "", "invalid", words),)
