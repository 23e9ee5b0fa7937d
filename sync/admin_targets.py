"""Targets in Django's admin, with what they are subscribed to; their connections are tried, replaced and brought back here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from mdm import registry
from mdm.admin import GovernanceAdmin
from mdm.errors import HubError
from mdm.permissions import actor_of, scopes_of
from mdm.types import Actor
from sync import platforms
from sync.admin_target_form import CONNECTION, NAMES, TargetForm, users_of
from sync.errors import SyncError
from sync.models import Subscription, Target
from sync.models.target import SECRET_OPTIONS
from sync.services import connections


class SubscriptionForm(forms.ModelForm):
    class Meta:
        model = Subscription
        fields = ("target", "type", "filter", "creates", "from_seq", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "type" in self.fields:
            kinds = [(kind.key, kind.title) for kind in registry.all_types()]
            self.fields["type"] = forms.ChoiceField(choices=kinds)

    def clean_filter(self) -> dict[str, Any]:
        value = self.cleaned_data["filter"]
        plain = (str, int, float, bool)
        if not isinstance(value, dict) or not all(
            isinstance(item, plain)
            for wanted in value.values()
            for item in (wanted if isinstance(wanted, list) else [wanted])
        ):
            raise forms.ValidationError(
                'Give {"path": value} or {"path": [value, …]}, such as {"country": ["DE", "FR"]}.'
            )
        return value

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        target, type = given.get("target"), given.get("type")
        if target and type:
            try:
                platforms.mapping_of(target.connector, type)
            except SyncError as error:
                self.add_error("type", error.message)
        return given


class SubscriptionInline(admin.TabularInline):
    model = Subscription
    form = SubscriptionForm
    extra = 0

    def _may(self, request: HttpRequest, obj: Any = None) -> bool:
        return "admin" in scopes_of(request.user) or request.user.is_superuser

    has_view_permission = has_add_permission = has_change_permission = has_delete_permission = _may


@admin.register(Subscription)
class SubscriptionAdmin(GovernanceAdmin):
    form = SubscriptionForm
    list_display = ("target", "type", "filter", "creates", "active")
    list_filter = ("target", "type", "active")


@admin.register(Target)
class TargetAdmin(GovernanceAdmin):
    """Credentials are tried before the transaction that saves them: a target may take its time."""

    form = TargetForm
    change_form_template = "admin/sync/target/change_form.html"
    list_display = ("title", "connector", "active", "breaker", "checked_at", "check_ok", "age")
    list_filter = ("active", "connector")
    inlines = (SubscriptionInline,)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        used = [name for name in SECRET_OPTIONS if users_of(name) or (obj and name in obj.secret_options)]
        held = ["forget"] if obj and connections.stored_names(obj) else []
        kept = ["keep_h"] if obj else []
        return (
            (None, {"fields": ("code", "title", "connector", "system", "active")}),
            ("Connection", {"fields": ("base_url", "token_url", "client_id", "options", "timeout_s")}),
            (
                "Credentials",
                {
                    "fields": ("secret", "secret_expires_on"),
                    "description": "What is entered is tried first, and stored only when it works. Another server "
                    "(address or address for tokens) needs all of them entered again.",
                },
            ),
            ("Other credentials", {"fields": used, "classes": ("collapse",)}),
            (
                "When credentials are replaced" if obj else "If they do not work",
                {"fields": (*kept, *held, "use_anyway", "reason"), "classes": ("credentials-last",)},
            ),
            ("Pace", {"fields": ("rate_per_s", "burst", "concurrency", "daily_quota")}),
            (
                "Failures",
                {"fields": ("max_attempts", "max_age_h", "retry_scale", "max_inflight_s", "probe_every_s", "grace_s")},
            ),
            (
                "Restore",
                {"fields": ("generation",), "description": "Raise it by one after restoring the hub from a backup."},
            ),
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # its ledger is kept for ever: switch it off instead

    @admin.display(description="credentials")
    def age(self, target: Target) -> Any:
        if found := connections.warnings(target):
            return format_html("<strong>{}</strong>", found[0])
        return f"since {target.secret_set_at:%d %b %Y}" if target.secret_set_at else "–"

    # Saving

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.tried = getattr(request, "_connection_tried", None)
        return form

    @method_decorator(sensitive_post_parameters())
    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """What is refused while it is being saved becomes a message; nothing was saved."""
        try:
            if request.method == "POST":
                form = self._form(request, object_id)
                if form.is_valid() and form.replaces:
                    request._connection_tried = connections.try_out(form.instance)  # type: ignore[attr-defined]
            target = Target.objects.filter(pk=unquote(object_id)).first() if object_id else None
            shown = {"connection": _shown(target)} if target else {}
            return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **shown})
        except HubError as error:
            messages.error(request, error.message)
            return redirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Target, form: Any, change: bool) -> None:
        if form.replaces:
            connections.store(
                obj, form.stored, health=form.tried, keep_h=form.overlap_h, reason=form.cleaned_data["reason"],
                by=_by(request),
            )  # fmt: skip
            level = messages.SUCCESS if form.tried.ok else messages.WARNING
            messages.add_message(request, level, f"Credentials stored. {form.tried.message}")
        own = {field.name for field in Target._meta.concrete_fields}
        if change and (changed := own.intersection(form.changed_data)):
            obj.save(update_fields=changed)  # not what the engine moves meanwhile: breaker, pause, checks

    # Trying, going back

    def get_urls(self) -> list[URLPattern]:
        name = "sync_target_{}".format
        own = [
            path("try/", self._view(self.try_view), name=name("try_new")),
            path("<path:object_id>/try/", self._view(self.try_view), name=name("try")),
            path("<path:object_id>/go-back/", self._view(self.go_back_view), name=name("go_back")),
            path("<path:object_id>/wipe-previous/", self._view(self.wipe_view), name=name("wipe")),
        ]
        return [*own, *super().get_urls()]

    def _view(self, view: Any) -> Any:
        return require_POST(self.admin_site.admin_view(sensitive_post_parameters()(view)))

    def try_view(self, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """Try the form as it is typed, with what is stored where nothing is; saves nothing of it."""
        form = self._form(request, object_id)
        form.is_valid()
        wrong = [f"{form[name].label}: {' '.join(form.errors[name])}" for name in form.errors.keys() & CONNECTION]
        health = None if wrong else connections.check_typed(form.instance, form.stored, by=_by(request))
        told = health and _told(health.ok, health.message, health.pushable, health.missing)
        return render(request, "admin/sync/target/_tried.html", {"health": told, "wrong": sorted(wrong)})

    def go_back_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        target = self._target(request, object_id)

        def do() -> None:
            by = _by(request)
            back = connections.go_back(target, seen=request.POST.get("seen", ""), by=by)
            health = connections.check_typed(back, back, by=by)
            level = messages.SUCCESS if health.ok else messages.WARNING
            messages.add_message(request, level, f"The previous credentials are in use again. {health.message}")

        return self._act(request, target, do)

    def wipe_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        target = self._target(request, object_id)

        def do() -> None:
            connections.wipe_previous(target, by=_by(request))
            messages.success(request, "The previous credentials are wiped.")

        return self._act(request, target, do)

    def _act(self, request: HttpRequest, target: Target, do: Callable[[], None]) -> HttpResponse:
        try:
            do()
        except HubError as error:
            messages.error(request, error.message)
        return redirect(reverse("admin:sync_target_change", args=[target.pk]))

    def _target(self, request: HttpRequest, object_id: str) -> Target:
        target = get_object_or_404(Target, pk=unquote(object_id))
        if not self.has_change_permission(request, target):
            raise PermissionDenied
        return target

    def _form(self, request: HttpRequest, object_id: str | None) -> Any:
        target = self._target(request, object_id) if object_id else None
        if target is None and not self.has_add_permission(request):
            raise PermissionDenied
        return self.get_form(request, target, change=target is not None)(request.POST, instance=target)


def _shown(target: Target) -> dict[str, Any]:
    """What the page shows of a connection besides the form."""
    checked = target.check_ok is not None
    return {
        "target": target,
        "names": [NAMES.get(name, name) for name in connections.stored_names(target)],
        "warnings": connections.warnings(target),
        "both": platforms.signs_with_both(target.connector),
        "seen": connections.state_of(target),
        "health": _told(bool(target.check_ok), target.check_message, target.pushable, target.missing)
        if checked
        else None,
    }


def _told(ok: bool, message: str, pushable: dict[str, bool], missing: Iterable[str]) -> dict[str, Any]:
    parts = {part.replace("_", " ") or "the record itself": can for part, can in pushable.items()}
    return {
        "ok": ok,
        "message": message,
        "can": [part for part, can in parts.items() if can],
        "cannot": [part for part, can in parts.items() if not can],
        "missing": list(missing),
    }


def _by(request: HttpRequest) -> Actor:
    return actor_of(cast(User, request.user))
