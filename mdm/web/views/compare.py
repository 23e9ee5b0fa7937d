"""Any two records compared with why and why not; up to five side by side with what they share marked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from mdm.errors import CorrectInput, NotFound
from mdm.folding import fold
from mdm.registry import RecordType
from mdm.selectors import duplicates, search_records, visibility
from mdm.web import compare_page, visitor
from mdm.web.page import Link, Page

OFFERED = 8


@require_GET
@visitor.page
def compare(request: HttpRequest, type_path: str) -> HttpResponse:
    """`?uid=…&uid=…`, one to five; `add` names one more by its code or words of its name."""
    kind = visitor.kind_at(request, type_path)
    if kind.match is None:
        raise NotFound(f"{kind.plural} are not matched, so there is nothing to compare.")
    uids = _asked(request)
    typed = request.GET.get("add", "").strip()[:200]
    offers = _fitting(request, kind, typed, uids) if typed else []
    if len(offers) == 1:
        uids, typed, offers = [*uids, str(offers[0][0])], "", []
    documents = compare_page.documents(kind, uids, visitor.entities(request))
    context: dict[str, Any] = {
        "page": Page(
            title=f"Compare {kind.nouns}",
            note="Any two, whether anybody thinks they are the same or not",
            crumbs=[Link(kind.plural, visitor.link("web:records", kind.path)), Link("Compare", "")],
        ),
        "form": {"url": request.path, "uids": uids, "typed": typed, "full": len(uids) >= compare_page.MOST},
        "offers": [
            {"title": name, "code": code, "url": compare_page.url(kind, [*uids, str(uid)])}
            for uid, code, name in offers
        ],
        "nothing": bool(typed) and not offers,
        **compare_page.build(kind, documents, entities=visitor.entities(request), pairs=_pairs(request, kind, uids)),
    }
    return render(request, "web/compare.html", context)


def _asked(request: HttpRequest) -> list[str]:
    try:
        uids = list(dict.fromkeys(str(UUID(text)) for text in request.GET.getlist("uid")))
    except ValueError:
        raise NotFound("One of these uids is none.") from None
    if len(uids) > compare_page.MOST:
        raise CorrectInput(f"At most {compare_page.MOST} records stand side by side. The cluster's table shows more.")
    return uids


def _pairs(request: HttpRequest, kind: RecordType, uids: list[str]) -> dict[tuple[str, str], Any]:
    rows = duplicates.visible(visitor.actor(request)).filter(type=kind.key, left__in=uids, right__in=uids)
    return {(str(row.left), str(row.right)): row for row in rows.select_related("assigned_to")}


def _fitting(request: HttpRequest, kind: RecordType, typed: str, without: list[str]) -> list[tuple[Any, str, str]]:
    """Records of this code, else by the words; (uid, code, name)."""
    rows = visibility.visible(kind, kind.model._default_manager.exclude(uid__in=without), visitor.entities(request))
    exact = rows.filter(code__iexact=typed)
    found = exact if exact.exists() else search_records.found_by(rows, fold(typed).split())
    return list(found.order_by("code").values_list("uid", "code", F(kind.name_field))[:OFFERED])
