"""Addresses of the reference services."""

from __future__ import annotations

from django.urls import path

from dimensions.api import translate

app_name = "dimensions-api"
urlpatterns = [path("translate/", translate.Translate.as_view(), name="translate")]
