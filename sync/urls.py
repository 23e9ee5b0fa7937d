"""Addresses of sync's pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from sync.web import (
    chain,
    dead_letters,
    deliveries,
    drift,
    drift_runs,
    exceptions,
    jobs,
    pushes,
    record,
    replays,
    targets,
)

app_name = "sync"
urlpatterns: list[URLPattern] = [
    # In place of the kernel's own tab: only we know what can be done about a target.
    path("records/<slug:type_path>/<uuid:uid>/sync/", record.tab, name="record"),
    path("targets/", targets.board, name="targets"),
    path("targets/<slug:code>/check/", targets.check, name="target-check"),
    path("targets/<slug:code>/pause/", targets.pause, name="target-pause"),
    path("targets/<slug:code>/resume/", targets.resume, name="target-resume"),
    path("targets/<slug:code>/push/", pushes.push, name="target-push"),
    path("targets/<slug:code>/look/", record.look, name="target-look"),
    path("targets/<slug:code>/drift/", targets.look, name="target-drift"),
    path("deliveries/", deliveries.index, name="deliveries"),
    path("dead-letters/replay/", replays.again, name="replay"),
    path("dead-letters/", dead_letters.index, name="dead-letters"),
    path("dead-letters/export.csv", dead_letters.export, name="dead-letters-export"),
    path("dead-letters/again/", dead_letters.again, name="dead-letters-again"),
    path("push-jobs/", jobs.index, name="jobs"),
    path("push-jobs/<uuid:uid>/", jobs.detail, name="job"),
    path("push-jobs/<uuid:uid>/rows.csv", jobs.export, name="job-export"),
    path("push-jobs/<uuid:uid>/approve/", jobs.approve, name="job-approve"),
    path("push-jobs/<uuid:uid>/refuse/", jobs.refuse, name="job-refuse"),
    path("push-jobs/<uuid:uid>/move/", jobs.move, name="job-move"),
    path("push-jobs/<uuid:uid>/repeat/", jobs.repeat, name="job-repeat"),
    path("correlation/<str:correlation_id>/", chain.show, name="chain"),
    path("deliveries/<uuid:uid>/", deliveries.detail, name="delivery"),
    path("deliveries/<uuid:uid>/again/", deliveries.again, name="delivery-again"),
    path("exceptions/", exceptions.index, name="exceptions"),
    path("exceptions/retry/", exceptions.retry_many, name="exception-retry-many"),
    path("exceptions/<uuid:uid>/retry/", exceptions.retry, name="exception-retry"),
    path("exceptions/<uuid:uid>/cancel/", exceptions.cancel, name="exception-cancel"),
    path("exceptions/<uuid:uid>/close/", exceptions.close, name="exception-close"),
    path("exceptions/<uuid:uid>/take/", exceptions.take, name="exception-take"),
    path("exceptions/map/<slug:code>/", exceptions.map_value, name="exception-map"),
    path("drift/", drift.index, name="drift"),
    path("drift/start/", drift.start, name="drift-start"),
    path("drift/decide/", drift.decide, name="findings-decide"),
    path("drift/<uuid:uid>/", drift_runs.run, name="drift-run"),
    path("drift/<uuid:uid>/report.csv", drift_runs.report, name="drift-report"),
    path("drift/<uuid:uid>/cancel/", drift_runs.cancel, name="drift-cancel"),
]
