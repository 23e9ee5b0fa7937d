"""The hub's addresses and, only here, the bare view that its reads are measured against."""

from django.urls import include, path

from tests.bench import bare, coding_kept

urlpatterns = [
    path("api/bench/echo/", bare.echo),
    path("api/bench/forget/", coding_kept.forget),
    path("api/bench/remember/", coding_kept.remember),
    path("api/bench/<slug:name>/", bare.answer),
    path("", include("mdm.urls")),
]
