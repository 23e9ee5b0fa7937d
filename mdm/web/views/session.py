"""Signing in and out. Guessing is slowed down per name and place; a lock is on record in the audit log."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from mdm.errors import NotAllowed
from mdm.permissions import ROLES, actor_of
from mdm.services import audit
from mdm.types import Actor
from mdm.web import kept_forms, memory, visitor
from mdm.web.page import Link, Page

MOST = 5  # wrong passwords for one name from one place
MOST_FOR_NAME = 50  # … from everywhere: slow enough for guessing, too many for locking somebody out by accident
PAUSE = 300  # seconds


class Login(LoginView):
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self._locked():
            return self.render_to_response(self.get_context_data(form=AuthenticationForm(request)), status=429)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        memory.forget(*self._keys())
        user = form.get_user()
        audit.record(action="session.opened", by=actor_of(user), object_type="person", object_label=user.get_username())
        response = super().form_valid(form)
        kept_forms.remember_person(response, user)
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        here, everywhere = (memory.count_up(key, PAUSE) for key in self._keys())
        if here == MOST or everywhere == MOST_FOR_NAME:
            audit.record(
                action="session.paused",
                by=Actor.system("Sign-in"),
                object_type="person",
                object_label=self._name()[:100],
                detail={"failures": max(here, everywhere)},
            )
        status = 429 if self._locked() else 422
        return self.render_to_response(self.get_context_data(form=form), status=status)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        locked = ""
        if self.request.method == "POST" and self._locked():
            locked = "Too many wrong passwords. Wait five minutes, then try again."
        return super().get_context_data(**kwargs, locked=locked, demo_users=demo_users())

    def _name(self) -> str:
        return self.request.POST.get("username", "").strip().lower()

    def _keys(self) -> tuple[str, str]:
        name = hashlib.sha256(self._name().encode()).hexdigest()[:32]
        place = self.request.META.get("REMOTE_ADDR", "")
        return f"login:{name}:{place}", f"login:{name}"

    def _locked(self) -> bool:
        here, everywhere = (memory.count(key) for key in self._keys())
        return here >= MOST or everywhere >= MOST_FOR_NAME


@login_not_required
def admin_door(request: HttpRequest) -> HttpResponse:
    """The admin has no sign-in of its own: the hub's, with its pause for guessing; 403 for people without that role."""
    if request.user.is_authenticated:
        refused = NotAllowed("These pages are for governance leads. One of them can give you that role.")
        return visitor.refusal(request, refused)
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


class Logout(LogoutView):
    http_method_names = ["post", "options"]


@visitor.page
def kept(request: HttpRequest) -> HttpResponse:
    """The form that was sent after the session had ended: sent on, or discarded."""
    found = kept_forms.of(request)
    if found is None or request.method == "POST":
        kept_forms.forget(request)
        return redirect("web:dashboard")
    page = Page(title="What you typed is kept", crumbs=[Link("Dashboard", reverse("web:dashboard")), Link("Kept", "")])
    context = {"page": page, "path": found.path, "fields": found.fields, "drop_url": reverse("web:kept")}
    return render(request, "web/kept.html", context)


def demo_users() -> list[dict[str, str]]:
    """Who can be signed in as, shown on the demo's sign-in page only; passwords stand where the demo printed them."""
    if settings.ENVIRONMENT != "demo":
        return []
    people = User.objects.filter(is_active=True, groups__name__in=ROLES).order_by("username")
    found = dict(people.values_list("username", "groups__name"))
    order = list(ROLES)
    return [
        {"username": name, "role": ROLES[role][0]}
        for name, role in sorted(found.items(), key=lambda pair: order.index(pair[1]))
    ]
