"""Local keys to golden records: the crosswalk as a list, and resolving up to a thousand keys at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import permissions, registry
from mdm.api.operations import Body, Page, PageQuery, Shown, operation
from mdm.api.view import HubView
from mdm.models import Crosswalk
from mdm.selectors import records, visibility


class CrosswalkBody(Shown):
    system: str
    key: str
    type: str
    uid: UUID
    primary: bool = Field(description="The key a push to this system updates.")
    active: bool
    since: datetime


class CrosswalkQuery(PageQuery):
    system: str | None = Field(None, max_length=40)
    key: str | None = Field(None, max_length=100)
    type: str | None = Field(None, max_length=60)
    uid: UUID | None = None
    active: bool | None = None


class KeyInput(Body):
    system: str = Field(max_length=40)
    key: str = Field(max_length=100)
    type: str = Field("", max_length=60, description="Needed only where a system uses one key for several types.")


class KeysInput(Body):
    keys: list[KeyInput] = Field(min_length=1, max_length=1000)


class Resolved(Shown):
    system: str
    key: str
    type: str | None
    uid: UUID | None = Field(description="The golden record now, following merges; null when the key is unknown.")
    code: str | None
    active: bool | None


class ResolvedBody(Shown):
    results: list[Resolved] = Field(description="In the order of the keys sent.")


def present(row: Crosswalk) -> dict[str, Any]:
    return {
        "system": row.system.code,
        "key": row.key,
        "type": row.type,
        "uid": row.uid,
        "primary": row.primary,
        "active": row.active,
        "since": row.since,
    }


class CrosswalkView(HubView):
    def visible(self) -> QuerySet[Crosswalk]:
        """Keys of records the caller may see."""
        readable = [k for k in registry.all_types() if permissions.allows(self.scopes, f"read:{k.path}")]
        rows = Crosswalk.objects.select_related("system").filter(type__in=[kind.key for kind in readable])
        for kind in readable:
            if self.entities is not None and visibility.is_limited(kind):
                mine = visibility.reachable(kind, kind.model._default_manager.all(), self.entities).values("uid")
                rows = rows.exclude(pk__in=rows.filter(type=kind.key).exclude(uid__in=mine).values("pk"))
        return rows


class Crosswalks(CrosswalkView):
    @operation(
        "List local keys",
        scope="read",
        query=CrosswalkQuery,
        answers={200: Page[CrosswalkBody]},
    )
    def get(self, request: Request) -> Response:
        query, rows = self.query, self.visible()
        for name, column in (("system", "system__code"), ("key", "key"), ("uid", "uid"), ("active", "active")):
            if (value := getattr(query, name)) is not None:
                rows = rows.filter(**{column: value})
        if query.type:
            kind = registry.find(query.type)
            rows = rows.filter(type=kind.key) if kind else rows.none()
        return self.page(rows, present=present)


class ResolveKeys(CrosswalkView):
    @operation(
        "Find the golden records of local keys",
        scope="read",
        body=KeysInput,
        answers={200: ResolvedBody},
        notes="At most 1000 keys; merges are followed.",
    )
    def post(self, request: Request) -> Response:
        wanted = self.body.keys
        found: dict[tuple[str, str], list[Crosswalk]] = {}
        rows = self.visible().filter(system__code__in={k.system for k in wanted}, key__in={k.key for k in wanted})
        for row in rows.order_by("-active", "pk"):
            found.setdefault((row.system.code, row.key), []).append(row)
        chosen = [_choose(found.get((k.system, k.key), ()), k.type) for k in wanted]
        golden = _golden(row for row in chosen if row)
        return Response({"results": [_resolved(k, row, golden) for k, row in zip(wanted, chosen, strict=True)]})


def _choose(rows: Iterable[Crosswalk], type_: str) -> Crosswalk | None:
    kind = registry.find(type_) if type_ else None
    if type_ and kind is None:
        return None
    return next((row for row in rows if kind is None or row.type == kind.key), None)


def _golden(rows: Iterable[Crosswalk]) -> dict[UUID, tuple[str, str]]:
    """{uid a key leads to: (uid now, code)}; merged records are followed, one query per type."""
    by_type: dict[str, set[UUID]] = {}
    for row in rows:
        by_type.setdefault(row.type, set()).add(row.uid)
    result: dict[UUID, tuple[str, str]] = {}
    for key, uids in by_type.items():
        for asked, found in records.survivors(registry.get(key), "uid", uids).items():
            result[UUID(asked)] = (str(found.uid), found.code)
    return result


def _resolved(key: KeyInput, row: Crosswalk | None, golden: dict[UUID, tuple[str, str]]) -> dict[str, Any]:
    uid, code = golden.get(row.uid, (None, None)) if row else (None, None)
    return {
        "system": key.system,
        "key": key.key,
        "type": row.type if row else (key.type or None),
        "uid": uid,
        "code": code,
        "active": row.active if row else None,
    }
