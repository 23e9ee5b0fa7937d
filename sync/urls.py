"""Addresses of sync's pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from sync.web import (
    alerts,
    deliveries,
    drift,
    drift_runs,
    exception_acts,
    exception_page,
    exceptions,
    map_versions,
    mapping_preview,
    mappings,
    record,
    rules,
    targets,
    value_maps,
)

app_name = "sync"
urlpatterns: list[URLPattern] = [
    # In place of the kernel's own tab: only we know what can be done about a target.
    path("records/<slug:type_path>/<uuid:uid>/sync/", record.tab, name="record"),
    path("targets/", targets.board, name="targets"),
    path("targets/<slug:code>/mapping/", mappings.fields, name="mapping"),
    path("targets/<slug:code>/mapping/field/", mappings.field, name="mapping-field"),
    path("targets/<slug:code>/mapping/preview/", mapping_preview.preview, name="mapping-preview"),
    path("targets/<slug:code>/mapping/values/", value_maps.values, name="mapping-values"),
    path("targets/<slug:code>/mapping/gaps/", value_maps.gaps, name="mapping-gaps"),
    path("targets/<slug:code>/mapping/versions/", map_versions.versions, name="mapping-versions"),
    path("targets/<slug:code>/mapping/versions/revert/", map_versions.revert, name="mapping-revert"),
    path("targets/<slug:code>/mapping/file.yaml", map_versions.file, name="mapping-file"),
    path("targets/<slug:code>/mapping/import/", map_versions.import_, name="mapping-import"),
    path("targets/<slug:code>/check/", targets.check, name="target-check"),
    path("targets/<slug:code>/pause/", targets.pause, name="target-pause"),
    path("targets/<slug:code>/resume/", targets.resume, name="target-resume"),
    path("targets/<slug:code>/push/", targets.push, name="target-push"),
    path("targets/<slug:code>/look/", record.look, name="target-look"),
    path("targets/<slug:code>/drift/", targets.look, name="target-drift"),
    path("deliveries/", deliveries.index, name="deliveries"),
    path("deliveries/again/", deliveries.replay_stopped, name="replay"),
    path("deliveries/<uuid:uid>/", deliveries.detail, name="delivery"),
    path("deliveries/<uuid:uid>/again/", deliveries.again, name="delivery-again"),
    path("exceptions/", exceptions.index, name="exceptions"),
    path("exceptions/export/", exceptions.export, name="exceptions-export"),
    path("exceptions/rules/", rules.index, name="rules"),
    path("exceptions/retry/", exception_acts.retry_many, name="exception-retry-many"),
    path("exceptions/decide/", exception_acts.decide, name="exceptions-decide"),
    path("exceptions/<uuid:uid>/", exception_page.detail, name="exception"),
    path("exceptions/<uuid:uid>/retry/", exception_acts.retry, name="exception-retry"),
    path("exceptions/<uuid:uid>/cancel/", exception_acts.cancel, name="exception-cancel"),
    path("exceptions/<uuid:uid>/close/", exception_acts.close, name="exception-close"),
    path("exceptions/<uuid:uid>/take/", exception_acts.take, name="exception-take"),
    path("exceptions/map/<slug:code>/", exception_acts.map_value, name="exception-map"),
    path("alerts/", alerts.index, name="alerts"),
    path("alerts/<uuid:uid>/acknowledge/", alerts.acknowledge, name="alert-acknowledge"),
    path("drift/", drift.index, name="drift"),
    path("drift/start/", drift.start, name="drift-start"),
    path("drift/decide/", drift.decide, name="findings-decide"),
    path("drift/<uuid:uid>/", drift_runs.run, name="drift-run"),
    path("drift/<uuid:uid>/report.csv", drift_runs.report, name="drift-report"),
    path("drift/<uuid:uid>/cancel/", drift_runs.cancel, name="drift-cancel"),
]
