"""Addresses of sync's API."""

from __future__ import annotations

from django.urls import path

from sync.api import alerts, deliveries, drift, exceptions, freezes, jobs, targets, value_maps

app_name = "sync-api"
urlpatterns = [
    path("targets/", targets.Targets.as_view(), name="targets"),
    path("targets/<str:code>/", targets.OneTarget.as_view(), name="target"),
    path("targets/<str:code>/value-maps/", value_maps.ValueMaps.as_view(), name="value-maps"),
    path("targets/<str:code>/value-maps/gaps/", value_maps.Gaps.as_view(), name="value-map-gaps"),
    path("targets/<str:code>/value-maps/versions/", value_maps.Versions.as_view(), name="value-map-versions"),
    path("targets/<str:code>/value-maps/revert/", value_maps.Revert.as_view(), name="value-map-revert"),
    path("targets/<str:code>/check/", targets.Check.as_view(), name="target-check"),
    path("targets/<str:code>/pause/", targets.Pause.as_view(), name="target-pause"),
    path("targets/<str:code>/resume/", targets.Resume.as_view(), name="target-resume"),
    path("targets/<str:code>/push/", targets.Push.as_view(), name="target-push"),
    path("targets/<str:code>/plan/", targets.Plan.as_view(), name="target-plan"),
    path("deliveries/", deliveries.Deliveries.as_view(), name="deliveries"),
    path("deliveries/replay/", deliveries.Replay.as_view(), name="deliveries-replay"),
    path("deliveries/<str:uid>/", deliveries.OneDelivery.as_view(), name="delivery"),
    path("deliveries/<str:uid>/release/", deliveries.Release.as_view(), name="delivery-release"),
    path("push-jobs/", jobs.Jobs.as_view(), name="push-jobs"),
    path("push-jobs/<str:uid>/", jobs.OneJob.as_view(), name="push-job"),
    path("push-jobs/<str:uid>/rows/", jobs.Rows.as_view(), name="push-job-rows"),
    path("push-jobs/<str:uid>/approve/", jobs.Approve.as_view(), name="push-job-approve"),
    path("push-jobs/<str:uid>/refuse/", jobs.Refuse.as_view(), name="push-job-refuse"),
    path("push-jobs/<str:uid>/pause/", jobs.Pause.as_view(), name="push-job-pause"),
    path("push-jobs/<str:uid>/resume/", jobs.Resume.as_view(), name="push-job-resume"),
    path("push-jobs/<str:uid>/cancel/", jobs.Cancel.as_view(), name="push-job-cancel"),
    path("push-jobs/<str:uid>/repeat/", jobs.Repeat.as_view(), name="push-job-repeat"),
    path("correlations/<str:correlation_id>/", jobs.Chain.as_view(), name="correlation"),
    path("exceptions/", exceptions.Exceptions.as_view(), name="exceptions"),
    path("exceptions/decide/", exceptions.Decide.as_view(), name="exceptions-decide"),
    path("exceptions/<str:uid>/", exceptions.OneException.as_view(), name="exception"),
    path("exceptions/<str:uid>/assign/", exceptions.Assign.as_view(), name="exception-assign"),
    path("exceptions/<str:uid>/retry/", exceptions.Retry.as_view(), name="exception-retry"),
    path("exceptions/<str:uid>/cancel/", exceptions.Cancel.as_view(), name="exception-cancel"),
    path("exceptions/<str:uid>/resolve/", exceptions.Resolve.as_view(), name="exception-resolve"),
    path("exception-rules/", exceptions.Rules.as_view(), name="exception-rules"),
    path("alerts/", alerts.Alerts.as_view(), name="alerts"),
    path("alerts/<str:uid>/", alerts.OneAlert.as_view(), name="alert"),
    path("alerts/<str:uid>/acknowledge/", alerts.Acknowledge.as_view(), name="alert-acknowledge"),
    path("freeze-windows/", freezes.Freezes.as_view(), name="freezes"),
    path("freeze-windows/<str:uid>/", freezes.OneFreeze.as_view(), name="freeze"),
    path("freeze-windows/<str:uid>/lift/", freezes.Lift.as_view(), name="freeze-lift"),
    path("drift-runs/", drift.DriftRuns.as_view(), name="drift-runs"),
    path("drift-runs/<str:uid>/", drift.OneDriftRun.as_view(), name="drift-run"),
    path("drift-runs/<str:uid>/cancel/", drift.CancelRun.as_view(), name="drift-run-cancel"),
    path("drift-findings/", drift.Findings.as_view(), name="drift-findings"),
    path("drift-findings/<str:uid>/", drift.OneFinding.as_view(), name="drift-finding"),
    path("drift-findings/<str:uid>/push/", drift.PushFinding.as_view(), name="drift-finding-push"),
    path("drift-findings/<str:uid>/adopt/", drift.AdoptFinding.as_view(), name="drift-finding-adopt"),
    path("drift-findings/<str:uid>/ignore/", drift.IgnoreFinding.as_view(), name="drift-finding-ignore"),
]
