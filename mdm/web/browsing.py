"""Lists as people browse them: filters that read as a sentence, pages by cursor, counts that never cost a full scan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_date

from mdm.selectors import keyset
from mdm.selectors.keyset import Slice
from mdm.web.tables import Chip, Field, FilterBar, Option, Pager
from mdm.web.values import number
from mdm.web.visitor import changed_query

MOST_COUNTED = 10_000
PAGE = 50


@dataclass(frozen=True, kw_only=True)
class Filter:
    """One filter of a list: its parameter, its words in the sentence ("state is"), and what can be chosen."""

    name: str
    words: str
    label: str = ""
    kind: Literal["select", "text", "date"] = "select"
    options: Sequence[tuple[str, str]] = ()
    default: str = ""  # holds when the parameter is not there at all; shown as a chip like any other
    any_label: str = "Any"


def value_of(request: HttpRequest, one: Filter) -> str:
    """The value that holds; one that cannot be chosen counts as none."""
    value = request.GET.get(one.name, one.default).strip()[:200]
    if one.kind == "date":
        return value if day(value) else ""
    return value if one.kind == "text" or any(value == key for key, _ in one.options) else ""


def day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def values_of(request: HttpRequest, filters: Iterable[Filter]) -> dict[str, str]:
    return {one.name: value_of(request, one) for one in filters}


def bar(
    request: HttpRequest,
    subject: str,
    filters: Sequence[Filter],
    *,
    placeholder: str = "",
    keep: Sequence[str] = (),
) -> FilterBar:
    """The sentence over a list. `keep` are parameters that are no filters and stay, such as a tab."""
    held = values_of(request, filters)
    kept = [(name, value) for name in keep if (value := request.GET.get(name))]
    typed = request.GET.get("q", "").strip()[:200]
    chips = [
        Chip(words=one.words, value=_shown(one, held[one.name]), remove_url=_without(request, one))
        for one in filters
        if held[one.name]
    ]
    # The text filter is a form of its own and carries the others along; in theirs the last value of a name holds.
    carried = [(one.name, held[one.name]) for one in filters if one.name in request.GET] if placeholder else []
    return FilterBar(
        subject=subject,
        chips=chips,
        fields=[_field(one, held[one.name]) for one in filters],
        url=request.path,
        q=typed if placeholder else None,
        placeholder=placeholder,
        keep=[*kept, *carried],
        clear_url=_clear(request, filters),
    )


def _shown(one: Filter, value: str) -> str:
    return next((label for key, label in one.options if key == value), value)


def _without(request: HttpRequest, one: Filter) -> str:
    """Taking away a default needs an empty parameter, else it would hold again."""
    return changed_query(request, **{one.name: "" if one.default else None})


def _clear(request: HttpRequest, filters: Sequence[Filter]) -> str:
    changes: dict[str, str | None] = {one.name: "" if one.default else None for one in filters}
    return changed_query(request, **changes)


def _field(one: Filter, value: str) -> Field:
    label = one.label or one.words.removesuffix(" is").capitalize()
    if one.kind != "select":
        return Field(name=one.name, label=label, kind=one.kind, id=f"filter-{one.name}", value=value)
    options = [Option(value="", label=one.any_label, selected=not value)]
    options += [Option(value=key, label=text, selected=key == value) for key, text in one.options]
    return Field(name=one.name, label=label, kind="select", id=f"filter-{one.name}", options=options)


def cut(request: HttpRequest, rows: QuerySet[Any], *, order: Sequence[str] = ("-pk",), size: int = PAGE) -> Slice:
    """The page of the cursor in the address. `-pk` alone is an order of its own."""
    named = [name for name in order if name.lstrip("-") != "pk"]
    cursor = request.GET.get("cursor", "")[:2000]
    return keyset.cut(rows, order=named, size=size, cursor=cursor, falling=order[0].startswith("-"))


def pager(request: HttpRequest, slice_: Slice, what: str, *, ends: str = "") -> Pager | None:
    """None when everything fits one page and nothing has to be said."""
    shown = f"{number(len(slice_.rows))} {what} shown"
    if not slice_.next and not slice_.previous:
        return Pager(summary=ends) if ends else None
    return Pager(
        summary=shown,
        previous=_page_url(request, slice_.previous),
        next=_page_url(request, slice_.next),
    )


def numbered(
    request: HttpRequest, found: Sequence[Any], *, size: int, one: str, many: str = ""
) -> tuple[Sequence[Any], Pager | None]:
    """The page of a list that is in memory anyway; its cursor is a number."""
    asked = request.GET.get("cursor", "1")
    last = max(1, -(-len(found) // size))
    number_ = min(max(int(asked), 1), last) if asked.isdecimal() and len(asked) < 9 else 1
    page = found[(number_ - 1) * size : number_ * size]
    if last == 1:
        return page, None
    return page, Pager(
        summary=f"{plural(len(page), one, many)} shown, {plural(len(found), one, many)} in all",
        previous=changed_query(request, cursor=str(number_ - 1)) if number_ > 1 else "",
        next=changed_query(request, cursor=str(number_ + 1)) if number_ < last else "",
    )


def _page_url(request: HttpRequest, cursor: str) -> str:
    if not cursor:
        return ""
    params = request.GET.copy()
    params["cursor"] = cursor
    return f"?{params.urlencode()}"


def counted(rows: QuerySet[Any], most: int = MOST_COUNTED) -> tuple[int, str]:
    """(how many, in words), counting no further than `most`."""
    found = rows.order_by()[: most + 1].count()
    return (most, f"{number(most)}+") if found > most else (found, number(found))


def plural(count: int | str, one: str, many: str = "") -> str:
    """`1 row`, `2 rows`; a count in words stays as it is."""
    shown = number(count) if isinstance(count, int) else count
    return f"{shown} {one if shown == '1' else many or one + 's'}"
