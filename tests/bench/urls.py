"""The hub's addresses and, only here, the bare view that its reads are measured against."""

from django.urls import include, path

from tests.bench import bare

urlpatterns = [
    path("api/bench/<slug:name>/", bare.answer),
    path("api/bench-echo/", bare.echo),
    path("", include("mdm.urls")),
]
