"""Addresses of the API's kernel. Those of record types are derived: one set per registered type."""

from __future__ import annotations

from django.urls import URLPattern, path

from mdm import registry
from mdm.api import records
from mdm.registry import RecordType

app_name = "api"


def record_urls(kind: RecordType) -> list[URLPattern]:
    """Everything API.md gives a record type."""
    root, one = kind.path, f"{kind.path}/<str:uid>"
    urls = [
        path(f"{root}/", records.Records.as_view(kind=kind), name=f"{root}-list"),
        path(f"{one}/", records.Record.as_view(kind=kind), name=f"{root}-record"),
    ]
    for action in ("block", "unblock", "retire"):
        view = records.action_view(action)
        urls.append(path(f"{one}/{action}/", view.as_view(kind=kind), name=f"{root}-{action}"))
    return urls


urlpatterns = [url for kind in registry.all_types() for url in record_urls(kind)]
