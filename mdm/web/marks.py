"""Small marks of a page as HTML, every text escaped: icons, states, times, people, ids, sources, rich text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from mdm.web import people, states, values

MONTH = 31 * 86400  # seconds; older than that, the date says more than the age


@cache
def sprite() -> str:
    """Where the drawings are; asked for a thousand times per page, and the same until the process ends."""
    return static("mdm/icons.svg")


def icon(name: str, size: str = "", tone: str = "", label: str = "") -> SafeString:
    """A drawing of the sprite. Without a label it is decoration and not read out."""
    if not name:
        return mark_safe("")
    css = "icon icon--s" if size == "s" else "icon"
    tone_part = format_html(' data-tone="{}"', tone) if tone else ""
    spoken = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html('<svg class="{}"{} {}><use href="{}#i-{}"/></svg>', css, tone_part, spoken, sprite(), name)


def pill(state: str, domain: str = "", label: str = "", outline: bool = False) -> SafeString:
    """The state of a page, loud: colour, icon and word."""
    look = states.look(state, domain)
    return _pill(look.tone, look.icon, label or look.label, outline=outline)


def _pill(tone: str, drawing: str, label: str, *, outline: bool = False, url: str = "") -> SafeString:
    css = "pill pill--outline" if outline else "pill"
    if url:
        return format_html(
            '<a class="{}" data-tone="{}" href="{}">{}{}</a>', css, tone or "grey", url, icon(drawing), label
        )
    return format_html('<span class="{}" data-tone="{}">{}{}</span>', css, tone or "grey", icon(drawing), label)


def badge(item: Any) -> SafeString:
    """A pill from a `Badge`: a state of a domain, or words with tone and icon of their own."""
    if not item:
        return mark_safe("")
    state, outline, url = part_of(item, "state"), bool(part_of(item, "outline")), part_of(item, "url")
    look = states.look(state, part_of(item, "domain")) if state else states.Look("grey", "", "")
    tone, drawing = part_of(item, "tone") or look.tone, part_of(item, "icon") or look.icon
    return _pill(tone, drawing, part_of(item, "label") or look.label, outline=outline, url=url)


def state(
    value: str, domain: str = "", label: str = "", loud: bool = False, dot: bool = False, quiet: bool = False
) -> SafeString:
    """The state inside a table or a line: loud only when a person is needed.

    `quiet`, for columns of many: the state that most rows are in is only a dot.
    """
    look = states.look(value, domain)
    dot = dot or (quiet and (domain, value) in states.USUAL)
    if not look.tone:
        return format_html('<span class="muted">{}</span>', label or look.label)
    mark = mark_safe('<span class="dot" aria-hidden="true"></span>') if dot else icon(look.icon)
    css = "state state--loud" if loud else "state"
    return format_html('<span class="{}" data-tone="{}">{}{}</span>', css, look.tone, mark, label or look.label)


def ago(when: datetime | None, prefix: str = "", short: bool = False) -> SafeString:
    """How long ago, in days up to a month; then the date. `prefix` are words before it."""
    if not when:
        return mark_safe("")
    local = timezone.localtime(when) if timezone.is_aware(when) else when
    seconds = (timezone.now() - when).total_seconds() if timezone.is_aware(when) else 0
    text = values.age(seconds, short) if abs(seconds) < MONTH else values.day(local)
    return _time(local, f"{prefix} {text}".strip())


def moment(when: datetime | None, exact: bool = False) -> SafeString:
    """The time of day; for another day the date as well. `exact` adds the seconds."""
    if not when:
        return mark_safe("")
    local = timezone.localtime(when) if timezone.is_aware(when) else when
    clock = f"{local:%H:%M:%S}" if exact else f"{local:%H:%M}"
    today = timezone.localdate()
    if local.date() == today:
        return _time(local, clock)
    day = f"{local.day} {local:%b}" if local.year == today.year else values.day(local)
    return _time(local, day if not exact else f"{day} {clock}")


def _time(local: datetime, text: str) -> SafeString:
    exact = f"{local:%Y-%m-%d %H:%M:%S} {local.tzname() or ''}".strip()
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, text)


def person(who: Any = None) -> SafeString:
    """A name with initials; the hub and its policies get a square mark."""
    name = people.name_of(who)
    if not people.is_person(who):
        mark = format_html('<span class="avatar avatar--system" aria-hidden="true">{}</span>', icon("gear"))
    else:
        mark = format_html('<span class="avatar" aria-hidden="true">{}</span>', people.initials(name))
    return format_html('<span class="person">{}{}</span>', mark, name)


def avatar(who: Any = None) -> SafeString:
    if not people.is_person(who):
        return format_html('<span class="avatar avatar--system" aria-hidden="true">{}</span>', icon("gear"))
    return format_html('<span class="avatar" aria-hidden="true">{}</span>', people.initials(people.name_of(who)))


def id_copy(value: Any, shown: str = "") -> SafeString:
    """An identifier that is copied by a click; long ones may be shown shortened."""
    if value in (None, ""):
        return mark_safe("")
    return format_html(
        '<button class="id id--copy" type="button" data-copy="{0}" title="Copy {0}">{1}{2}</button>',
        value, shown or value, icon("copy"),
    )  # fmt: skip


def source(item: Any) -> SafeString:
    """Who supplied a value: always two letters, the colour only helps."""
    if not item:
        return mark_safe("")
    return format_html(
        '<abbr class="src" data-src="{}" title="{}">{}</abbr>',
        part_of(item, "slot"),
        part_of(item, "title"),
        part_of(item, "mark"),
    )


def rich(text: Any) -> SafeString:
    """Text with links and strong words: a string, or strings and `Part`s; every piece is escaped."""
    if text is None or isinstance(text, str):
        return format_html("{}", text or "")
    if isinstance(text, list | tuple):
        return format_html_join("", "{}", ((_part(piece),) for piece in text))
    return _part(text)


def _part(piece: Any) -> SafeString:
    if isinstance(piece, str):
        return format_html("{}", piece)
    text, url = part_of(piece, "text"), part_of(piece, "url")
    mono = bool(part_of(piece, "mono"))
    if url:
        text = format_html('<a class="id" href="{}">{}</a>' if mono else '<a href="{}">{}</a>', url, text)
    elif mono:
        text = format_html('<span class="id">{}</span>', text)
    return format_html("<b>{}</b>", text) if part_of(piece, "strong") else format_html("{}", text)


def part_of(item: Any, key: str) -> Any:
    """An attribute of a dataclass or the same key of a dict, "" when it is not there."""
    if isinstance(item, Mapping):
        return item.get(key, "")
    return getattr(item, key, "")
