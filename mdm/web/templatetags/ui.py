"""Template tags of the hub's pages: marks, cells, safe display of values, query strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

from django import template
from django.http import QueryDict
from django.template.loader import get_template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

from mdm.web import cells, marks, people, states, values
from mdm.web.tables import Cell, Column

register = template.Library()
for mark in (
    marks.icon, marks.pill, marks.badge, marks.state, marks.ago, marks.moment, marks.person, marks.avatar,
    marks.id_copy, marks.source, marks.rich,
):  # fmt: skip
    register.simple_tag(mark)


@register.simple_tag(takes_context=True)
def cell(context: template.Context, given: Any, column: Any = None, head: bool = False) -> SafeString:
    """A `Cell` under its `Column`, drawn in Python (see `mdm.web.cells`); only buttons need a template."""
    one = Cell(**given) if isinstance(given, Mapping) else given
    above = Column(**column) if isinstance(column, Mapping) else column
    if one.kind != "actions":
        body = cells.content(one)
    else:
        body = _buttons(context, one) if one.actions else mark_safe("")
    return format_html("{}{}{}", cells.open_tag(one, above, head), body, mark_safe("</th>" if head else "</td>"))


def _buttons(context: template.Context, given: Cell) -> SafeString:
    name = "action" if len(given.actions) == 1 else "menu"
    label = given.note or "What to do with this row"
    with context.push(action=given.actions[0], actions=given.actions, label=label, small=True):
        return _component(f"components/{name}.html").template.render(context)  # type: ignore[attr-defined]


@cache
def _component(name: str) -> object:
    return get_template(name)


@register.filter
def tone_of(value: str, domain: str = "") -> str:
    return states.look(value, domain).tone


@register.filter
def icon_of(value: str, domain: str = "") -> str:
    return states.look(value, domain).icon


@register.filter
def label_of(value: str, domain: str = "") -> str:
    return states.look(value, domain).label


@register.filter
def name(who: Any) -> str:
    return people.name_of(who)


@register.filter
def initials(who: Any) -> str:
    return people.initials(people.name_of(who))


@register.filter
def short_id(value: Any) -> str:
    """9f2c41…07e1: enough of a hash or uid to tell it from its neighbours."""
    text = str(value or "")
    return f"{text[:6]}…{text[-4:]}" if len(text) > 13 else text


@register.filter
def show(value: Any) -> str:
    """Any canonical value in words; a sealed number only as its mask."""
    return values.show(value)


@register.filter
def is_empty(value: Any) -> bool:
    return values.is_empty(value)


@register.filter
def is_words(value: Any) -> bool:
    """Whether a value comes cut into words of which some are marked (see `mdm.web.diffs.Word`)."""
    return isinstance(value, list | tuple) and bool(value) and hasattr(value[0], "changed")


@register.filter
def day(value: date | None) -> str:
    return values.day(value)


@register.filter
def number(value: Any) -> str:
    return values.number(value) if isinstance(value, int | float) else str(value)


@register.filter
def get(mapping: Mapping[str, Any] | None, key: Any) -> Any:
    return (mapping or {}).get(key)


@register.filter
def at(sequence: Sequence[Any], index: int) -> Any:
    """The item at a place; nothing when the row is longer than the head."""
    return sequence[index] if index < len(sequence) else None


@register.filter
def iso(value: Any) -> str:
    """A value for a form field: dates as the browser wants them."""
    return "" if value is None else value.isoformat() if isinstance(value, date) else str(value)


@register.filter
def undo_url(tags: str | None) -> str:
    """The address after "undo:" in the extra tags of a message; only ever a path of this site."""
    url = next((tag[5:] for tag in (tags or "").split() if tag.startswith("undo:")), "")
    return url if url.startswith("/") and not url.startswith("//") else ""


@register.filter
def dom_id(item: Any) -> str:
    """An id for a dialog: of the name of an action, else of its words."""
    return slugify(marks.part_of(item, "name") or marks.part_of(item, "label") or str(item))


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The current query string with some parameters changed; None removes one."""
    request = context.get("request")
    params = request.GET.copy() if request else QueryDict(mutable=True)
    for key, value in changes.items():
        if value is None:
            params.pop(key, None)
        else:
            params[key] = str(value)
    return f"?{params.urlencode()}" if params else "?"
