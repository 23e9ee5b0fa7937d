"""The whole house for a story: the demo's people and rules, the hub over HTTP, three sandboxes that hold their extracts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests import story_extracts
from tests.fixtures_processes import Hub, Sandbox, Sandboxes

MAPPINGS = story_extracts.SMALL.parent.parent / "mappings.yaml"


class FewRounds(PBKDF2PasswordHasher):
    """What the hub's processes can check, without the seconds that nine good passwords take."""

    iterations = 1000


def until(condition: Callable[[], Any], what: str, seconds: float = 45) -> Any:
    """The first true answer; fails after the deadline, with the last one."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"After {seconds:g} s still not: {what}. Last answer: {found!r}")
        time.sleep(0.1)
    return found


class Caller:
    """One person's token over HTTP. Every answer is JSON; a refusal is a problem with all its parts."""

    def __init__(self, base_url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=f"{base_url}/api/v1/", headers=headers, timeout=30, trust_env=False)

    def call(self, method: str, path: str, *, expect: int, **options: Any) -> Any:
        answer = self.http.request(method, path, **options)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer.json()

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, expect=200, params=params)

    def post(self, path: str, body: Any = None, *, expect: int = 200, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, expect=expect, json={} if body is None else body, headers=named)

    def patch(self, path: str, body: Any, *, version: int, expect: int = 202) -> Any:
        return self.call("PATCH", path, expect=expect, json=body, headers={"If-Match": f'"{version}"'})

    def all(self, path: str, **params: Any) -> list[Any]:
        """Every result, page by page."""
        found: list[Any] = []
        page = self.get(path, **params)
        while True:
            found += page["results"]
            if not page["next"]:
                return found
            page = self.call("GET", page["next"], expect=200)

    def send_file(self, name: str, content: bytes, *, system: str, mapping: Any = None, expect: int = 202) -> Any:
        fields = {"system": system, "type": "supplier"}
        if mapping is not None:
            fields["mapping"] = json.dumps(mapping)
        return self.call("POST", "imports/", expect=expect, data=fields, files={"file": (name, content)})

    def refused(self, method: str, path: str, *, status: int, code: str, **options: Any) -> Any:
        """The call is refused as RFC 9457 wants it: typed, in words, traceable; the body of the refusal."""
        answer = self.http.request(method, path, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        body = answer.json()
        assert body["status"] == status and body["code"] == code, body
        assert body["title"] and body["detail"] and body["correlation_id"] == answer.headers["X-Correlation-ID"]
        assert "Traceback" not in answer.text
        return body


@dataclass
class Side:
    """The side door of a sandbox."""

    sandbox: Sandbox
    seen: int = 0

    def records(self) -> dict[str, dict[str, Any]]:
        return {row["key"]: row["fields"] for row in self._call("GET", "records?type=supplier")["records"]}

    def effects(self) -> list[dict[str, Any]]:
        """Effects on suppliers since `mark()`."""
        rows: list[dict[str, Any]] = self._call("GET", f"effects?after={self.seen}")["effects"]
        return rows

    def mark(self) -> None:
        self.seen = max((row["seq"] for row in self._call("GET", "effects")["effects"]), default=0)

    def mutate(self, key: str, name: str, value: Any) -> None:
        self._call("POST", "mutate", {"key": key, "field": name, "value": value})

    def fault(self, kind: str, match: str = "", count: int = 1) -> None:
        self._call("POST", "faults", {"kind": kind, "match": match, "count": count})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, f"{self.sandbox.control}/{path}", json=body, timeout=15, trust_env=False)
        answer.raise_for_status()
        return answer.json()


@dataclass
class Story:
    hub: Hub
    sides: dict[str, Side]
    passwords: dict[str, tuple[str, str]]  # role → (username, password)
    tokens: dict[str, str]
    files: dict[str, Path]
    mappings: dict[str, Any]
    callers: dict[str, Caller] = field(default_factory=dict)

    def by(self, role: str) -> Caller:
        if role not in self.callers:
            self.callers[role] = Caller(self.hub.base_url, self.tokens[role])
        return self.callers[role]

    def import_file(self, name: str, content: bytes, *, system: str, mapping: Any = None) -> Any:
        """Sent by the steward and worked by the real worker; the finished job."""
        job = self.by("steward").send_file(name, content, system=system, mapping=mapping)
        return self.finished(job["uid"])

    def finished(self, uid: str) -> Any:
        def ended() -> Any:
            job = self.by("steward").get(f"imports/{uid}/")
            return job if job["state"] in ("done", "failed", "cancelled") else None

        job = until(ended, f"import {uid} is done", 60)
        counts = job["counts"]
        assert counts["in"] == sum(count for name, count in counts.items() if name != "in"), counts
        return job

    def know_columns(self) -> None:
        """Each system's column mapping is known from earlier files, as after the demo's load."""
        from mdm.models import ColumnMapping, System

        for code, spec in self.mappings.items():
            ColumnMapping.objects.create(system=System.objects.get(code=code), type="supplier", spec=spec)

    def import_extracts(self) -> dict[str, Any]:
        return {
            system: self.import_file(file.name, file.read_bytes(), system=system, mapping=self.mappings[system])
            for system, file in self.files.items()
        }

    def connect(self) -> None:
        """From now on every platform gets what changes; what was loaded from it is not sent back, nothing new is made."""
        from django.db import transaction

        from sync import demo
        from sync.models import Subscription, Target

        with transaction.atomic():  # or the hub would see targets that may still create, and send late events there
            demo.load_targets(_quiet, types=["supplier"])  # the story is theirs
            Target.objects.update(retry_scale=0.02, max_inflight_s=1.5, timeout_s=5, probe_every_s=1)
            Subscription.objects.update(creates=False)
        for side in self.sides.values():
            side.mark()

    def approve(self, change: Any, *roles: str) -> Any:
        """Each role in turn signs what it sees."""
        for role in roles:
            seen = self.by(role).get(f"change-requests/{change['uid']}/")
            change = self.by(role).post(
                f"change-requests/{change['uid']}/approve/",
                {"content_hash": seen["content_hash"], "comment": "Seen and right."},
            )
        return change

    def keys(self, uid: str) -> dict[str, list[dict[str, Any]]]:
        """Local keys of a record per system, the primary one first."""
        rows = self.by("steward").all("crosswalks/", uid=uid, active="true")
        found: dict[str, list[dict[str, Any]]] = {}
        for row in sorted(rows, key=lambda row: not row["primary"]):
            found.setdefault(row["system"], []).append(row)
        return found

    def deliveries(self, record: str, **filters: Any) -> list[Any]:
        return self.by("operator").all("deliveries/", record=record, **filters)

    def settled(self, record: str, seconds: float = 60) -> list[Any]:
        """Its deliveries once every one of them has ended, newest first."""

        def ended() -> Any:
            rows = self.deliveries(record)
            waiting = ("pending", "in_flight", "unknown", "retrying")
            return rows if rows and not any(row["state"] in waiting for row in rows) else None

        return list(until(ended, f"deliveries of {record} have ended", seconds))

    def look(self, target: str) -> Any:
        """A whole drift run at a target; the finished run."""
        run = self.by("operator").post("drift-runs/", {"target": target}, expect=202)

        def ended() -> Any:
            now = self.by("operator").get(f"drift-runs/{run['uid']}/")
            return now if now["state"] in ("done", "failed", "cancelled") else None

        found = until(ended, f"drift run at {target} is done", 60)
        assert found["state"] == "done", found
        return found


@pytest.fixture
def house(live_hub: Hub, settings: Any, tmp_path: Path) -> Iterator[Story]:
    """People with tokens and passwords, companies and terms; no supplier, no platform."""
    from dimensions import demo as dimensions_demo
    from mdm.demo import foundation

    settings.VAR_DIR = tmp_path
    settings.PASSWORD_HASHERS = ["tests.fixtures_story.FewRounds"]
    foundation.load(_quiet)
    dimensions_demo.load(_quiet)
    written = json.loads((tmp_path / "demo_users.json").read_text())
    told = Story(
        hub=live_hub,
        sides={},
        passwords={user["role"]: (user["username"], user["password"]) for user in written["users"]},
        tokens=written["tokens"],
        files=story_extracts.extend(tmp_path),
        mappings=yaml.safe_load(MAPPINGS.read_text()),
    )
    yield told
    for caller in told.callers.values():
        caller.http.close()


@pytest.fixture
def story(house: Story, sandbox: Sandboxes, settings: Any) -> Story:
    """The house with the three sandboxes, each holding its extract; `connect()` makes targets of them."""
    house.sides = {name: Side(sandbox(name, seed=file)) for name, file in house.files.items()}
    settings.SANDBOX_URLS = {name: side.sandbox.url for name, side in house.sides.items()}
    return house


def _quiet(_: str) -> None:
    pass
