"""Template tags of the hub's pages: icons, states, time, people, safe display of values, query strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

from mdm.web import people, states, values

register = template.Library()
SPRITE = "mdm/icons.svg"
MINUTE, HOUR, DAY = 60, 3600, 86400


@register.simple_tag
def icon(name: str, size: str = "", tone: str = "", label: str = "") -> SafeString:
    """A drawing of the sprite. Without a label it is decoration and not read out."""
    if not name:
        return mark_safe("")
    css = "icon icon--s" if size == "s" else "icon"
    tone_part = format_html(' data-tone="{}"', tone) if tone else ""
    spoken = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="{}"{} {}><use href="{}#i-{}"/></svg>', css, tone_part, spoken, static(SPRITE), name
    )


@register.simple_tag
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


@register.simple_tag
def badge(item: Any) -> SafeString:
    """A pill from a `Badge`: a state of a domain, or words with tone and icon of their own."""
    if not item:
        return mark_safe("")
    state, outline, url = _of(item, "state"), bool(_of(item, "outline")), _of(item, "url")
    look = states.look(state, _of(item, "domain")) if state else states.Look("grey", "", "")
    tone, drawing = _of(item, "tone") or look.tone, _of(item, "icon") or look.icon
    return _pill(tone, drawing, _of(item, "label") or look.label, outline=outline, url=url)


@register.simple_tag
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


@register.filter
def tone_of(value: str, domain: str = "") -> str:
    return states.look(value, domain).tone


@register.filter
def icon_of(value: str, domain: str = "") -> str:
    return states.look(value, domain).icon


@register.filter
def label_of(value: str, domain: str = "") -> str:
    return states.look(value, domain).label


# --- time: relative in sight, exact on hover ---------------------------------------------------------------


def age(seconds: float, short: bool = False) -> str:
    """Words for how long ago; "in 3 days" for what lies ahead."""
    ahead, size = seconds < 0, abs(seconds)
    if size < MINUTE:
        return "now" if short else "just now"
    for unit, word, brief in ((DAY, "day", "d"), (HOUR, "hour", "h"), (MINUTE, "min", "min")):
        if size >= unit:
            count = int(size // unit)
            words = f"{count} {brief}" if short else f"{count} {word}{'s' * (count > 1 and word != 'min')}"
            return words if short else f"in {words}" if ahead else f"{words} ago"
    return ""


@register.simple_tag
def ago(when: datetime | None, prefix: str = "", short: bool = False) -> SafeString:
    """How long ago, in days up to a month; then the date. `prefix` are words before it."""
    if not when:
        return mark_safe("")
    local = timezone.localtime(when) if timezone.is_aware(when) else when
    seconds = (timezone.now() - when).total_seconds() if timezone.is_aware(when) else 0
    text = age(seconds, short) if abs(seconds) < 31 * DAY else values.day(local)
    return _time(local, f"{prefix} {text}".strip())


@register.simple_tag
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


# --- people, ids, sources ----------------------------------------------------------------------------------


@register.simple_tag
def person(who: Any = None) -> SafeString:
    """A name with initials; the hub and its policies get a square mark."""
    name = people.name_of(who)
    if not people.is_person(who):
        mark = format_html('<span class="avatar avatar--system" aria-hidden="true">{}</span>', icon("gear"))
    else:
        mark = format_html('<span class="avatar" aria-hidden="true">{}</span>', people.initials(name))
    return format_html('<span class="person">{}{}</span>', mark, name)


@register.simple_tag
def avatar(who: Any = None) -> SafeString:
    if not people.is_person(who):
        return format_html('<span class="avatar avatar--system" aria-hidden="true">{}</span>', icon("gear"))
    return format_html('<span class="avatar" aria-hidden="true">{}</span>', people.initials(people.name_of(who)))


@register.filter
def name(who: Any) -> str:
    return people.name_of(who)


@register.filter
def initials(who: Any) -> str:
    return people.initials(people.name_of(who))


@register.simple_tag
def id_copy(value: Any, shown: str = "") -> SafeString:
    """An identifier that is copied by a click; long ones may be shown shortened."""
    if value in (None, ""):
        return mark_safe("")
    return format_html(
        '<button class="id id--copy" type="button" data-copy="{0}" title="Copy {0}">{1}{2}</button>',
        value, shown or value, icon("copy"),
    )  # fmt: skip


@register.filter
def short_id(value: Any) -> str:
    """9f2c41…07e1: enough of a hash or uid to tell it from its neighbours."""
    text = str(value or "")
    return f"{text[:6]}…{text[-4:]}" if len(text) > 13 else text


@register.simple_tag
def source(item: Any) -> SafeString:
    """Who supplied a value: always two letters, the colour only helps."""
    if not item:
        return mark_safe("")
    return format_html(
        '<abbr class="src" data-src="{}" title="{}">{}</abbr>', _of(item, "slot"), _of(item, "title"), _of(item, "mark")
    )


# --- values ------------------------------------------------------------------------------------------------


@register.simple_tag
def rich(text: Any) -> SafeString:
    """Text with links and strong words: a string, or a list of strings and `Part`s; every piece is escaped."""
    if text is None or isinstance(text, str):
        return format_html("{}", text or "")
    if isinstance(text, list | tuple):
        return format_html_join("", "{}", ((_part(piece),) for piece in text))
    return _part(text)


def _part(piece: Any) -> SafeString:
    if isinstance(piece, str):
        return format_html("{}", piece)
    text, url = _of(piece, "text"), _of(piece, "url")
    if _of(piece, "mono"):
        text = format_html('<span class="id">{}</span>', text)
    if url:
        text = format_html('<a href="{}">{}</a>', url, text)
    return format_html("<b>{}</b>", text) if _of(piece, "strong") else format_html("{}", text)


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
    return slugify(_of(item, "name") or _of(item, "label") or str(item))


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The current query string with some parameters changed; None removes one."""
    request = context.get("request")
    params = request.GET.copy() if request else {}
    for key, value in changes.items():
        if value is None:
            params.pop(key, None)
        else:
            params[key] = str(value)
    return f"?{params.urlencode()}" if params else "?"


def _of(item: Any, key: str) -> Any:
    """An attribute of a dataclass or the same key of a dict, "" when it is not there."""
    if isinstance(item, Mapping):
        return item.get(key, "")
    return getattr(item, key, "")
