"""Addresses of the dimensions' pages."""

from __future__ import annotations

from django.urls import path

from dimensions.web import (
    codings,
    gaps,
    hierarchies,
    mappings,
    matrix,
    rehearsals,
    round_trip,
    row_panel,
    tree_compare,
    values,
)

app_name = "dimensions"
urlpatterns = [
    path("mappings/", mappings.index, name="mappings"),
    path("hierarchies/", hierarchies.index, name="hierarchies"),
    path("hierarchies/<path:code>/compare/", tree_compare.compare, name="hierarchy-compare"),
    path("hierarchies/<path:code>/export/", hierarchies.export, name="hierarchy-export"),
    path("hierarchies/<path:code>/", hierarchies.tree, name="hierarchy"),
    path("dimensions/<path:code>/", values.of_dimension, name="values"),
    path("codings/", codings.index, name="codings"),
    path("codings/table/", codings.table, name="codings-table"),
    path("mappings/matrix/", matrix.index, name="mapping-matrix"),
    path("mappings/trace/", matrix.trace, name="mapping-trace"),
    path("mappings/rows/", round_trip.index, name="mapping-rows"),
    path("mappings/rows/export/", round_trip.export, name="mapping-rows-export"),
    path("mappings/rows/<uuid:uid>/", round_trip.show, name="mapping-file"),
    path("mappings/rows/<uuid:uid>/send/", round_trip.send, name="mapping-file-send"),
    path("mappings/rows/<uuid:uid>/progress/", round_trip.progress, name="mapping-file-progress"),
    path("mappings/rows/<uuid:uid>/<slug:what>.csv", round_trip.listed, name="mapping-file-list"),
    path("mappings/asked/propose/", gaps.propose, name="mapping-gaps-propose"),
    path("mappings/asked/dismiss/", gaps.dismiss, name="mapping-gaps-dismiss"),
    path("mappings/asked/undo/", gaps.undo, name="mapping-gaps-undo"),
    path("mappings/<slug:type_path>/typed/", row_panel.typed, name="mapping-row-typed"),
    path("mappings/requests/<int:number>/", rehearsals.panel, name="mapping-rehearsal"),
    path("mappings/requests/<int:number>/codes.csv", rehearsals.file, name="mapping-rehearsal-file"),
]
