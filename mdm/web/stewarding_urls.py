"""Pages of stewardship: duplicates, merging, imports, search, audit."""

from __future__ import annotations

from django.urls import URLPattern, path

from mdm.web.views import (
    audit,
    clusters,
    compare,
    duplicates,
    import_corrections,
    import_mapping,
    imports,
    merge,
    search,
)

urlpatterns: list[URLPattern] = [
    path("search/", search.find, name="search"),
    path("audit/", audit.log, name="audit"),
    path("duplicates/", duplicates.queue, name="duplicates"),
    path("duplicates/<uuid:uid>/", duplicates.pair, name="duplicate"),
    path("duplicates/<uuid:uid>/decide/", duplicates.decide, name="duplicate-decide"),
    path("duplicates/<uuid:uid>/undo/", duplicates.undo, name="duplicate-undo"),
    path("duplicates/<uuid:uid>/assign/", duplicates.assign, name="duplicate-assign"),
    path("records/<slug:type_path>/compare/", compare.compare, name="compare"),
    path("records/<slug:type_path>/<uuid:uid>/cluster/", clusters.cluster, name="cluster"),
    path("records/<slug:type_path>/<uuid:uid>/cluster/merge/", clusters.merge, name="cluster-merge"),
    path("records/<slug:type_path>/<uuid:uid>/cluster/judge/", clusters.judge, name="cluster-judge"),
    path("duplicates/<uuid:uid>/merge/", merge.merge, name="merge"),
    path("imports/", imports.index, name="imports"),
    path("imports/new/", imports.new, name="import-new"),
    path("imports/<uuid:uid>/", imports.detail, name="import"),
    path("imports/<uuid:uid>/progress/", imports.progress, name="import-progress"),
    path("imports/<uuid:uid>/cancel/", imports.cancel, name="import-cancel"),
    path("imports/<uuid:uid>/outcome.csv", imports.outcome, name="import-outcome"),
    path("imports/<uuid:uid>/map/", import_mapping.columns, name="import-map"),
    path("imports/<uuid:uid>/problems/", import_corrections.problems, name="import-problems"),
    path("imports/<uuid:uid>/problems/<uuid:row_uid>/", import_corrections.row, name="import-row"),
]
