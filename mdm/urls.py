"""Where everything is mounted. Doors only: what a URL does stands in the package it leads to."""

from django.contrib import admin
from django.urls import include, path, re_path

from mdm import health
from mdm.api.view import Unmatched
from mdm.web.views import session

urlpatterns = [
    path("healthz", health.live),
    path("readyz", health.ready),
    path("metrics", health.metrics),
    path("api/v1/", include("mdm.api.urls")),
    path("api/v1/", include("sync.api.urls")),
    path("api/v1/", include("dimensions.api.urls")),
    re_path(r"^api/", Unmatched.as_view()),
    path("admin/login/", session.admin_door),
    path("admin/", admin.site.urls),
    path("", include("sync.urls")),
    path("", include("dimensions.urls")),
    path("", include("mdm.web.urls")),
]
