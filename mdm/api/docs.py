"""The contract for machines and people: the OpenAPI document, built once per process, and pages to read it with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer


@lru_cache(maxsize=1)
def openapi() -> bytes:
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    rendered: bytes = OpenApiJsonRenderer().render(document)
    return rendered


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    return HttpResponse(openapi(), content_type="application/json")


@require_safe
def pages(request: HttpRequest) -> HttpResponse:
    """Swagger UI, with nothing inline so that the strict content security policy holds."""
    return render(request, "api/docs.html", {"schema_url": reverse("api:schema")})
