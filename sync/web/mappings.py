"""What a target's fields are made of, field by field, with the target's own rules."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import yaml
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from mdm import registry
from mdm.errors import CorrectInput, NotFound
from mdm.types import Problem
from mdm.web import visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Badge, Callout, Link, Page
from mdm.web.tables import Cell, Column, Field, Row, Table
from sync import flat, overrides, platforms
from sync.models import FieldRule, Target
from sync.payloads import Renderer, renderer
from sync.rules import Rule
from sync.selectors.mapping_views import DROP, FIELDS, rules_of
from sync.services import mappings
from sync.web import doors, forms, mapping_words

FIELD_COLUMNS = (
    Column(label="Field there"),
    Column(label="Made of"),
    Column(label="How", priority=1),
    Column(label="Limits", priority=2),
    Column(label="Written", priority=2, tight=True),
    Column(label="Actions", hidden_label=True, tight=True),
)


def types_of(target: Target) -> list[registry.RecordType]:
    """The record types the connector takes and this installation has."""
    if target.connector not in platforms.names():
        return []
    found = (registry.find(key) for key in platforms.connector_class(target.connector).types)
    return [kind for kind in found if kind]


def head(request: HttpRequest, target: Target, title: str, current: str, **more: Any) -> dict[str, Any]:
    """What all pages about a mapping show: title, crumbs, tabs."""
    crumbs = [Link("Targets", reverse("sync:targets")), Link(target.title, "")]
    here = reverse("sync:mapping", args=[target.code])
    tabs = [Link(kind.plural, f"{here}?type={kind.key}", current=current == kind.key) for kind in types_of(target)]
    for view, label in (
        ("values", "Value maps"),
        ("preview", "Try a record"),
        ("gaps", "Gaps"),
        ("versions", "Versions"),
    ):
        tabs.append(Link(label, reverse(f"sync:mapping-{view}", args=[target.code]), current=current == view))
    return {"page": Page(title=title, crumbs=crumbs, **more), "tabs": tabs}


@require_GET
@visitor.page
def fields(request: HttpRequest, code: str) -> HttpResponse:
    doors.require_read(request)
    target = get_object_or_404(Target, code=code)
    kinds = types_of(target)
    if not kinds:
        raise NotFound(
            f"{target.title} takes nothing from the hub: its connector “{target.connector}” is not installed."
        )
    kind = next((kind for kind in kinds if kind.key == request.GET.get("type")), kinds[0])
    render_ = renderer(target, kind.key)
    own = set(FieldRule.objects.filter(target=target, type=kind.key).values_list("field", flat=True))
    context = head(request, target, f"Mapping of {target.title}", kind.key, note=_note(render_, own)) | {
        "callouts": _callouts(request, target, render_),
        "table": Table(caption="Fields", columns=FIELD_COLUMNS, rows=_field_rows(request, kind, render_, own)),
    }
    return render(request, "sync/mapping.html", context)


def _note(render_: Renderer, own: set[str]) -> str:
    count = sum(len(rule.names) for rule, _ in rules_of(render_))
    return plural(count, "field") + (f", {len(own)} as this target says" if own else "")


def _callouts(request: HttpRequest, target: Target, render_: Renderer) -> list[Callout]:
    found = []
    cannot = [part or "the record itself" for part in render_.mapping.parts if not target.pushable.get(part, True)]
    if cannot:
        words = f"{', '.join(cannot)}. {target.check_message}"
        found.append(Callout(title="Not pushable here", body=words.strip(), tone="amber", icon="alert"))
    if note := str(render_.mapping.declared.get("note", "")):
        found.append(Callout(title="About this mapping", body=note))
    missing = [kind for kind in registry.all_types() if not platforms.takes(target.connector, kind.key)]
    for kind in missing:
        if why := platforms.why_not(target.connector, kind.key):
            found.append(Callout(title=f"Not pushable here: {kind.nouns}", body=why))
    others = [kind.nouns for kind in missing if not platforms.why_not(target.connector, kind.key)]
    if others:
        words = f"{target.title} has no documented way to write them, so the hub never tries."
        found.append(Callout(title=f"Not pushable here: {', '.join(others)}", body=words))
    return found


def _field_rows(request: HttpRequest, kind: registry.RecordType, render_: Renderer, own: set[str]) -> list[Row]:
    rows: list[Row] = []
    part = ""
    gone = [name for name in sorted(own) if name not in {name for rule, _ in rules_of(render_) for name in rule.names}]
    for rule, repeated in rules_of(render_):
        if (now := flat.part_of(rule.names[0])) != part:
            part = now
            note = mapping_words.rows(kind, repeated) if repeated else ""
            rows.append(Row(cells=(), group=part or "The record itself", group_note=note))
        rows.append(_field_row(request, kind, render_, rule, own))
    if gone:
        rows.append(Row(cells=(), group="Left out by this target"))
        rows += [Row(cells=_cells(name, badges=[OWN], change=_change(request, render_, name))) for name in gone]
    return rows


OWN = Badge(label="This target's own", tone="blue", icon="pencil")
CANNOT = Badge(label="Not pushable here", tone="amber", icon="no")


def _field_row(request: HttpRequest, kind: registry.RecordType, render_: Renderer, rule: Rule, own: set[str]) -> Row:
    can = render_.target.pushable.get(flat.part_of(rule.names[0]), True)
    badges = [badge for badge, on in ((OWN, own & set(rule.names)), (CANNOT, not can and not rule.derived)) if on]
    changeable = not rule.derived and not rule.split
    return Row(
        cells=_cells(
            rule.leaves[0],
            others=", ".join(rule.leaves[1:]),
            badges=badges,
            made_of=mapping_words.sources(kind, rule),
            how="sealed"
            if rule.sealed and not rule.steps
            else mapping_words.steps(rule) + ("; sealed" if rule.sealed else ""),
            limits=mapping_words.limits(rule),
            written=mapping_words.written(rule),
            change=_change(request, render_, rule.names[0]) if changeable else None,
        )
    )


def _cells(
    name: str,
    *,
    badges: list[Badge],
    others: str = "",  # fields of the same rule, when a value is cut over several
    made_of: str = "",
    how: str = "",
    limits: str = "",
    written: str = "",
    change: Action | None = None,
) -> list[Cell]:
    return [
        Cell(value=name, kind="title", badges=badges, sub=others),
        Cell(value=made_of or None),
        Cell(value=how or None, muted=True),
        Cell(value=limits or None, muted=True),
        Cell(value=written or None, muted=True),
        Cell(kind="actions", actions=[change] if change else []),
    ]


def _change(request: HttpRequest, render_: Renderer, name: str) -> Action | None:
    if not doors.may_map(request):
        return None
    url = reverse("sync:mapping-field", args=[render_.target.code])
    return Action(label="Change", url=f"{url}?type={render_.mapping.type}&field={name}", name=f"change-{name}")


@require_http_methods(["GET", "POST"])
@visitor.page
def field(request: HttpRequest, code: str) -> HttpResponse:
    """One field's own rule at this target: words of the mapping file, checked by its parser."""
    doors.require_read(request)
    target = get_object_or_404(Target, code=code)
    given = request.POST if request.method == "POST" else request.GET
    type_key, name = given.get("type", ""), given.get("field", "")
    if not platforms.takes(target.connector, type_key):
        raise NotFound(f"{target.title} takes no such records.")
    back = f"{reverse('sync:mapping', args=[code])}?type={type_key}"
    if request.method == "POST":
        here = f"{request.path}?{urlencode({'type': type_key, 'field': name})}"
        return doors.act(
            request, lambda: _save_field(request, target, type_key, name), here, lambda: back, form="field"
        )
    held = FieldRule.objects.filter(target=target, type=type_key, field=name).first()
    text = yaml.safe_dump(held.rule, allow_unicode=True, sort_keys=False) if held and held.rule else ""
    said = (
        "left out" if held and held.rule is None else "as this target says" if held else "as the connector's file says"
    )
    rule = Field(
        name="rule", label="What this target says otherwise", kind="textarea", value=text, mono=True, optional=True,
        help="Words of a mapping: from, const, transform, length, forbid, required, skip_empty, when. Empty: as the file says.",
        placeholder="from: trade_names[0]\nlength: 80",
    )  # fmt: skip
    leave = Field(name="leave_out", label="Leave the field out: never sent, never compared", kind="checkbox", value="1",
                  checked=bool(held and held.rule is None))  # fmt: skip
    context = head(request, target, f"{name} at {target.title}", type_key, note=f"Now {said}") | {
        "form": {
            "url": request.path,
            **forms.drawn(request, "field", [rule, leave, _note_field()]),
            "label": "Change the field",
        },
        "hidden": {"type": type_key, "field": name},
        "declared": yaml.safe_dump(_declared(target, type_key, name), allow_unicode=True, sort_keys=False).strip(),
        "cancel_url": back,
    }
    return render(request, "sync/mapping_field.html", context)


def _note_field() -> Field:
    return Field(name="note", label="Why", optional=True)


def _declared(target: Target, type_key: str, name: str) -> dict[str, Any]:
    """The field as the connector's file declares it."""
    mapping = platforms.mapping_of(target.connector, type_key)
    for place, found in overrides.declared_fields(mapping.declared):
        if found == name:
            return place
    raise NotFound("The mapping has no such field.")


def _save_field(request: HttpRequest, target: Target, type_key: str, name: str) -> str:
    text = request.POST.get("rule", "").strip()
    try:
        rule = yaml.safe_load(text) if text else DROP
    except yaml.YAMLError:
        raise _wrong("The rule is no YAML: one word, a colon and its value a line.") from None
    rule = None if request.POST.get("leave_out") else rule
    if rule is not DROP and rule is not None and not isinstance(rule, dict):
        raise _wrong("Give words of a mapping, such as “length: 80”.")
    by, note = visitor.actor(request), request.POST.get("note", "")
    try:
        made = mappings.change(target, {(FIELDS + type_key, name): rule}, by=by, note=note)
    except CorrectInput as error:
        raise _wrong(error.message) from None
    return f"{name}: version {made.number}" if made else f"{name} is so already"


def _wrong(words: str) -> CorrectInput:
    return CorrectInput(words, problems=[Problem("rule", "invalid_rule", words)])
