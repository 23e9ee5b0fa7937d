"""Pairs that may be one thing: the queue, the pair beside it, judgements by keyboard, and who looks at what."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from mdm import registry
from mdm.errors import CorrectInput, HubError, NotAllowed, NotFound
from mdm.models import DuplicatePair, System
from mdm.permissions import may
from mdm.selectors import duplicates, search_records
from mdm.services import judging
from mdm.types import Actor
from mdm.web import browsing, memory, pair_page, pair_words, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Action, Empty, Link, Page
from mdm.web.values import number
from mdm.web.visitor import link

SIZE = 40
KEEP = 300  # seconds the choices of filters are kept
STATES = [
    ("open", "open"), ("same", "same, not merged yet"), ("different", "different"), ("related", "same group"),
    ("unsure", "unsure"), ("follows", "follows from others"), ("merged", "merged"), ("gone", "gone with a record"),
]  # fmt: skip
SCORES = [("0.98", "0.98 or more"), ("0.9", "0.90 or more"), ("0.7", "0.70 or more"), ("0.5", "0.50 or more")]
BANDS = [("link", "would be linked unasked"), ("review", "for a person"), ("none", "below both")]
AGES = [("day", "the last day"), ("week", "the last week"), ("month", "the last 30 days"), ("older", "longer ago")]
FIXED = (
    Filter(name="state", words="judgement is", options=STATES, default="open", any_label="Any"),
    Filter(name="kind", words="kind is", options=[("duplicate", "duplicate"), ("account", "one account, two names")]),
    Filter(name="score", words="score is", options=SCORES),
    Filter(name="band", words="band is", options=BANDS),
    Filter(name="flag", words="warning is", options=[(flag, words[0]) for flag, words in pair_words.FLAGS.items()]),
    Filter(
        name="dispute", words="disputed is", label="Disputed",
        options=[("any", "in any way"), ("people", "by people who differ"), ("logic", "by judgements that clash")],
    ),
    Filter(name="reopened", words="came back is", label="Came back", options=[("yes", "because its evidence changed")]),
    Filter(name="age", words="found in", label="Found", options=AGES),
)  # fmt: skip
TEXTS = (
    Filter(name="import", words="found by import", label="Import", kind="text"),
    Filter(name="record", words="one record is", label="Record (uid)", kind="text"),
)
# The views of the queue: (title, name of the count, the filters that make it).
VIEWS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("To judge", "open", {}),
    ("Mine", "mine", {"assigned": "me"}),
    ("One account, two names", "account", {"kind": "account"}),
    ("Came back", "reopened", {"reopened": "yes"}),
    ("Disputed", "dispute", {"dispute": "any", "state": ""}),
    ("Unsure", "unsure", {"state": "unsure"}),
    ("Follows", "follows", {"state": "follows"}),
)


def _filters(request: HttpRequest) -> tuple[Filter, ...]:
    """Those with choices from the data: kept for a while, because a list page must not pay for them each time."""
    systems = memory.remember(
        "pairs:systems", KEEP, lambda: list(System.objects.order_by("title").values_list("code", "title"))
    )
    people = memory.remember(
        "pairs:stewards", KEEP, lambda: [(u.username, u.get_full_name() or u.username) for u in duplicates.stewards()]
    )
    return (
        *FIXED,
        Filter(
            name="assigned",
            words="assigned to",
            label="Assigned to",
            options=[("me", "me"), ("nobody", "nobody"), *people],
        ),
        Filter(name="system", words="known to", label="System", options=systems),
        Filter(
            name="country",
            words="country is",
            options=[(c, c) for c in memory.remember("pairs:countries", KEEP, _countries)],
        ),
        Filter(name="entity", words="used by", label="Used by company", options=_entities(request)),
        *TEXTS,
    )


def _countries() -> list[str]:
    kinds = [kind for kind in registry.all_types() if kind.match and "country" in kind.filters]
    return sorted({value for kind in kinds for value in search_records.values_of(kind, "country")})


def _entities(request: HttpRequest) -> list[tuple[str, str]]:
    """Companies the person may see."""
    keys = {
        kind.references[path]
        for kind in registry.all_types()
        for child in kind.children
        if kind.match and child.entity_field and (path := f"{child.name}.{child.entity_field}") in kind.references
    }
    found = [
        row
        for key in sorted(keys)
        for row in memory.remember(f"pairs:refs:{key}", KEEP, partial(search_records.choices_of, key))
    ]
    mine = visitor.entities(request)
    return [(code, f"{code} {name}") for code, name in found if mine is None or code in mine]


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
    asked = browsing.values_of(request, _filters(request)) | {"q": request.GET.get("q", "").strip()[:200]}
    return duplicates.matching(duplicates.visible(by), asked, by=by)


def _page(
    request: HttpRequest, chosen: DuplicatePair | None, rows: QuerySet[DuplicatePair], by: Actor
) -> dict[str, Any]:
    part = browsing.cut(request, rows, order=duplicates.ORDER, size=SIZE)
    count, shown = browsing.counted(rows)
    filters = _filters(request)
    last = judging.last_of(by) if may(by, "steward") else None
    return {
        "page": Page(title="Duplicates", note=f"{browsing.plural(shown, 'pair')}, by risk, certainty and use"),
        "views": _views(request, by),
        "filters": browsing.bar(request, "Pairs where", filters, placeholder="Name or code"),
        "queue": pair_page.items(part.rows, lambda one: _pair_url(request, one), str(chosen.uid) if chosen else ""),
        "pager": browsing.pager(request, part, "pairs"),
        "empty": _empty(request, count, filters),
        "pair": _detail(request, chosen, rows, by) if chosen else None,
        "close_url": _close_url(request),
        "undo_last_url": _pair_url(request, last, "web:duplicate-undo") if last and last != chosen else "",
    }


def _views(request: HttpRequest, by: Actor) -> list[Link]:
    counted = duplicates.counts(duplicates.visible(by), by=by)
    held = {name: value for name, value in request.GET.items() if name != "cursor"}
    found = []
    for title, name, wanted in VIEWS:
        if counted[name] or name == "open" or held == wanted:
            query = "&".join(f"{key}={value}" for key, value in wanted.items())
            found.append(Link(title, f"{link('web:duplicates')}?{query}", counted[name], held == wanted))
    return found


def _empty(request: HttpRequest, count: int, filters: Sequence[Filter]) -> Empty:
    if any(name in request.GET for name in ("q", *(one.name for one in filters))):
        return Empty(title="No pair is like that", text="Take a filter away to see more.", icon="filter")
    text = "New pairs appear as files are imported and records change. Judged ones are under “judgement is”."
    return Empty(title="Every pair is judged", text=text, icon="ok")


def _detail(request: HttpRequest, chosen: DuplicatePair, rows: QuerySet[DuplicatePair], by: Actor) -> dict[str, Any]:
    steward = may(by, "steward")
    judgeable = steward and chosen.state not in ("merged", "gone")
    following = duplicates.after(rows, chosen)
    shown = pair_page.build(chosen, entities=visitor.entities(request), latin=request.GET.get("latin") == "1")
    mine = any(one.decided_by_id == by.user.pk for one in shown["standing"]) if by.user else False
    undo = Action(
        label="Take it back", url=_pair_url(request, chosen, "web:duplicate-undo"), method="post", icon="undo",
        key="z", name="undo",
    )  # fmt: skip
    return {
        **shown,
        "place": _place(chosen, rows),
        "decide_url": _pair_url(request, chosen, "web:duplicate-decide") if judgeable else "",
        "seen": chosen.evidence_hash,
        "next_url": _pair_url(request, following) if following else _close_url(request),
        "skip_url": _pair_url(request, following) if following else "",
        "merge_url": link("web:merge", chosen.uid) if _may_merge(by, chosen) else "",
        "undo": undo if mine else None,
        "menu": _menu(request, chosen, by) if steward else [],
        "may_settle": bool(chosen.dispute) and may(by, "settle"),
        "latin_url": _latin_url(request, chosen) if shown["foreign"] else "",
        "why_not": "" if steward else "Only data stewards judge pairs.",
    }


def _latin_url(request: HttpRequest, chosen: DuplicatePair) -> str:
    query = visitor.changed_query(request, latin=None if request.GET.get("latin") == "1" else "1")
    return f"{link('web:duplicate', chosen.uid)}{query}"


def _menu(request: HttpRequest, chosen: DuplicatePair, by: Actor) -> list[Action]:
    """Who looks at it, and what else can be seen of it."""
    kind = registry.get(chosen.type)
    url = _pair_url(request, chosen, "web:duplicate-assign")
    found = [
        Action(label="See the whole cluster", url=link("web:cluster", kind.path, chosen.left), icon="tree", key="g")
    ]
    me = by.user
    if me and chosen.assigned_to_id == me.pk:
        found.append(Action(label="Give it back", url=url, method="post", icon="user", fields={"to": ""}))
    else:
        found.append(
            Action(label="Take it", url=url, method="post", icon="user", fields={"to": me.username if me else ""})
        )
    for person in duplicates.stewards()[:8]:
        if me is None or person.pk not in (me.pk, chosen.assigned_to_id):
            name = person.get_full_name() or person.username
            found.append(
                Action(label=f"Give it to {name}", url=url, method="post", icon="user", fields={"to": person.username})
            )
    return found


def _may_merge(by: Actor, chosen: DuplicatePair) -> bool:
    judged = chosen.state in ("open", "same", "unsure") or chosen.follows == "same"
    return judged and chosen.kind == "duplicate" and may(by, f"propose:{registry.get(chosen.type).path}")


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
    """Keep the judgement and go on with the next pair of the queue; the toast takes it back.

    `judgement` is same, different, unsure, or related with what the left record is to the right: `related:parent`.
    """
    by = _steward(request)
    chosen = pair_at(request, uid)
    judgement, _, relation = request.POST.get("judgement", "").partition(":")
    try:
        decision = judging.decide(
            pair=chosen,
            judgement=judgement,
            relation=relation,
            reason=request.POST.get("reason", "").strip()[:2000],
            settle=request.POST.get("settle") == "on",
            seen=request.POST.get("seen", ""),
            by=by,
        )
    except HubError as error:
        return _refused(request, uid, error)
    messages.success(
        request, pair_words.said_of(decision), extra_tags=f"undo:{_pair_url(request, chosen, 'web:duplicate-undo')}"
    )
    return redirect(visitor.onward(request, link("web:duplicates")))


def _refused(request: HttpRequest, uid: UUID, error: HubError) -> HttpResponse:
    """The pair as it is now, with the words. htmx takes in what is to be corrected, and drops every other refusal."""
    messages.error(request, error.message)
    status = 422 if getattr(request, "htmx", False) else visitor.status_of(error)
    return _answer(request, pair_at(request, uid), status=status)


@require_POST
@visitor.page
def undo(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One's own judgement is taken back, and the pair is shown again."""
    by = _steward(request)
    chosen = pair_at(request, uid)
    try:
        judging.take_back(pair=chosen, by=by)
    except HubError as error:
        return _refused(request, uid, error)
    messages.success(request, "Taken back. The pair is in the queue again.")
    return redirect(_pair_url(request, chosen))


@require_POST
@visitor.page
def assign(request: HttpRequest, uid: UUID) -> HttpResponse:
    by = _steward(request)
    chosen = pair_at(request, uid)
    name = request.POST.get("to", "")
    to = duplicates.stewards().filter(username=name).first() if name else None
    try:
        if name and to is None:
            raise CorrectInput("There is no steward of that name.")
        judging.assign(pair=chosen, to=to, by=by)
    except HubError as error:
        return _refused(request, uid, error)
    messages.success(
        request, f"{to.get_full_name() or to.username} looks at this pair." if to else "Nobody has it now."
    )
    return redirect(_pair_url(request, chosen))


def _steward(request: HttpRequest) -> Actor:
    by = visitor.actor(request)
    if not may(by, "steward"):
        raise NotAllowed("Only data stewards judge pairs. A governance lead can give you that role.")
    return by
