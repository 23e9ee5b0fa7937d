"""The limits of calls: same server, same middleware, same authentication; the very bytes the hub answered, or those sent."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from mdm.api.auth import TokenAuthentication

FOLDER = "MDM_BENCH_BODIES"


def answer(request: HttpRequest, name: str) -> HttpResponse:
    """Who asks is looked up as the API does it; everything else is what a view cannot do without."""
    if not _known(request):
        return HttpResponse(status=401)
    return HttpResponse(_body(name), content_type="application/json")


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    """Parses the JSON that was sent and writes it again."""
    if not _known(request):
        return HttpResponse(status=401)
    return HttpResponse(json.dumps(json.loads(request.body)), content_type="application/json")


def _known(request: HttpRequest) -> bool:
    try:
        return TokenAuthentication().authenticate(Request(request)) is not None
    except AuthenticationFailed:
        return False


@lru_cache(maxsize=512)
def _body(name: str) -> bytes:
    return (Path(os.environ[FOLDER]) / name).read_bytes()
