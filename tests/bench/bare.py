"""The limit of a read: same server, same middleware, same authentication, and the very bytes the hub answered."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from pydantic_core import to_json
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from mdm.api.auth import TokenAuthentication

FOLDER = "MDM_BENCH_BODIES"


def answer(request: HttpRequest, name: str) -> HttpResponse:
    """Who asks is looked up as the API does it; everything else is what a view cannot do without."""
    try:
        found = TokenAuthentication().authenticate(Request(request))
    except AuthenticationFailed:
        found = None
    if found is None:
        return HttpResponse(status=401)
    return HttpResponse(_body(name), content_type="application/json")


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    """The limit of a call with a body: the JSON is read and written back."""
    if TokenAuthentication().authenticate(Request(request)) is None:
        return HttpResponse(status=401)
    return HttpResponse(to_json(json.loads(request.body)), content_type="application/json")


@lru_cache(maxsize=512)
def _body(name: str) -> bytes:
    return (Path(os.environ[FOLDER]) / name).read_bytes()
