"""Addresses of the dimensions' pages."""

from __future__ import annotations

from django.urls import path

from dimensions.web import mappings

app_name = "dimensions"
urlpatterns = [path("mappings/", mappings.index, name="mappings")]
