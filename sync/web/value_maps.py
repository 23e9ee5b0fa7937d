"""Value maps of a target: their rows, and the values of ours that have no counterpart there."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from mdm import registry
from mdm.errors import CorrectInput
from mdm.selectors import visibility
from mdm.selectors.visibility import Entities
from mdm.types import Problem
from mdm.web import visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Confirm, Empty, Notice, Tone
from mdm.web.tables import Cell, Column, Field, Option, Row, Table
from sync import platforms, value_maps
from sync.models import Target
from sync.selectors import mapping_views
from sync.selectors.mapping_views import DROP, MapUse
from sync.services import mappings
from sync.web import doors, forms, mapping_words
from sync.web.mappings import head

ROW_COLUMNS = (
    Column(label="Ours"),
    Column(label="Theirs"),
    Column(label="Says so", priority=1),
    Column(label="Actions", hidden_label=True, tight=True),
)
GAP_COLUMNS = (
    Column(label="Our value"),
    Column(label="Map"),
    Column(label="Records", numeric=True),
    Column(label="Counterpart", hidden_label=True),
)
TONES: dict[str, Tone] = {"error": "red", "warning": "amber", "note": "grey"}
MOST_FINDINGS = 20
FOLDED = 12  # rows beyond which a map lies closed
WHY_NOT = "This needs the role of a data steward or a governance lead."


@require_http_methods(["GET", "POST"])
@visitor.page
def values(request: HttpRequest, code: str) -> HttpResponse:
    """The maps; a post gives one value its counterpart or takes our row away."""
    doors.require_read(request)
    target = get_object_or_404(Target, code=code)
    here = reverse("sync:mapping-values", args=[code])
    if request.method == "POST":
        # From a row of another page, its `next`, there is no form of ours to say what is wrong.
        form = "" if request.POST.get("next") or request.POST.get("drop") else f"map-{request.POST.get('table', '')}"
        return doors.act(request, lambda: _save(request, target), here, form=form)
    maps = mapping_views.maps_of(target)
    context = head(request, target, f"Value maps of {target.title}", "values", note=version_words(target)) | {
        "maps": [_map(request, target, table, uses) for table, uses in sorted(maps.items())],
        "empty": Empty(
            title="No field looks into a value map", text="Values go to this platform as they are.", icon="mapping"
        ),
        "export_url": reverse("sync:mapping-file", args=[code]),
        "import_": _import_link(request, target),
    }
    return render(request, "sync/value_maps.html", context)


def version_words(target: Target) -> str:
    number = mapping_views.number_of(target)
    return f"Version {number}" if number else "As the connector's file says; nobody has changed it"


def _import_link(request: HttpRequest, target: Target) -> Action:
    url = reverse("sync:mapping-import", args=[target.code])
    allowed = doors.may_map(request)
    return Action(label="Import a file…", url=url, icon="upload", allowed=allowed, why_not="" if allowed else WHY_NOT)


def _save(request: HttpRequest, target: Target) -> str:
    form = request.POST
    table, ours = form.get("table", ""), form.get("ours", "")
    needed = ("ours",) if form.get("drop") else ("ours", "theirs")
    lacking = [Problem(name, "missing", "This field is needed.") for name in needed if not form.get(name, "").strip()]
    if lacking:
        raise CorrectInput("Give both our value and theirs.", problems=lacking)
    value = mapping_views.row_value(form.get("theirs", ""), bool(form.get("default")))
    wanted = {(table, ours): DROP if form.get("drop") else value}
    made = mappings.change(target, wanted, by=visitor.actor(request), note=form.get("reason", ""))
    return f"“{ours}” is changed: version {made.number}" if made else f"“{ours}” is so already"


def _map(request: HttpRequest, target: Target, table: str, uses: list[MapUse]) -> dict[str, Any]:
    defaults = platforms.mapping_of(target.connector, uses[0].type).value_maps.get(table, {})
    own = {name: value for (map_, name), value in mapping_views.state_of(target).items() if map_ == table}
    rows = [_row(request, target, table, ours, defaults, own) for ours in sorted({*defaults, *own})]
    known = _known(uses, visitor.entities(request))
    fields = [
        Field(
            name="ours", id=f"ours-{table}", label="Our value", kind="combo" if known else "text",
            options=[Option(value=value, label=label) for value, label in known],
        ),
        Field(name="theirs", id=f"theirs-{table}", label="Theirs"),
        Field(name="default", id=f"default-{table}", label="Read theirs back as this value", kind="checkbox", value="1"),
    ]  # fmt: skip
    form = {
        "url": reverse("sync:mapping-values", args=[target.code]),
        "table": table,
        **forms.drawn(request, f"map-{table}", fields),
    }
    columns = Table(caption=f"Map {table}", columns=ROW_COLUMNS, rows=rows, plain=True)
    codes = {value for value, _ in known}
    named = [code for ours in own if (code := value_maps.code_of(ours)) is not None]
    unknown = [code for code in named if known and code not in codes]
    return {
        "name": table,
        "used_by": "; ".join(f"{use.field} ← {use.path}" for use in uses),
        "rule": mapping_words.missing(uses[0].options).removeprefix("else "),
        "table": columns if rows else None,
        "folded": f"All {len(rows)} rows" if len(rows) > FOLDED else "",
        "form": form if doors.may_map(request) else None,
        "findings": [_finding(one) for one in mapping_views.findings_of(defaults, own)[:MOST_FINDINGS]],
        "unknown": f"No record of ours has {', '.join(unknown)}." if unknown else "",
    }


def _finding(one: value_maps.Finding) -> Notice:
    icon = "info" if one.severity == "note" else "alert"
    return Notice(title=f"{one.ours}: {one.message}", tone=TONES[one.severity], icon=icon)


def _row(request: HttpRequest, target: Target, table: str, ours: str, defaults: Any, own: dict[str, Any]) -> Row:
    where = "the connector's file"
    if ours in own:
        where = f"this target, instead of {defaults[ours]}" if ours in defaults else "this target"
    drop = Action(
        label="Take away", name=f"drop-{table}-{ours}", url=reverse("sync:mapping-values", args=[target.code]), method="post",
        fields={"table": table, "ours": ours, "drop": "1"}, allowed=doors.may_map(request), why_not=WHY_NOT,
        confirm=Confirm(
            title=f"Take the row of “{ours}” away?",
            body="What the connector's file says holds again." if ours in defaults else "The value has no counterpart then.",
            button="Take it away", reason_label="Why", reason_required=False,
        ),
    )  # fmt: skip
    theirs, default = mapping_views.of_row(own.get(ours, defaults.get(ours)))
    return Row(
        cells=[
            Cell(value=ours or "(empty)", kind="mono"),
            Cell(value="(nothing)" if theirs is None else str(theirs), kind="mono"),
            Cell(value=f"{where} · Read back" if default else where, muted=ours not in own),
            Cell(kind="actions", actions=[drop] if ours in own else []),
        ]
    )


def _known(uses: list[MapUse], entities: Entities) -> list[tuple[str, str]]:
    """Our codes, where the map is about records of a type of its own, such as payment terms."""
    for use in uses:
        kind, path = registry.get(use.type), use.path.split(" or ")[0].strip()
        name = path.rpartition(".")[2] or path
        about = {other.path.replace("-", "_"): other for other in registry.all_types()}
        other = about.get(name) or about.get(name + "s")
        if path == "code":
            other = kind
        if other and other.match is None:  # a short list of codes, never the suppliers
            rows = visibility.visible(other, other.model._default_manager.exclude(status="merged"), entities).order_by(
                "code"
            )
            return [(row.code, other.name_of({other.name_field: getattr(row, other.name_field)})) for row in rows[:500]]
    return []


# --- values without counterpart -----------------------------------------------------------------------------------


@require_GET
@visitor.page
def gaps(request: HttpRequest, code: str) -> HttpResponse:
    """What our records would look up and not find: work to do before the platform has to refuse it."""
    doors.require_read(request)
    target = get_object_or_404(Target, code=code)
    found = mapping_views.survey(target)
    seen = plural(found.looked_at, "record") + " looked at"
    seen += "" if found.complete else ", the newest first; there are more"
    url = reverse("sync:mapping-values", args=[code])
    here = reverse("sync:mapping-gaps", args=[code])
    rows = [
        {"table": table, "ours": value, "name": value_maps.row_for(value), "records": number, "url": url, "next": here}
        for (table, value), number in sorted(found.gaps.items(), key=lambda item: (-item[1], item[0]))
    ]
    context = head(request, target, f"Gaps at {target.title}", "gaps", note=seen) | {
        "gaps": rows[:200],
        "may_map": doors.may_map(request),
        "why_not": WHY_NOT,
        "empty": Empty(
            title="Every value in use has its counterpart",
            text="Nothing would be refused for want of a row.",
            icon="ok",
        ),
    }
    return render(request, "sync/mapping_gaps.html", context)
