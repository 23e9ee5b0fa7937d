"""A cluster: everything connected to a record, as a graph and a table; several pairs judged together."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from mdm.errors import CorrectInput, HubError, NotAllowed
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.selectors import duplicates
from mdm.services import clusters, judging
from mdm.types import Actor
from mdm.web import browsing, cluster_page, visitor
from mdm.web.page import Action, Badge, Confirm, Link, Page


@require_GET
@visitor.page
def cluster(request: HttpRequest, type_path: str, uid: UUID) -> HttpResponse:
    kind = visitor.kind_at(request, type_path)
    return _answer(request, kind, visitor.record_at(request, kind, uid))


def _answer(request: HttpRequest, kind: RecordType, row: Any, *, status: int = 200) -> HttpResponse:
    found = clusters.around(kind.key, row.uid)
    by = visitor.actor(request)
    name = str(getattr(row, kind.name_field))
    context: dict[str, Any] = {
        "page": Page(
            title=f"Cluster of {name}",
            note=browsing.plural(len(found.members), "record") + (", the first ones" if found.cut else ""),
            crumbs=[
                Link("Duplicates", visitor.link("web:duplicates")),
                Link(row.code, visitor.record_url(kind, row.uid)),
            ],
            badges=[Badge(state=row.status, domain="record")],
        ),
        "bulk": _bulk(kind, row, by),
        **cluster_page.build(kind, found, str(row.uid)),
    }
    return render(request, "web/cluster.html", context, status=status)


def _bulk(kind: RecordType, row: Any, by: Actor) -> list[Action]:
    """What can be done with the chosen records."""
    compare = visitor.link("web:compare", kind.path)
    found = [Action(label="Compare side by side", name="compare", url=compare, icon="columns", method="get")]
    if may(by, f"propose:{kind.path}"):
        url = visitor.link("web:cluster-merge", kind.path, row.uid)
        found.append(Action(label="Preview merge", name="merge", url=url, icon="duplicate", method="get"))
    if may(by, "steward"):
        url = visitor.link("web:cluster-judge", kind.path, row.uid)
        for judgement, label, icon in (("same", "All the same", "ok"), ("different", "All different", "no")):
            ask = Confirm(
                title=f"Judge every pair among them {judgement}?",
                body="Each known pair among the chosen records gets this judgement. You can take each one back.",
                button=f"Judge {judgement}", reason_label="Reason, optional", reason_required=False,
            )  # fmt: skip
            fields = {"judgement": judgement}
            found.append(
                Action(label=label, name=judgement, url=url, icon=icon, method="post", fields=fields, confirm=ask)
            )
    return found


@require_GET
@visitor.page
def merge(request: HttpRequest, type_path: str, uid: UUID) -> HttpResponse:
    """On to the merge preview of the two chosen records."""
    kind = visitor.kind_at(request, type_path, "propose")
    uids = _chosen(request.GET.getlist("uid"))
    rows = duplicates.visible(visitor.actor(request)).filter(type=kind.key, left__in=uids, right__in=uids)
    pair = rows.exclude(state__in=("merged", "gone")).first() if len(uids) == 2 else None
    if pair is None:
        messages.error(request, "Choose two records with a known pair: the preview merges two at a time.")
        return _answer(request, kind, visitor.record_at(request, kind, uid), status=422)
    return redirect("web:merge", pair.uid)


def _chosen(texts: list[str]) -> list[str]:
    try:
        return list(dict.fromkeys(str(UUID(text)) for text in texts[: clusters.MOST]))
    except ValueError:
        return []


@require_POST
@visitor.page
def judge(request: HttpRequest, type_path: str, uid: UUID) -> HttpResponse:
    """The same judgement for every known pair among the chosen records, all or none."""
    kind = visitor.kind_at(request, type_path)
    row = visitor.record_at(request, kind, uid)
    by = visitor.actor(request)
    if not may(by, "steward"):
        raise NotAllowed("Only data stewards judge pairs. A governance lead can give you that role.")
    uids = _chosen(request.POST.getlist("uid"))
    rows = duplicates.visible(by).filter(type=kind.key, left__in=uids, right__in=uids)
    pairs = list(rows.exclude(state__in=("merged", "gone")))
    judgement = request.POST.get("judgement", "")
    try:
        if not pairs:
            raise CorrectInput("Choose two or more records with a known pair among them.")
        judging.decide_many(
            pairs=pairs, judgement=judgement, reason=request.POST.get("reason", "").strip()[:2000], by=by
        )
    except HubError as error:
        messages.error(request, error.message)
        return _answer(request, kind, row, status=visitor.status_of(error))
    messages.success(request, f"{browsing.plural(len(pairs), 'pair')} judged {judgement}.")
    return redirect("web:cluster", kind.path, row.uid)
