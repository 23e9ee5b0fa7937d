"""Every page of the web UI needs a signed-in person; the exceptions are named here."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from mdm.web import kept_forms

_OPEN = ("/login/", "/healthz", "/readyz", "/metrics", "/static/", "/api/", "/admin/login/")


class LoginRequiredMiddleware:
    """The API answers for itself (401 as problem+json); probes and static files are open."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated or request.path.startswith(_OPEN):
            return self.get_response(request)
        if request.headers.get("HX-Request"):
            # A fragment cannot show a login form in its place: the whole page goes there and comes back.
            response = HttpResponse(status=204)
            response["HX-Redirect"] = redirect_to_login(request.headers.get("HX-Current-URL", "/")).url
            return response
        if kept_forms.keep(request):
            return redirect_to_login(reverse("web:kept"))
        return redirect_to_login(request.get_full_path())
