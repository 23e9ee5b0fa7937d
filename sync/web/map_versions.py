"""Versions of a target's own mapping: who changed which row when, the difference of two, and the file that carries one."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mdm.errors import CorrectInput, HubError
from mdm.web import browsing, visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Callout, Confirm, Empty
from mdm.web.tables import Cell, Column, Field, Row, Table
from sync.models import MappingVersion, Target
from sync.selectors import mapping_views
from sync.services import mappings
from sync.web import doors
from sync.web.mappings import head
from sync.web.value_maps import version_words

VERSION_COLUMNS = (
    Column(label="Version"),
    Column(label="Changed"),
    Column(label="By", priority=1),
    Column(label="When", priority=1),
    Column(label="Actions", hidden_label=True, tight=True),
)
CHANGE_COLUMNS = (Column(label="Row"), Column(label="Before"), Column(label="After"))


@require_GET
@visitor.page
def versions(request: HttpRequest, code: str) -> HttpResponse:
    doors.require_read(request)
    target = get_object_or_404(Target, code=code)
    part = browsing.cut(request, MappingVersion.objects.filter(target=target), order=("-number",), size=25)
    now = mapping_views.number_of(target)
    context = head(request, target, f"Mapping versions of {target.title}", "versions", note=version_words(target)) | {
        "table": Table(
            caption="Versions", columns=VERSION_COLUMNS, rows=[_version(request, target, row, now) for row in part.rows]
        )
        if part.rows
        else None,
        "pager": browsing.pager(request, part, "versions"),
        "empty": None
        if part.rows
        else Empty(
            title="Nobody has changed it yet",
            text="It is the mapping the connector came with. Every change of a field or a value makes a version here.",
            icon="history",
        ),
        **_between(request, target, now),
    }
    return render(request, "sync/mapping_versions.html", context)


def _version(request: HttpRequest, target: Target, row: MappingVersion, now: int) -> Row:
    names = Counter(change["map"] for change in row.changes)
    words = ", ".join(f"{count} in {table}" for table, count in names.items())
    back = doors.map_action(
        request, label="Go back to it", name=f"revert-{row.number}", url=reverse("sync:mapping-revert", args=[target.code]),
        fields={"number": str(row.number), "base": str(now)}, allowed=row.number != now, why_not="It is this one now.",
        confirm=Confirm(
            title=f"Go back to version {row.number}?",
            body="What was changed since is taken back, as a new version. Records that are sent otherwise then are sent again.",
            button="Go back",
        ),
    )  # fmt: skip
    differs = Action(
        label="What changed", name=f"diff-{row.number}",
        url=visitor.changed_query(request, **{"from": str(row.number - 1), "to": str(row.number)}),
    )  # fmt: skip
    since = Action(
        label="Against now", name=f"since-{row.number}",
        url=visitor.changed_query(request, **{"from": str(row.number), "to": str(now)}),
    )  # fmt: skip
    return Row(
        cells=[
            Cell(value=f"Version {row.number}", kind="title", sub=row.note),
            Cell(value=words),
            Cell(value=row.by, kind="person"),
            Cell(value=row.at, kind="time"),
            Cell(kind="actions", actions=[differs, since, back] if row.number != now else [differs]),
        ]
    )


def _between(request: HttpRequest, target: Target, now: int) -> dict[str, Any]:
    """The difference of the two versions asked for, or of the last one."""
    try:
        old, new = (int(request.GET.get(name, "")) for name in ("from", "to"))
    except ValueError:
        old, new = now - 1, now
    if not 0 <= old <= now or not 0 <= new <= now or old == new:
        return {}
    changes = mapping_views.difference(mapping_views.state_at(target, old), mapping_views.state_at(target, new))
    return {"between": f"From version {old} to {new}", "changes": changes_table(changes)}


def changes_table(changes: list[dict[str, Any]]) -> Table:
    rows: list[Row] = []
    table = ""
    for change in changes:
        if change["map"] != table:
            table = change["map"]
            rows.append(Row(cells=(), group=table.replace("_", " ")))
        before, after = mapping_views.shown(change["before"]), mapping_views.shown(change["after"])
        cells = [
            Cell(value=change["name"], kind="mono"),
            Cell(value=before or "no row of ours", kind="mono", muted=not before),
        ]
        rows.append(
            Row(cells=[*cells, Cell(value=after or "no row of ours", kind="differs" if after else "", muted=not after)])
        )
    return Table(caption="Changes", columns=CHANGE_COLUMNS, rows=rows, plain=True)


@require_POST
@visitor.page
def revert(request: HttpRequest, code: str) -> HttpResponse:
    target = get_object_or_404(Target, code=code)

    def do() -> str:
        try:
            number, base = int(request.POST.get("number", "")), int(request.POST.get("base", ""))
        except ValueError:
            raise CorrectInput("Name the version to go back to.") from None
        made = mappings.revert(target, number=number, by=visitor.actor(request), base=base)
        return f"As it was in version {number}, now version {made.number}" if made else "It is so already"

    return doors.act(request, do, reverse("sync:mapping-versions", args=[code]))


# --- as a file ----------------------------------------------------------------------------------------------------


@require_GET
@visitor.page
def file(request: HttpRequest, code: str) -> HttpResponse:
    doors.require_read(request)
    target = get_object_or_404(Target, code=code)
    name = f"mapping-{target.code}-{mapping_views.number_of(target)}.yaml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(mapping_views.to_file(target), content_type="application/yaml; charset=utf-8", headers=headers)


@require_http_methods(["GET", "POST"])
@visitor.page
def import_(request: HttpRequest, code: str) -> HttpResponse:
    """A file is shown as what it would change first, and taken by a second click."""
    doors.require_read(request)
    target = get_object_or_404(Target, code=code)
    mappings.require_map(visitor.actor(request))
    context: dict[str, Any] = {}
    if request.method == "POST":
        text = _text_of(request)
        if request.POST.get("go"):
            return doors.act(
                request, lambda: _take(request, target, text), reverse("sync:mapping-versions", args=[code])
            )
        context = _previewed(target, text)
    note = "Nothing changes before you have seen it"
    context |= head(request, target, f"Import a mapping for {target.title}", "values", note=note)
    context["upload"] = Field(name="file", label="File", kind="file", accept=".yaml,.yml,.json",
                              help="As exported here: YAML or JSON. Rows that it does not name are taken away.")  # fmt: skip
    context["url"] = request.path
    return render(request, "sync/mapping_import.html", context, status=422 if context.get("problem") else 200)


def _text_of(request: HttpRequest) -> str:
    upload = request.FILES.get("file")
    try:
        return upload.read(1_000_001).decode("utf-8-sig") if upload else request.POST.get("content", "")
    except UnicodeDecodeError:
        return "\0"  # no YAML: refused with the words of the reader


def _previewed(target: Target, text: str) -> dict[str, Any]:
    try:
        changes = mappings.plan(target, mappings.whole(target, mapping_views.from_file(target, text)))
    except HubError as error:
        words = "; ".join(f"{problem.path}: {problem.message}" for problem in error.problems[:20])
        return {"problem": Callout(title=error.message, body=words, tone="red", icon="alert")}
    gone = sum(1 for change in changes if mapping_views.shown(change["after"]) == "")
    return {
        "changes": changes_table(changes) if changes else None,
        "summary": f"{plural(len(changes), 'row')} would change, {gone} of them would be taken away",
        "content": text,
        "base": mapping_views.number_of(target),
    }


def _take(request: HttpRequest, target: Target, text: str) -> str:
    try:
        base = int(request.POST.get("base", ""))
    except ValueError:
        raise CorrectInput("Look at the file again before you take it.") from None
    wanted = mappings.whole(target, mapping_views.from_file(target, text))
    note = request.POST.get("note", "") or "Imported from a file."
    made = mappings.change(target, wanted, by=visitor.actor(request), note=note, base=base)
    return f"The mapping is version {made.number} now" if made else "The file says what holds already"
