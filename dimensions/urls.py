"""Addresses of the dimensions' pages."""

from __future__ import annotations

from django.urls import path

from dimensions.web import codings, mappings

app_name = "dimensions"
urlpatterns = [
    path("mappings/", mappings.index, name="mappings"),
    path("codings/", codings.index, name="codings"),
    path("codings/table/", codings.table, name="codings-table"),
]
