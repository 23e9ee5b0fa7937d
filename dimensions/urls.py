"""Addresses of the dimensions' pages."""

from __future__ import annotations

from django.urls import path

from dimensions.web import mappings, rehearsals, row_panel

app_name = "dimensions"
urlpatterns = [
    path("mappings/", mappings.index, name="mappings"),
    path("mappings/<slug:type_path>/typed/", row_panel.typed, name="mapping-row-typed"),
    path("mappings/requests/<int:number>/", rehearsals.panel, name="mapping-rehearsal"),
    path("mappings/requests/<int:number>/codes.csv", rehearsals.file, name="mapping-rehearsal-file"),
]
