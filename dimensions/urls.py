"""Addresses of the dimensions' pages."""

from __future__ import annotations

from django.urls import path

from dimensions.web import mappings, values

app_name = "dimensions"
urlpatterns = [
    path("mappings/", mappings.index, name="mappings"),
    path("dimensions/<path:code>/", values.of_dimension, name="values"),
]
