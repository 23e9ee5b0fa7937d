"""Owns pushing golden records to a subscriber as Standard Webhooks. See README.md beside it."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any, ClassVar

from sync import mapping, signing
from sync.connectors.webhook import message
from sync.errors import FieldProblem, Gone, NotSent, NotSupported, SyncError, Unauthorised
from sync.http import Client, Problems, Response
from sync.protocol import Capability, Config, Exchange, Health, Outcome, Push

GONE = 410
_MOVED = frozenset(range(300, 400))
_WRONG_ADDRESS = frozenset({404, 405})  # nothing at that address takes webhooks: no word about the record


class WebhookConnector:
    """Class B: the subscriber takes a `webhook-id` once. It cannot be asked what it holds."""

    name: ClassVar[str] = "webhook"
    title: ClassVar[str] = "Webhook"
    capability: ClassVar[Capability] = "B"
    types: ClassVar[tuple[str, ...]] = (
        *("supplier", "payment_term", "legal_entity", "cost_center", "profit_center", "project"),
        *("gl_account", "tax_code", "chart_of_accounts", "gl_mapping"),
    )
    max_inflight_s: ClassVar[float] = 60.0
    signs_with_both: ClassVar[bool] = True

    def __init__(self, config: Config) -> None:
        self._config = config
        self._client = Client(config, explain=explain)
        self._mappings = {type: mapping.load(Path(__file__).with_name("mapping.yaml"), type) for type in self.types}

    def check(self) -> Health:
        """A signed test event: the only thing every subscriber answers."""
        try:
            self._client.begin()
            self._post(f"ping-{uuid.uuid4()}", message.ping())
        except SyncError as error:
            return Health(False, error.message)
        mapped = self._mappings["supplier"]
        pushable = {part: not any(mapped.is_sealed(name) for name in _names(mapped, part)) for part in mapped.parts}
        words = "The subscriber took a signed test event. Bank numbers are never sent: it fetches them over REST."
        return Health(True, words, pushable)

    def push(self, push: Push) -> Outcome:
        if push.type not in self.types:
            raise NotSupported(f"{self.title} takes no {push.type} from the hub.")
        mapped = self._mappings[push.type]
        concealed = [value for name, value in push.payload.items() if mapped.is_sealed(name)]
        self._client.begin(correlation_id=push.correlation_id, conceal=concealed)
        self._post(push.idempotency_key, message.of_push(push, mapped))
        return Outcome(push.key or push.reference, "told", False, self.exchanges())

    def exchanges(self) -> tuple[Exchange, ...]:
        return self._client.exchanges()

    def _post(self, id: str, body: bytes) -> None:
        """2xx is yes, whatever the answer says. 410 is a no to everything, 3xx and 404 a no to this address."""
        headers = {"content-type": "application/json"}
        headers |= signing.headers(self._keys(), id=id, timestamp=_now(), body=body)
        accept = _MOVED | _WRONG_ADDRESS | {GONE}
        answer = self._client.request("POST", self._config.base_url, content=body, headers=headers, accept=accept)
        if answer.status == GONE:
            raise Gone("The subscriber answered 410: it wants no more webhooks.", status=GONE)
        if answer.status in _MOVED:
            words = f"The subscriber answered {answer.status}; redirects are not followed, change the target's address."
            raise NotSent(words, status=answer.status)
        if answer.status in _WRONG_ADDRESS:
            words = f"The subscriber answered {answer.status}: check the target's address."
            raise NotSent(words, status=answer.status)

    def _keys(self) -> list[bytes]:
        """Of the secret; and of the one it replaced, until the subscriber has had time to change over."""
        try:
            own = signing.key_of(self._config.secret)
            before = self._config.previous_secret
            return [own, signing.key_of(before)] if before else [own]
        except signing.BadSecret as error:
            raise Unauthorised(str(error)) from None


connector = WebhookConnector


def _now() -> int:
    return int(time.time())


def explain(response: Response) -> Problems:
    """The subscriber's words: `detail`, `message` or `error` of a JSON object, its `errors`, else the first line."""
    try:
        answer = response.json()
    except ValueError:
        return response.text().strip().partition("\n")[0][:300], ()
    if not isinstance(answer, dict):
        return "", ()
    words = next((str(answer[name]) for name in ("detail", "message", "error", "title") if answer.get(name)), "")
    errors = answer.get("errors")
    return words, tuple(_problem(item) for item in errors if item) if isinstance(errors, list) else ()


def _problem(item: Any) -> FieldProblem:
    if not isinstance(item, dict):
        return FieldProblem("", "refused", str(item))
    field = item.get("field") or item.get("path") or ""
    return FieldProblem(str(field), str(item.get("code") or "refused"), str(item.get("message") or item))


def _names(mapped: mapping.Mapping, part: str) -> list[str]:
    rows = [rows for rows in mapped.rules.rows if rows.part == part]
    return [name for found in rows for rule in found.fields for name in rule.names]
