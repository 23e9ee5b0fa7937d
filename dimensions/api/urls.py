"""Addresses of the reference services."""

from __future__ import annotations

from django.urls import path

from dimensions.api import codings, translate

app_name = "dimensions-api"
urlpatterns = [
    path("translate/", translate.Translate.as_view(), name="translate"),
    path("codings/validate/", codings.ValidateCodings.as_view(), name="codings-validate"),
]
