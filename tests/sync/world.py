"""What the tests of sync need of a world: suppliers in force, a target at a sandbox, a way to look into that sandbox."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mdm.models import ApprovalPolicy, ChangeRequest, System
from mdm.services import changes, events
from mdm.services.changes import ProposedItem
from mdm.types import Actor
from sync.models import Delivery, Subscription, Target
from sync.sandbox import CLIENT_ID, SECRET
from sync.services import dispatch, drain, job_work

ROBOT = Actor.system("test")
SUPPLIER: dict[str, Any] = {
    "legal_name": "Nordlicht Papier GmbH",
    "country": "DE",
    "payment_terms": "NET30",
    "currency": "EUR",
    "addresses": [
        {"kind": "registered", "lines": ["Hafenstrasse 1"], "city": "Hamburg", "postal_code": "20457", "country": "DE"}
    ],
    "contacts": [{"role": "accounts_receivable", "name": "Erika Beispiel", "email": "ar@nordlicht.example"}],
    "tax_registrations": [{"country": "DE", "scheme": "VAT", "number": "DE136695976"}],
}


def allow_everything() -> None:
    """A policy that approves by itself, and the payment terms that suppliers refer to."""
    ApprovalPolicy.objects.get_or_create(name="test: everything", defaults={"auto_approve": True})
    codes = ("NET30", "NET45", "NET60")
    propose_together("payment_term", [{"code": code, "name": code, "net_days": int(code[3:])} for code in codes])


def propose(type: str, patch: dict[str, Any], *, uid: str | None = None, action: str = "") -> str:
    """Propose and (by policy) apply; the uid of the record."""
    return _apply(ProposedItem(type=type, action=action or ("update" if uid else "create"), uid=uid, patch=patch))[0]


def propose_together(type: str, patches: Iterable[dict[str, Any]]) -> list[str]:
    """New records by one request, in the order of their uids here; much quicker than one after the other."""
    return _apply(*(ProposedItem(type=type, action="create", patch=patch) for patch in patches))


def _apply(*items: ProposedItem) -> list[str]:
    change: ChangeRequest = changes.propose(items=items, by=ROBOT, origin="system", reason="test")
    assert change.state == "applied", (change.state, change.risk_flags)
    return [str(uid) for uid in change.items.order_by("position").values_list("uid", flat=True)]


def supplier(**different: Any) -> str:
    return propose("supplier", {**SUPPLIER, **different})


def suppliers(names: Iterable[str], **different: Any) -> list[str]:
    return propose_together("supplier", [{**SUPPLIER, "legal_name": name, **different} for name in names])


def target(code: str, base_url: str, *, secret: str = SECRET, **different: Any) -> Target:
    """A target that is fast enough for tests: short quarantine, hardly any wait between attempts."""
    system, _ = System.objects.get_or_create(code=code, defaults={"title": code.title(), "mark": code[:2].upper()})
    settings = {
        "connector": code,
        "timeout_s": 2,
        "max_inflight_s": 0.5,
        "retry_scale": 0.01,
        "rate_per_s": 1000,
        "burst": 1000,
    }
    made = Target(
        code=code,
        title=system.title,
        system=system,
        base_url=base_url,
        client_id=CLIENT_ID,
        **{**settings, **different},
    )
    made.set_secret(secret)
    made.save()
    Subscription.objects.create(target=made, type="supplier")
    return made


def dispatch_now() -> int:
    events.seal()
    done = dispatch.dispatch_all()
    job_work.go_on()
    return done


def send_now(rounds: int = 1, *, pause_s: float = 0.0) -> Counter[str]:
    """Dispatch and work the queues, as often as asked."""
    import time

    states: Counter[str] = Counter()
    for number in range(rounds):
        dispatch_now()
        states += drain.drain_all(budget_s=10)
        if pause_s and number + 1 < rounds:
            time.sleep(pause_s)
    return states


def send_until_settled(seconds: float = 20) -> Counter[str]:
    import time

    states: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        states += send_now()
        if not Delivery.objects.filter(state__in=("pending", "in_flight", "unknown", "retrying")).exists():
            return states
        time.sleep(0.05)
    rows = list(Delivery.objects.values_list("state", "error_text", "attempts"))
    raise AssertionError(f"not settled after {seconds} s: {states} {rows}")


@dataclass
class Side:
    """The side door of a sandbox: what it holds and did, and faults to come."""

    control: str

    def records(self) -> dict[str, dict[str, Any]]:
        return {row["key"]: row["fields"] for row in self._call("GET", "records?type=supplier")["records"]}

    def effects(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "effects")["effects"]
        return found

    def mutate(self, key: str, field: str, value: Any) -> None:
        self._call("POST", "mutate", {"key": key, "field": field, "value": value})

    def fault(self, kind: str, match: str = "", count: int = 1) -> None:
        self._call("POST", "faults", {"kind": kind, "match": match, "count": count})

    def faults(self) -> int:
        """How many planned faults still wait for their request."""
        return sum(int(fault["left"]) for fault in self._call("GET", "faults")["faults"])

    def forgive(self) -> None:
        self._call("DELETE", "faults")

    def reset(self) -> None:
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.control}/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
