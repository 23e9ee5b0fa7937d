"""Pages of stewardship: duplicates, merging, imports, search, audit."""

from __future__ import annotations

from django.urls import URLPattern, path

from mdm.web.views import audit, duplicates, import_corrections, import_mapping, imports, matching, merge, search

urlpatterns: list[URLPattern] = [
    path("search/", search.find, name="search"),
    path("audit/", audit.log, name="audit"),
    path("duplicates/", duplicates.queue, name="duplicates"),
    path("duplicates/<uuid:uid>/", duplicates.pair, name="duplicate"),
    path("duplicates/<uuid:uid>/decide/", duplicates.decide, name="duplicate-decide"),
    path("duplicates/<uuid:uid>/undo/", duplicates.undo, name="duplicate-undo"),
    path("duplicates/<uuid:uid>/merge/", merge.merge, name="merge"),
    path("matching/", matching.index, name="matching"),
    path("matching/<slug:type_key>/propose/", matching.propose, name="matching-propose"),
    path("matching/<slug:type_key>/train/", matching.train, name="matching-train"),
    path("matching/<slug:type_key>/count/", matching.count, name="matching-count"),
    path("matching/<slug:type_key>/shipped/", matching.shipped, name="matching-shipped"),
    path("matching/versions/<uuid:uid>/", matching.show, name="match-model"),
    path("matching/versions/<uuid:uid>/flips.csv", matching.flips_csv, name="match-flips-csv"),
    path("matching/versions/<uuid:uid>/flips/<int:pk>/", matching.flip, name="match-flip"),
    path("matching/versions/<uuid:uid>/approve/", matching.approve, name="match-model-approve"),
    path("matching/versions/<uuid:uid>/reject/", matching.reject, name="match-model-reject"),
    path("matching/versions/<uuid:uid>/rehearse/", matching.rehearse, name="match-model-rehearse"),
    path("matching/versions/<uuid:uid>/restore/", matching.restore, name="match-model-restore"),
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
