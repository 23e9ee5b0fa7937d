"""What every page knows about itself: the rail, the environment, and who is looking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from mdm import ports
from mdm.web import navigation, people

ENVIRONMENTS = {
    "demo": ("Demo data", "Invented and public sample data"),
    "test": ("Test", "Nothing here is real"),
    "production": ("", ""),
}
VIEWS = {
    "home": "web:dashboard",
    "search": "web:search",
    "inbox": "web:inbox",
    "login": "web:login",
    "logout": "web:logout",
    "api": "api:docs",
}
THEMES = ("light", "dark")
RAILS = ("wide", "icons")


@dataclass(frozen=True)
class Me:
    name: str
    initials: str
    role: str


@dataclass(frozen=True)
class Environment:
    name: str
    label: str
    title: str


@dataclass(frozen=True)
class Shell:
    navigation: tuple[navigation.RailGroup, ...]
    environment: Environment
    me: Me | None
    theme: str
    rail: str
    urls: Mapping[str, str]
    layout: str


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context processor. Lazy: an htmx fragment uses none of it and must not pay for the counts."""
    return {"shell": SimpleLazyObject(lambda: build(request))}


def build(request: HttpRequest) -> Shell:
    user = getattr(request, "user", None)
    signed_in = bool(user and user.is_authenticated)
    return Shell(
        navigation=navigation.rail(user, request.path, ports.nav_counts(user)) if signed_in else (),
        environment=environment(),
        me=_me(user) if signed_in else None,
        theme=_kept(request, "theme", THEMES),
        rail=_kept(request, "rail", RAILS),
        urls=urls(),
        layout="base.html" if signed_in else "bare.html",
    )


def environment() -> Environment:
    name = getattr(settings, "ENVIRONMENT", "production")
    label, title = ENVIRONMENTS.get(name, (name.capitalize(), f"Environment: {name}"))
    return Environment(name, label, title)


def urls() -> dict[str, str]:
    found = {}
    for key, view in VIEWS.items():
        try:
            found[key] = reverse(view)
        except NoReverseMatch:
            found[key] = ""
    return found


def _me(user: Any) -> Me:
    name = people.name_of(user)
    return Me(name, people.initials(name), people.role_of(user))


def _kept(request: HttpRequest, cookie: str, allowed: tuple[str, ...]) -> str:
    """Choices of the browser come as a cookie, so that the first byte is drawn right; others are ignored."""
    value = request.COOKIES.get(f"mdm_{cookie}", "")
    return value if value in allowed else ""
