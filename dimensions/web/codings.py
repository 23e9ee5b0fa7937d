"""The page Check a coding: one line with what its codes stand for, the rules and the mapping that decided; many as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from dimensions.coding_rule import own_dimensions
from dimensions.models import DimensionValue
from dimensions.services import coding
from dimensions.web import coding_texts, coding_words
from dimensions.web.coding_texts import FIELDS, Typed, Unreadable
from mdm import registry
from mdm.models import System
from mdm.reading import exports
from mdm.selectors import search_records, visibility
from mdm.web import memory, visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Callout, Link, Page
from mdm.web.tables import Field, Option
from mdm.web.values import number

CHOICES, KEEP = 200, 60  # of a select at most; seconds they are kept
SHOWN = 200  # lines of a table that are drawn; the file has all of them
_ROWS = (
    ("system", "posting_date", "legal_entity"),
    ("gl_account", "cost_center", "project"),
    ("tax_code", "amount", "currency"),
    ("profit_center", "supplier"),
)
LABELS = {"system": "System that asks", "gl_account": "GL account", "amount": "Amount, net"}
HELP = {
    "system": "Its keys are understood, and its codes come out.",
    "gl_account": "Number in the chart that the group books in.",
    "profit_center": "Left empty, that of the cost center or project.",
}
HEADINGS = (
    "line",
    "valid",
    "errors",
    *FIELDS,
    "target_account",
    "target_chart",
    "sign",
    "target_tax_code",
    "tax_rate",
    "tax",
)


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    visitor.kind_at(request, "gl-accounts")
    own = own_dimensions()
    texts = {name: request.GET.get(name, "").strip()[:200] for name in ("system", *FIELDS, *own)}
    asked = any(texts.values())
    texts["posting_date"] = texts["posting_date"] or timezone.localdate().isoformat()
    typed = coding_texts.read(texts, own) if asked else Typed(texts, None, {})
    context: dict[str, Any] = {
        "page": _page(Action(label="Check a table", url=reverse("dimensions:codings-table"), icon="upload")),
        "rows": _fields(request, typed, own),
        "errors": [
            {"id": name, "text": f"{own.get(name) or _label(name)}: {words}"} for name, words in typed.errors.items()
        ],
    }
    if typed.line is not None:
        answer = coding.check([typed.line], system=texts["system"], entities=visitor.entities(request))
        context |= coding_words.shown(answer, texts["system"], own)
    context |= coding_words.findings()
    return render(request, "dimensions/codings.html", context)


@require_http_methods(["GET", "POST"])
@visitor.page
def table(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Many lines at once: pasted or as a file, answered as a table or as CSV."""
    visitor.kind_at(request, "gl-accounts")
    own = own_dimensions()
    texts = {name: request.POST.get(name, "").strip()[:200] for name in ("system", "legal_entity", "posting_date")}
    texts["posting_date"] = texts["posting_date"] or timezone.localdate().isoformat()
    typed = Typed(texts, None, {})
    context: dict[str, Any] = {
        "page": _page(Action(label="Check one line", url=reverse("dimensions:codings"), icon="eye"), many=True),
        "text": "", "most": coding_texts.MOST, "errors": [], "columns": ", ".join((*FIELDS, *own)),
        "fields": [_field(request, name, typed) for name in ("system", "legal_entity", "posting_date")],
    }  # fmt: skip
    status = 200
    if request.method == "POST":
        try:
            context["text"] = text = _text(request)
            lines = coding_texts.table(text, own, {n: t for n, t in texts.items() if n != "system" and t})
            done = coding_words.checked(lines, texts["system"], visitor.entities(request))
            if request.POST.get("action") == "export":
                return _export(done)
            context |= _results(done)
        except Unreadable as error:
            context["errors"], status = [{"id": "text", "text": str(error)}], 422
    return render(request, "dimensions/codings_table.html", context, status=status)


def _page(primary: Action, *, many: bool = False) -> Page:
    crumbs = [Link("Check a coding", reverse("dimensions:codings"))] if many else []
    note = "Many lines at once" if many else "What may be posted where, on which day, and what it becomes in a system"
    return Page(
        title="Check a table of codings" if many else "Check a coding", note=note, crumbs=crumbs, primary=primary
    )


def _text(request: HttpRequest) -> str:
    """What was pasted, else the file."""
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("text", "")
    if (file.size or 0) > coding_texts.MOST_BYTES:
        raise Unreadable("This file is larger than 2 MiB; check it in parts.")
    content = file.read()
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unreadable("This file is no text. Save the sheet as CSV.")


def _results(done: Sequence[coding_words.Outcome]) -> dict[str, Any]:
    wrong = sum(bool(one.errors) for one in done)
    title = f"{number(wrong)} of {plural(len(done), 'line')} may not be posted" if wrong else "All of it may be posted"
    body = f"The first {SHOWN} lines are shown; the file has all of them." if len(done) > SHOWN else ""
    outcome = Callout(title=title, tone="red" if wrong else "green", icon="alert" if wrong else "ok", body=body)
    return {"outcome": outcome, "table": coding_words.outcome_table(done[:SHOWN])}


def _export(done: Sequence[coding_words.Outcome]) -> StreamingHttpResponse:
    def rows() -> Iterator[list[Any]]:
        for place, one in enumerate(done, 1):
            yield [place, "yes" if not one.errors else "no", " · ".join(one.errors),
                   *(one.typed.texts.get(name, "") for name in FIELDS), *one.target]  # fmt: skip

    response = StreamingHttpResponse(exports.csv_chunks(HEADINGS, rows()), content_type=exports.CSV_TYPE)
    response["Content-Disposition"] = f'attachment; filename="codings-{timezone.localdate().isoformat()}.csv"'
    return response


# --- fields -----------------------------------------------------------------------------------------------------------


def _fields(request: HttpRequest, typed: Typed, own: Mapping[str, str]) -> list[list[Field]]:
    rows = [[_field(request, name, typed) for name in names] for names in _ROWS]
    return [*rows, [_own_field(code, title, typed) for code, title in own.items()]] if own else rows


def _own_field(code: str, title: str, typed: Typed) -> Field:
    return Field(
        name=code, label=title, value=typed.texts.get(code, ""), error=typed.errors.get(code, ""), optional=True,
        kind="combo", mono=True, options=[Option(value=c, label=w) for c, w in _own_choices(code)],
    )  # fmt: skip


def _own_choices(dimension: str) -> Sequence[tuple[str, str]]:
    """(value, name) of one of the group's own dimensions, which every company may use."""

    def read() -> Sequence[tuple[str, str]]:
        rows = DimensionValue.objects.filter(dimension=dimension).exclude(status__in=("retired", "merged"))
        return list(rows.order_by("value").values_list("value", "name")[:CHOICES])

    return memory.remember(f"own-values:{dimension}", KEEP, read)


def _label(name: str) -> str:
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def _field(request: HttpRequest, name: str, typed: Typed) -> Field:
    text = typed.texts.get(name, "")
    given: dict[str, Any] = {
        "name": name, "value": text, "error": typed.errors.get(name, ""), "help": HELP.get(name, ""),
        "label": _label(name),
        "optional": name not in ("system", "posting_date", "legal_entity", "gl_account"),
    }  # fmt: skip
    if name == "posting_date":
        return Field(**given, kind="date")
    if name == "system":
        choices = [("", "The hub itself"), *System.objects.order_by("title").values_list("code", "title")]
        return Field(**given, kind="select", options=[Option(value=c, label=w, selected=c == text) for c, w in choices])
    if name in ("amount", "currency"):
        return Field(**given)
    return Field(
        **given, kind="combo", mono=True, options=[Option(value=c, label=w) for c, w in _choices(request, name)]
    )


def _choices(request: HttpRequest, name: str) -> Sequence[tuple[str, str]]:
    """(code, name) of what may be meant; typed freely all the same, as the system may call it otherwise."""
    kind = registry.find(name)
    if kind is None or kind.key == "gl_account":
        return ()
    mine = visitor.entities(request)
    kept = f"refs:{name}:{visibility.kept_for(kind, mine)}"
    return memory.remember(kept, KEEP, lambda: search_records.choices_of(name, CHOICES, mine))
