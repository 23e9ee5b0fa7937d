"""The list of a record type: reading, choosing columns, saving views, exporting, and what is done to many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from mdm import permissions
from mdm.errors import CorrectInput, HubError
from mdm.registry import RecordType
from mdm.selectors import request_items
from mdm.services import changes, merging, preferences
from mdm.services.proposing import ProposedItem
from mdm.web import browsing, exporting, listing, saved_views, visitor
from mdm.web.page import Action, Confirm, Empty, Meta, Page
from mdm.web.tables import Option

MOST_SELECTED = 200


@require_GET
@visitor.page
def records(request: HttpRequest, type_path: str) -> HttpResponse:
    return answer(request, visitor.kind_at(request, type_path))


def answer(
    request: HttpRequest,
    kind: RecordType,
    error: HubError | None = None,
    *,
    fixed: Mapping[str, str] | None = None,
    head: Callable[[Any], Page] | None = None,
) -> HttpResponse:
    """The list as the address asks for it. `fixed`: filters that always hold, {name: value}; `head`: the page's head for
    the rows found."""
    held_by_page = dict(fixed or {})
    offered = [one for one in listing.filters(kind, visitor.entities(request)) if one.name not in held_by_page]
    found = listing.rows(request, kind, listing.held(request, offered) | held_by_page)
    shown = listing.columns(request, kind)
    part = listing.page(request, kind, found, shown)
    base = request.path if fixed else reverse("web:records", args=[kind.path])
    page = head(found) if head else _head(request, kind, found)
    filters = browsing.bar(request, f"{kind.plural} where", offered, placeholder=kind.searched_by, keep=("sort",))
    context = {
        "page": page,
        "views": saved_views.tabs(request, kind),
        "filters": filters,
        "table": listing.table(request, kind, part.rows, shown),
        "pager": browsing.pager(request, part, kind.nouns, ends=f"{len(part.rows)} shown, all of them"),
        "empty": _empty(kind, base, page.primary, bool(filters.chips or filters.q)),
        "bulk": _bulk(request, kind),
        "plural": kind.nouns,
        "columns": {
            "url": reverse("web:records-columns", args=[kind.path]),
            "options": [
                Option(value=column.name, label=column.title, selected=column in shown)
                for column in kind.columns
                if column.name != kind.name_field
            ],
        },
        "exports": exporting.links(request, kind),
        "save_view": {"url": reverse("web:records-view", args=[kind.path]), "query": request.GET.urlencode()},
        "error": error.message if error else "",
    }
    return render(request, "web/records.html", context, status=visitor.status_of(error) if error else 200)


def _head(request: HttpRequest, kind: RecordType, found: Any) -> Page:
    count, shown = browsing.counted(found)
    allowed = permissions.may(visitor.actor(request), f"propose:{kind.path}")
    return Page(
        title=kind.plural,
        meta=[Meta(text=browsing.plural(shown, "record"))],
        menu=saved_views.drop_action(request, kind),
        primary=Action(
            label=f"Propose {kind.noun}",
            url=reverse("web:record-new", args=[kind.path]),
            icon="plus",
            key="n",
            allowed=allowed,
            why_not="" if allowed else "Your role may read these records only.",
        ),
    )


def _empty(kind: RecordType, base: str, propose: Action | None, filtered: bool) -> Empty:
    if filtered:
        every = Action(label=f"Show all {kind.nouns}", url=base)
        text = "No record fits all of these filters. Take one away, or search for a part of the name."
        return Empty(title="Nothing fits", text=text, icon="search", actions=[every])
    text = "Import a file, or propose the first one."
    actions = [propose] if propose and propose.allowed else []
    return Empty(title=f"There are no {kind.nouns} yet", text=text, icon=kind.icon, actions=actions)


def _bulk(request: HttpRequest, kind: RecordType) -> list[Action]:
    url = f"{reverse('web:records-bulk', args=[kind.path])}?{request.GET.urlencode()}"
    export = Action(label="Export", name="export", url=url, icon="download", method="post", fields={"do": "csv"})
    if not permissions.may(visitor.actor(request), f"propose:{kind.path}"):
        return [export]
    confirm = Confirm(
        title=f"Block the selected {kind.nouns}?",
        body="One request asks for all of them. Once approved, they stay readable and every target is told to block them.",
        button="Propose block",
        reason_label="Why?",
    )
    block = Action(
        label="Block", name="block", url=url, icon="lock", method="post", fields={"do": "block"}, confirm=confirm
    )
    if kind.match is None:
        return [block, export]
    return [
        Action(label="Merge", name="merge", url=url, icon="duplicate", method="post", fields={"do": "merge"}),
        block,
        export,
    ]


@require_GET
@visitor.page
def export(request: HttpRequest, type_path: str) -> HttpResponseBase:
    kind = visitor.kind_at(request, type_path)
    found = listing.rows(request, kind, listing.held(request, listing.filters(kind, visitor.entities(request))))
    return exporting.answer(request, kind, found, request.GET.get("format", "csv"))


@require_POST
@visitor.page
def bulk(request: HttpRequest, type_path: str) -> HttpResponseBase:
    """One request for all selected records, or a file with them."""
    kind = visitor.kind_at(request, type_path)
    uids = request.POST.getlist("uid")[:MOST_SELECTED]
    doing = request.POST.get("do", "")
    try:
        rows = listing.rows(request, kind, {}).filter(uid__in=_uids(uids))
        if doing == "csv":
            return exporting.answer(request, kind, rows, "csv")
        if doing == "merge":
            return _to_merge(kind, [str(uid) for uid in rows.values_list("uid", flat=True)])
        if doing not in ("block", "unblock"):
            raise CorrectInput("Choose what to do with the selected records.")
        visitor.kind_at(request, type_path, "propose")
        items = [ProposedItem(type=kind.key, action=doing, uid=str(uid)) for uid in rows.values_list("uid", flat=True)]
        reason = request.POST.get("reason", "").strip()
        if not reason:
            raise CorrectInput("Say why they are blocked. Your selection has to be made again.")
        title = f"{doing.capitalize()} {len(items)} {kind.nouns}" if len(items) > 1 else ""
        change = changes.propose(items=items, by=visitor.actor(request), reason=reason, title=title)
    except HubError as error:
        return answer(request, kind, error)
    return redirect("web:request", request_items.number_of(change))


def _to_merge(kind: RecordType, uids: list[str]) -> HttpResponse:
    """The preview has an address of its own, so that it can be opened again."""
    if not 2 <= len(uids) <= merging.MOST:
        raise CorrectInput(f"Select 2 to {merging.MOST} {kind.nouns} to merge; you selected {len(uids)}.")
    return redirect(f"{reverse('web:merge-records', args=[kind.path])}?{urlencode({'uid': uids}, doseq=True)}")


def _uids(texts: list[str]) -> list[str]:
    from uuid import UUID

    found = []
    for text in texts:
        try:
            found.append(str(UUID(text)))
        except ValueError:
            continue
    if not found:
        raise CorrectInput("Select at least one record.")
    return found


# --- what a person keeps --------------------------------------------------------------------------------------


@require_POST
@visitor.page
def choose_columns(request: HttpRequest, type_path: str) -> HttpResponse:
    kind = visitor.kind_at(request, type_path)
    known = {column.name for column in kind.columns}
    chosen = [name for name in request.POST.getlist("columns") if name in known]
    preferences.keep(user=request.user, name=f"columns:{kind.key}", value={"columns": chosen})
    return redirect(visitor.onward(request, reverse("web:records", args=[kind.path])))


@require_POST
@visitor.page
def keep_view(request: HttpRequest, type_path: str) -> HttpResponse:
    kind = visitor.kind_at(request, type_path)
    base = reverse("web:records", args=[kind.path])
    if dropped := request.POST.get("drop"):
        saved_views.drop(request, kind, dropped)
        return redirect(base)
    name, query = request.POST.get("name", "").strip(), request.POST.get("query", "")
    if not name:
        return answer(request, kind, CorrectInput("Give the view a name."))
    saved_views.keep(request, kind, name, query)
    return redirect(f"{base}?{saved_views.tidy(query)}")
