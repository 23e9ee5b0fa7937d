"""Addresses of sync's pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from sync.web import deliveries, drift, exceptions, targets

app_name = "sync"
urlpatterns: list[URLPattern] = [
    path("targets/", targets.board, name="targets"),
    path("targets/<slug:code>/check/", targets.check, name="target-check"),
    path("targets/<slug:code>/pause/", targets.pause, name="target-pause"),
    path("targets/<slug:code>/resume/", targets.resume, name="target-resume"),
    path("targets/<slug:code>/push/", targets.push, name="target-push"),
    path("targets/<slug:code>/drift/", targets.look, name="target-drift"),
    path("deliveries/", deliveries.index, name="deliveries"),
    path("deliveries/again/", deliveries.replay_stopped, name="replay"),
    path("deliveries/<uuid:uid>/", deliveries.detail, name="delivery"),
    path("deliveries/<uuid:uid>/again/", deliveries.again, name="delivery-again"),
    path("exceptions/", exceptions.index, name="exceptions"),
    path("exceptions/retry/", exceptions.retry_many, name="exception-retry-many"),
    path("exceptions/<uuid:uid>/retry/", exceptions.retry, name="exception-retry"),
    path("exceptions/<uuid:uid>/cancel/", exceptions.cancel, name="exception-cancel"),
    path("exceptions/<uuid:uid>/take/", exceptions.take, name="exception-take"),
    path("exceptions/map/<slug:code>/", exceptions.map_value, name="exception-map"),
    path("drift/", drift.index, name="drift"),
    path("drift/decide/", drift.decide, name="findings-decide"),
    path("drift/<uuid:uid>/", drift.run, name="drift-run"),
    path("drift/<uuid:uid>/cancel/", drift.cancel, name="drift-cancel"),
]
