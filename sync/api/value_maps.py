"""A target's own mapping over REST: its rows, what would change, versions, and the way back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from mdm.api.operations import Answer, Page, PageQuery, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput
from sync import platforms
from sync.api import value_map_shapes as shapes
from sync.api.targets import find
from sync.models import MappingVersion, Target
from sync.selectors import mapping_views
from sync.selectors.mapping_views import DROP, FIELDS
from sync.services import mappings


def present(target: Target) -> dict[str, Any]:
    state = mapping_views.state_of(target)
    maps = []
    for table, uses in sorted(mapping_views.maps_of(target).items()):
        defaults = platforms.mapping_of(target.connector, uses[0].type).value_maps.get(table, {})
        own = {name: value for (map_, name), value in state.items() if map_ == table}
        rows = [
            {"ours": ours, "theirs": _text(theirs), "default": default, "own": ours in own}
            for ours, (theirs, default) in sorted(mapping_views.rows_of(defaults, own).items())
        ]
        used = [{"type": use.type, "field": use.field, "path": use.path} for use in uses]
        findings = [asdict(one) for one in mapping_views.findings_of(defaults, own)]
        maps.append({"map": table, "used_by": used, "rows": rows, "findings": findings})
    return {
        "target": target.code,
        "connector": target.connector,
        "version": mapping_views.number_of(target),
        "maps": maps,
        "file": mapping_views.to_file(target, state),
    }


def _text(value: Any) -> str | None:
    return None if value is None else ("true" if value else "false") if isinstance(value, bool) else str(value)


def version_as_json(row: MappingVersion) -> dict[str, Any]:
    shown = {"number": row.number, "at": row.at.isoformat(), "by": row.by, "note": row.note}
    return {**shown, "changes": mapping_views.as_json(row.changes)}


class ValueMaps(HubView):
    @operation(
        "Show a target's value maps",
        scope="sync:read",
        answers={200: shapes.ValueMapsBody},
        id="value_maps_show",
        notes="`rows` of the connector's file and of this target; `file` is what an export holds.",
    )
    def get(self, request: Request, code: str) -> Response:
        return Response(present(find(code)))

    @operation(
        "Change a target's value maps",
        scope="sync:read",
        body=shapes.ChangeValueMaps,
        answers={200: shapes.ValueMapsChanged},
        id="value_maps_change",
        notes="Rows, or a whole exported `file` whose missing rows are taken away. Needs the right to decide as a steward "
        "or to administer. Records that are sent otherwise then are queued again by themselves.",
    )
    def post(self, request: Request, code: str) -> Response:
        target, body = find(code), self.body
        mappings.require_map(self.actor)
        if (body.rows is None) == (body.file is None):
            raise CorrectInput("Give either rows or a file.")
        wanted: dict[Any, Any] = {}
        if body.file is not None:
            wanted = mappings.whole(target, mapping_views.from_file(target, body.file))
        for row in body.rows or []:
            if row.map.startswith(FIELDS):
                raise CorrectInput("Rules of fields are changed by a file.")
            value = DROP if row.theirs is None else mapping_views.row_value(row.theirs, row.default)
            wanted[(row.map, row.ours)] = value
        changes = mappings.plan(target, wanted)
        number = mapping_views.number_of(target)
        if not body.dry_run:
            made = mappings.change(target, wanted, by=self.actor, note=body.note, base=body.base_version)
            changes, number = (made.changes, made.number) if made else ([], number)
        shown = {"version": number, "dry_run": body.dry_run, "changes": mapping_views.as_json(changes)}
        return Response(shown)


class Versions(HubView):
    @operation(
        "List versions of a target's value maps",
        scope="sync:read",
        query=PageQuery,
        answers={200: Page[shapes.MappingVersionBody]},
        id="value_maps_versions",
    )
    def get(self, request: Request, code: str) -> Response:
        return self.page(MappingVersion.objects.filter(target=find(code)), present=version_as_json, order=("-number",))


class Revert(HubView):
    @operation(
        "Go back to a version of a target's value maps",
        scope="sync:read",
        body=shapes.RevertValueMaps,
        answers={200: Answer(shapes.ValueMapsChanged)},
        id="value_maps_revert",
        notes="Itself a new version; needs the right to decide as a steward or to administer.",
    )
    def post(self, request: Request, code: str) -> Response:
        target, body = find(code), self.body
        made = mappings.revert(target, number=body.version, by=self.actor, base=body.base_version)
        changes = mapping_views.as_json(made.changes) if made else []
        return Response({"version": mapping_views.number_of(target), "dry_run": False, "changes": changes})


class Gaps(HubView):
    @operation(
        "List values in use that have no counterpart at a target",
        scope="sync:read",
        answers={200: shapes.GapsBody},
        id="value_maps_gaps",
        notes="Looks through the records the target is subscribed to, newest first, for some seconds.",
    )
    def get(self, request: Request, code: str) -> Response:
        found = mapping_views.survey(find(code))
        rows = sorted(found.gaps.items(), key=lambda item: (-item[1], item[0]))
        gaps = [{"map": table, "ours": value, "records": number} for (table, value), number in rows]
        return Response({"looked_at": found.looked_at, "complete": found.complete, "gaps": gaps})
