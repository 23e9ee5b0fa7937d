"""Pairs that may be one thing: the queue, the pair beside it, and the judgement."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from mdm import registry
from mdm.errors import HubError, NotAllowed, NotFound
from mdm.models import DuplicatePair
from mdm.permissions import may
from mdm.selectors import duplicates
from mdm.services import matching
from mdm.types import Actor
from mdm.web import browsing, pair_page, pair_words, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Action, Empty, Page
from mdm.web.values import number
from mdm.web.visitor import link

SIZE = 40
STATES = [
    ("open", "open"), ("same", "same, not merged yet"), ("different", "different"), ("unsure", "unsure"), ("merged", "merged"),
]  # fmt: skip
SCORES = [("0.98", "0.98 or more"), ("0.9", "0.90 or more"), ("0.7", "0.70 or more"), ("0.5", "0.50 or more")]
FILTERS = (
    Filter(name="state", words="judgement is", options=STATES, default="open", any_label="Any"),
    Filter(name="score", words="score is", options=SCORES),
    Filter(name="flag", words="warning is", options=[(flag, words[0]) for flag, words in pair_words.FLAGS.items()]),
    Filter(name="import", words="found by import", label="Import", kind="text"),
    Filter(name="record", words="one record is", label="Record (uid)", kind="text"),
)


@require_GET
@visitor.page
def queue(request: HttpRequest) -> HttpResponse:
    """The queue; without script a chosen pair opens at its own address, with the queue beside it."""
    return _answer(request, None)


@require_GET
@visitor.page
def pair(request: HttpRequest, uid: UUID) -> HttpResponse:
    return _answer(request, pair_at(request, uid))


def pair_at(request: HttpRequest, uid: UUID) -> DuplicatePair:
    found = duplicates.visible(visitor.actor(request)).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such pair.")
    return found


def _answer(request: HttpRequest, chosen: DuplicatePair | None, *, status: int = 200) -> HttpResponse:
    by = visitor.actor(request)
    rows = _rows(request, by)
    if request.htmx and request.htmx.target == "detail" and chosen:  # type: ignore[attr-defined]
        context = {"pair": _detail(request, chosen, rows, by), "close_url": _close_url(request)}
        response = render(request, "web/_pair.html", context, status=status)
    else:
        response = render(request, "web/duplicates.html", _page(request, chosen, rows, by), status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _rows(request: HttpRequest, by: Actor) -> QuerySet[DuplicatePair]:
    asked = browsing.values_of(request, FILTERS) | {"q": request.GET.get("q", "").strip()[:200]}
    return duplicates.matching(duplicates.visible(by), asked)


def _page(
    request: HttpRequest, chosen: DuplicatePair | None, rows: QuerySet[DuplicatePair], by: Actor
) -> dict[str, Any]:
    part = browsing.cut(request, rows, order=duplicates.ORDER, size=SIZE)
    count, shown = browsing.counted(rows)
    return {
        "page": Page(title="Duplicates", note=f"{browsing.plural(shown, 'pair')}, riskiest first"),
        "filters": browsing.bar(request, "Pairs where", FILTERS, placeholder="Name or code"),
        "queue": pair_page.items(part.rows, lambda one: _pair_url(request, one), str(chosen.uid) if chosen else ""),
        "pager": browsing.pager(request, part, "pairs"),
        "empty": _empty(request, count),
        "pair": _detail(request, chosen, rows, by) if chosen else None,
        "close_url": _close_url(request),
    }


def _empty(request: HttpRequest, count: int) -> Empty:
    if any(name in request.GET for name in ("q", *(one.name for one in FILTERS))):
        return Empty(title="No pair is like that", text="Take a filter away to see more.", icon="filter")
    text = "New pairs appear as files are imported and records change. Judged ones are under “judgement is”."
    return Empty(title="Every pair is judged", text=text, icon="ok")


def _detail(request: HttpRequest, chosen: DuplicatePair, rows: QuerySet[DuplicatePair], by: Actor) -> dict[str, Any]:
    steward = may(by, "steward")
    following = duplicates.after(rows, chosen)
    undo = Action(
        label="Take it back", url=pair_page.undo_url(chosen), method="post", icon="undo", key="z", name="undo"
    )
    return {
        **pair_page.build(chosen, entities=visitor.entities(request)),
        "place": _place(chosen, rows),
        "decide_url": _pair_url(request, chosen, "web:duplicate-decide")
        if steward and chosen.state != "merged"
        else "",
        "next_url": _pair_url(request, following) if following else _close_url(request),
        "merge_url": link("web:merge", chosen.uid) if _may_merge(by, chosen) else "",
        "undo": undo if steward and chosen.state not in ("open", "merged") else None,
        "why_not": "" if steward else "Only data stewards judge pairs.",
    }


def _may_merge(by: Actor, chosen: DuplicatePair) -> bool:
    return chosen.state in ("open", "same", "unsure") and may(by, f"propose:{registry.get(chosen.type).path}")


def _place(chosen: DuplicatePair, rows: QuerySet[DuplicatePair]) -> str:
    """Where it stands in the queue; nothing for a pair the queue does not hold."""
    if not rows.filter(pk=chosen.pk).exists():
        return ""
    most = 1000
    before = duplicates.place(rows, chosen, most)
    if before >= most:
        return ""
    return f"pair {number(before + 1)} of {browsing.counted(rows)[1]}"


def _pair_url(request: HttpRequest, one: DuplicatePair, view: str = "web:duplicate") -> str:
    """With the filters of the queue, so that it stays beside the pair."""
    query = request.GET.urlencode()
    return f"{link(view, one.uid)}?{query}" if query else link(view, one.uid)


def _close_url(request: HttpRequest) -> str:
    query = request.GET.urlencode()
    return f"{link('web:duplicates')}?{query}" if query else link("web:duplicates")


@require_POST
@visitor.page
def decide(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Keep the judgement and go on with the next pair of the queue; the toast takes it back."""
    by = _steward(request)
    chosen = pair_at(request, uid)
    judgement = request.POST.get("judgement", "")
    try:
        matching.decide(pair=chosen, judgement=judgement, reason=request.POST.get("reason", "").strip(), by=by)
    except HubError as error:
        messages.error(request, error.message)
        return _answer(request, pair_at(request, uid), status=visitor.status_of(error))
    words = {
        "same": "Judged the same. A merge is the next step",
        "different": "Judged different",
        "unsure": "Kept as unsure",
    }
    messages.success(request, words[judgement], extra_tags=f"undo:{pair_page.undo_url(chosen)}")
    return redirect(visitor.onward(request, link("web:duplicates")))


@require_POST
@visitor.page
def undo(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The judgement is taken back, and the pair is shown again."""
    by = _steward(request)
    chosen = pair_at(request, uid)
    try:
        matching.reopen(pair=chosen, by=by)
    except HubError as error:
        messages.error(request, error.message)
        return _answer(request, pair_at(request, uid), status=visitor.status_of(error))
    messages.success(request, "Taken back. The pair is in the queue again.")
    return redirect("web:duplicate", uid)


def _steward(request: HttpRequest) -> Actor:
    by = visitor.actor(request)
    if not may(by, "steward"):
        raise NotAllowed("Only data stewards judge pairs. A governance lead can give you that role.")
    return by
