"""Two calls of the bench alone: a process forgets whatever codings keep in its memory, or reads all of it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from dimensions.models import GLMapping
from dimensions.services import coded_records, coding_rules, mappings


@csrf_exempt
def forget(request: HttpRequest) -> HttpResponse:
    mappings._KEPT = mappings._Kept()
    coding_rules._KEPT = coding_rules._Kept()
    coded_records._KEPT = coded_records._Kept()
    return HttpResponse(status=204)


@csrf_exempt
def remember(request: HttpRequest) -> HttpResponse:
    for source, target in GLMapping.objects.values_list("source_chart", "target_chart").distinct():
        mappings.compiled("gl_mapping", source, target)
    mappings.compiled("tax_code_mapping", "", "tool")
    return HttpResponse(status=204)
