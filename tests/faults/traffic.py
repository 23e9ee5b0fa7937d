"""Owns what is approved during a fault run: new suppliers and new versions, by the services and over HTTP."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.error
import urllib.request
import uuid
from http.client import HTTPException
from typing import Any

from django.db import Error, connection
from django.db.models import Count, Q

from mdm import registry
from mdm.models import ChangeRequest, Event
from mdm.selectors.records import current_documents
from mdm.services import changes
from mdm.services.proposing import ProposedItem
from mdm.types import Actor, Document
from sync.models import Delivery, DispatchCursor
from sync.models.states import OPEN
from tests.faults.platforms import COMPANY, GROUPS

BY = Actor.system("faults")
EACH_WAITS = 20  # deliveries to a target on the average
AT_MOST = 150  # to one of them, which may stand still for a while: what the slowest can send within half a minute
NEW, OVER_HTTP, MOST_AT_ONCE = 0.3, 0.25, 8
_SYLLABLES = "bal den fur gol hem kir lan mor nus pel quo ras sten tur vik wes xan yor zil bru".split()
Item = dict[str, Any]  # as the API takes it


class Traffic(threading.Thread):
    """Proposes as fast as deliveries end, so that many wait and some are overtaken. A policy approves at once."""

    def __init__(self, seed: int, base_url: str, token: str, *, targets: int) -> None:
        super().__init__(name="traffic", daemon=True)
        self.chance = random.Random(f"traffic {seed}")
        self.base_url, self.token, self.targets = base_url, token, targets
        self.backlog = EACH_WAITS * targets
        self.over = threading.Event()
        self.acknowledged: list[str] = []  # change requests that the hub said it has applied
        self.uncertain = 0  # whose answer was lost: applied or not
        self.trouble = ""  # what should not have happened
        self._known: list[str] = []
        self._number = 0

    def run(self) -> None:
        while not self.over.is_set() and not self.trouble:
            try:
                if self._enough_waits():
                    time.sleep(0.05)
                    continue
                self._propose()
            except Error:  # PostgreSQL is away: whether the last request was applied will be seen
                self.uncertain += 1
                self._known = []
                connection.close()
                time.sleep(0.2)
            except Exception as error:  # told by the storm, which then ends
                self.trouble = f"{type(error).__name__}: {error}"
        connection.close()

    def _enough_waits(self) -> bool:
        """Deliveries under way, and those that the events will become which nobody has dispatched yet. One target that
        stands still does not end the traffic of all."""
        cursor = DispatchCursor.objects.values_list("seq", flat=True).first() or 0
        events = Event.objects.filter(Q(seq=None) | Q(seq__gt=cursor), type="supplier").count()
        rows = Delivery.objects.filter(state__in=OPEN).order_by().values_list("target").annotate(Count("pk"))
        each = [count for _, count in rows]
        everywhere = sum(min(count, 2 * EACH_WAITS) for count in each) + events * self.targets
        return everywhere > self.backlog or max(each, default=0) > AT_MOST

    def _propose(self) -> None:
        if not self._known:
            self._known = [
                str(u) for u in registry.get("supplier").model._default_manager.values_list("uid", flat=True)
            ]
        items = [*self._new(), *self._changed()]
        if self.chance.random() < OVER_HTTP:
            self._post(items)
        else:
            self._call(items)

    def _new(self) -> list[Item]:
        count = sum(self.chance.random() < NEW for _ in range(MOST_AT_ONCE)) if len(self._known) > 20 else 5
        return [{"type": "supplier", "action": "create", "document": self._supplier()} for _ in range(count)]

    def _changed(self) -> list[Item]:
        count = min(len(self._known), self.chance.randint(2, MOST_AT_ONCE))
        chosen = self.chance.sample(self._known, count) if count else []
        found = current_documents("supplier", set(chosen))
        return [
            {"type": "supplier", "action": "update", "uid": uid, "changes": self._change(found[uid])}
            for uid in chosen
            if uid in found
        ]

    def _call(self, items: list[Item]) -> None:
        proposed = [
            ProposedItem(
                type=item["type"], action=item["action"], uid=item.get("uid"),
                patch=item.get("changes") or item.get("document"),
            )
            for item in items
        ]  # fmt: skip
        change = changes.propose(items=proposed, by=BY, origin="system", reason="faults")
        self._applied(change)

    def _applied(self, change: ChangeRequest) -> None:
        if change.state != "applied":
            self.trouble = f"A change request is {change.state}: {change.risk_flags}"
            return
        self.acknowledged.append(str(change.uid))
        self._known += [str(uid) for uid in change.items.filter(action="create").values_list("uid", flat=True)]

    def _post(self, items: list[Item]) -> None:
        """The same call with the same Idempotency-Key until there is an answer: web processes are killed too."""
        data = json.dumps({"items": items, "reason": "faults"}).encode()
        headers = {
            "Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.UUID(int=self.chance.getrandbits(128))),
        }  # fmt: skip
        address = f"{self.base_url}/api/v1/change-requests/"
        while not self.over.is_set():
            request = urllib.request.Request(address, data=data, headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self._applied(ChangeRequest.objects.get(uid=json.load(answer)["uid"]))
                return
            except urllib.error.HTTPError as error:
                if error.code not in (409, 429, 500, 502, 503):
                    self.trouble = f"The API answered {error.code}: {error.read()[:500]!r}"
                    return
            except (OSError, HTTPException, ValueError):
                pass  # killed in the middle of it: ask again
            time.sleep(0.2)

    # Documents

    def _supplier(self) -> Document:
        number = self._number = self._number + 1
        registered = {"kind": "registered", "lines": [f"Hafenstrasse {number}"], "city": "Hamburg"}
        remit_to = {"kind": "remit_to", "lines": [f"Postfach {number}"], "city": "Bremen"}
        place = {"postal_code": "20457", "country": "DE"}
        document: Document = {
            "legal_name": self._fresh_name(), "country": "DE", "payment_terms": "NET30", "currency": "EUR",
            "group": GROUPS[number % len(GROUPS)],
            "addresses": [{**registered, **place}, {**remit_to, **place}],
            "extensions": [{"legal_entity": COMPANY}],
            "contacts": [
                {"role": "accounts_receivable", "name": "Erika Beispiel", "email": f"ar{number}@storm.example"}
            ],
        }  # fmt: skip
        if number % 2:
            account = {"account_number": f"{number:010}", "bank_code": "37040044", "holder": "Erika Beispiel"}
            document["bank_accounts"] = [{**account, "country": "DE", "currency": "EUR"}]
        return document

    def _fresh_name(self) -> str:
        words = ["".join(self.chance.choices(_SYLLABLES, k=4)).title() for _ in range(2)]
        return f"{' '.join(words)} {self.chance.randrange(10**6)} GmbH"

    def _change(self, document: Document) -> Document:
        """The name is new in every version; with it some of what platforms keep in parts of their own."""
        changed: Document = {"legal_name": self._fresh_name()}
        if self.chance.random() < 0.5:
            changed["payment_terms"] = self.chance.choice(["NET30", "NET45", "NET60"])
        if self.chance.random() < 0.5:
            lines = [f"Kai {self.chance.randrange(10**6)}"]
            kind = self.chance.choice(["registered", "remit_to"])
            changed["addresses"] = [{**a, "lines": lines} if a["kind"] == kind else a for a in document["addresses"]]
        return changed
