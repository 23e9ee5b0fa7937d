"""Addresses of the dimensions' pages."""

from __future__ import annotations

from django.urls import path

from dimensions.web import codings, hierarchies, mappings, values

app_name = "dimensions"
urlpatterns = [
    path("mappings/", mappings.index, name="mappings"),
    path("hierarchies/", hierarchies.index, name="hierarchies"),
    path("hierarchies/<path:code>/compare/", hierarchies.compare, name="hierarchy-compare"),
    path("hierarchies/<path:code>/export/", hierarchies.export, name="hierarchy-export"),
    path("hierarchies/<path:code>/", hierarchies.tree, name="hierarchy"),
    path("dimensions/<path:code>/", values.of_dimension, name="values"),
    path("codings/", codings.index, name="codings"),
    path("codings/table/", codings.table, name="codings-table"),
]
