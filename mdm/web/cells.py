"""One table cell as HTML. In Python: a list page draws a thousand of them, and a template per cell is slow."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from mdm.web import marks, values
from mdm.web.tables import Cell, Column

NOTHING = mark_safe('<span class="none"><span aria-hidden="true">–</span><span class="sr">empty</span></span>')
# These say by themselves what they are; in a stacked row they need no name of their column.
TELLING = frozenset({"id", "state", "badges", "person", "source", "title", "actions"})

Drawer = Callable[[Cell], SafeString]


def open_tag(cell: Cell, column: Column | None, head: bool) -> SafeString:
    """`<th scope="row">` for the cell that names the row, else `<td>`, with its column's name for narrow screens."""
    css = " ".join(_classes(cell, column))
    class_part = f' class="{css}"' if css else ""
    if head:
        return mark_safe(f'<th scope="row"{class_part}>')
    told = cell.kind not in TELLING if cell.label is None else cell.label
    named = column and column.label and not column.hidden_label and told
    label_part = f' data-label="{escape(column.label)}"' if named and column else ""
    return mark_safe(f"<td{label_part}{class_part}>")


def _classes(cell: Cell, column: Column | None) -> list[str]:
    css = []
    if column is not None:
        css += ["num"] * column.numeric + [f"col-{column.priority}"] * (column.priority > 0) + ["tight"] * column.tight
    css += ["id"] * (cell.kind in ("id", "mono")) + ["muted"] * cell.muted
    return css + ["cell-actions"] * (cell.kind == "actions")


def content(cell: Cell) -> SafeString:
    """The value by its kind, then the note and the second line."""
    body = DRAWERS.get(cell.kind, _plain)(cell)
    if cell.note and cell.kind not in ("state", "actions") and not values.is_empty(cell.value):
        body = format_html('{} <span class="muted">· {}</span>', body, cell.note)
    if cell.sub:
        body = format_html('{}<div class="table-sub">{}</div>', body, marks.rich(cell.sub))
    return body


def _plain(cell: Cell) -> SafeString:
    if values.is_empty(cell.value):
        return format_html('<span class="muted">{}</span>', cell.note) if cell.note else NOTHING
    text = escape(values.show(cell.value))
    return format_html('<a href="{}">{}</a>', cell.url, text) if cell.url else text


def _title(cell: Cell) -> SafeString:
    text = values.show(cell.value)
    if cell.url:
        name = format_html('<a class="table-name table-clip" href="{}">{}</a>', cell.url, text)
    else:
        name = format_html('<span class="table-name table-clip">{}</span>', text)
    return format_html('<span class="cell-title">{}{}</span>', name, _badges_of(cell))


def _badges_of(cell: Cell) -> SafeString:
    return format_html_join("", "{}", ((marks.badge(item),) for item in cell.badges))


def _badges(cell: Cell) -> SafeString:
    text = format_html('<span class="muted">{}</span>', values.show(cell.value)) if cell.value else ""
    return format_html('<span class="cluster">{}{}</span>', _badges_of(cell), text)


def _state(cell: Cell) -> SafeString:
    if not cell.value:
        return mark_safe("")
    drawn = marks.state(str(cell.value), cell.domain, label=cell.note, loud=cell.loud, quiet=True)
    return format_html('<a class="quiet-link" href="{}">{}</a>', cell.url, drawn) if cell.url else drawn


def _number(cell: Cell) -> SafeString:
    if cell.value is None:
        return NOTHING
    text = escape(values.number(cell.value) if isinstance(cell.value, int | float) else cell.value)
    return format_html('<a href="{}">{}</a>', cell.url, text) if cell.url else text


def _source(cell: Cell) -> SafeString:
    drawn = format_html_join("", "{}", ((marks.source(item),) for item in cell.sources))
    if cell.url:
        drawn = format_html(
            '<a class="fact-mark" href="{}" aria-label="Where this row comes from">{}</a>', cell.url, drawn
        )
    return format_html("{} {}", drawn, cell.value) if cell.value else drawn


def _differs(cell: Cell) -> SafeString:
    return format_html('<mark class="differs">{}</mark>', values.show(cell.value))


def _becomes(cell: Cell) -> SafeString:
    if not cell.value:
        return NOTHING
    lines = format_html_join(
        "",
        '<li><span class="becomes-what">{}</span><span>{} <span aria-hidden="true">→</span>'
        '<span class="sr"> becomes </span> <b>{}</b></span></li>',
        ((one.label, one.before, one.after) for one in cell.value),
    )
    return format_html('<ul class="becomes">{}</ul>', lines)


def _progress(cell: Cell) -> SafeString:
    return format_html(
        '<progress class="progress progress--s" max="100" value="{0}" aria-label="{1}">{0} %</progress>',
        cell.value, cell.note or "done",
    )  # fmt: skip


def _input(cell: Cell) -> SafeString:
    return format_html(
        '<input class="input input--s" name="{}" value="{}" aria-label="{}">', cell.url, cell.value, cell.note
    )


DRAWERS: dict[str, Drawer] = {
    "title": _title,
    "state": _state,
    "badges": _badges,
    "time": lambda cell: marks.ago(cell.value, short=True),
    "date": lambda cell: escape(values.day(cell.value)),
    "person": lambda cell: marks.person(cell.value),
    "number": _number,
    "source": _source,
    "rich": lambda cell: marks.rich(cell.value),
    "differs": _differs,
    "becomes": _becomes,
    "progress": _progress,
    "input": _input,
}
