"""Governance in Django's admin: what outcomes mean, who owns exceptions, whom alerts are told to, and freeze windows."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.contrib.postgres.forms import SimpleArrayField
from django.http import HttpRequest

from mdm import registry
from mdm.admin import GovernanceAdmin
from mdm.errors import CorrectInput, HubError
from mdm.permissions import ROLES, actor_of, scopes_of
from sync import hosts, patterns, signing
from sync.models import AlertRoute, ExceptionOwner, FreezeWindow, OutcomeRule
from sync.services import freezing

ANY = [("", "any")]


def _types() -> list[tuple[str, str]]:
    return [*ANY, *((kind.key, kind.title) for kind in registry.all_types())]


def _roles(scope: str) -> list[tuple[str, str]]:
    return [("", "nobody"), *((key, title) for key, (title, scopes) in ROLES.items() if scope in scopes)]


class RuleForm(forms.ModelForm):
    class Meta:
        model = OutcomeRule
        fields = (
            "name", "active", "position", "target", "type", "match", "pattern", "category", "hint", "tries", "min_wait_s",
            "max_wait_s",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["type"] = forms.ChoiceField(choices=_types, required=False)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        pattern = given.get("pattern", "")
        if pattern and not pattern.strip("* "):
            self.add_error("pattern", "Give some words: a pattern of stars would fit everything.")
        if pattern.count("*") > patterns.STARS:
            self.add_error("pattern", f"At most {patterns.STARS} stars.")
        if "*" in pattern and given.get("match") != "like":
            self.add_error("match", "A star stands for anything only where the words are like the pattern.")
        if given.get("category") == "self_healing" and not given.get("tries"):
            self.add_error("tries", "Say how many attempts there are before a steward is asked.")
        if (given.get("max_wait_s") or 0) < (given.get("min_wait_s") or 0):
            self.add_error("max_wait_s", "The longest wait is not shorter than the shortest.")
        if (given.get("tries") or 0) > 50:
            self.add_error("tries", "At most 50.")
        return given


class OwnerForm(forms.ModelForm):
    class Meta:
        model = ExceptionOwner
        fields = ("rule", "legal_entity", "type", "role", "person", "sla_hours")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["type"] = forms.ChoiceField(choices=_types, required=False)
        self.fields["role"] = forms.ChoiceField(choices=_roles("sync:operate"), required=False)
        able = [key for key, (_, scopes) in ROLES.items() if "sync:operate" in scopes]
        people = User.objects.filter(is_active=True, groups__name__in=able).distinct().order_by("username")
        self.fields["person"] = forms.ModelChoiceField(people, required=False)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not given.get("role") and not given.get("person"):
            self.add_error("role", "Name a role or a person.")
        return given


class OwnerInline(admin.TabularInline):
    model = ExceptionOwner
    form = OwnerForm
    fields = ("legal_entity", "type", "role", "person", "sla_hours")
    extra = 0

    def _may(self, request: HttpRequest, obj: Any = None) -> bool:
        return "admin" in scopes_of(request.user) or request.user.is_superuser

    has_view_permission = has_add_permission = has_change_permission = has_delete_permission = _may


@admin.register(OutcomeRule)
class OutcomeRuleAdmin(GovernanceAdmin):
    """Asked in this order whenever an outcome is recorded; the first that fits decides."""

    form = RuleForm
    inlines = (OwnerInline,)
    list_display = ("name", "position", "active", "target", "type", "match", "pattern", "category", "tries")
    list_filter = ("active", "category", "target", "type")
    search_fields = ("name", "pattern", "hint")


@admin.register(ExceptionOwner)
class ExceptionOwnerAdmin(GovernanceAdmin):
    """The most particular line holds: rule, then company, then record type."""

    form = OwnerForm
    list_display = ("__str__", "rule", "legal_entity", "type", "role", "person", "sla_hours")
    list_filter = ("role", "type")


class RouteForm(forms.ModelForm):
    """The secret of a webhook goes in and never comes out; a new route is offered one, to be copied before it is saved."""

    secret = forms.CharField(
        required=False,
        strip=True,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="whsec_… as the receiver has it. Empty: keep the one that is stored.",
    )
    url = forms.URLField(max_length=300, assume_scheme="https", required=False, label="Webhook address")

    class Meta:
        model = AlertRoute
        fields = ("target", "channel", "role", "address", "url", "secret", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"] = forms.ChoiceField(choices=_roles("sync:read"), required=False)
        if not self.instance.pk:
            self.fields["secret"].widget = forms.TextInput(attrs={"autocomplete": "off", "size": 60})
            self.fields["secret"].initial = signing.new_secret()
            self.fields["secret"].help_text = "Of a webhook: give it to the receiver now, it is not shown again."

    def clean_url(self) -> str:
        given = str(self.cleaned_data["url"])
        if given and not given.startswith(("https://", "http://")):
            raise forms.ValidationError("Give an address that begins with https://.")
        if given and (words := hosts.wrong_with(given, settings.PRIVATE_TARGETS)):
            raise forms.ValidationError(words)
        return given

    def clean_secret(self) -> str:
        given = str(self.cleaned_data["secret"])
        if given:
            try:
                signing.key_of(given)
            except signing.BadSecret as error:
                raise forms.ValidationError(str(error)) from None
        return given

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        webhook = given.get("channel") == "webhook"
        if webhook and not given.get("url"):
            self.add_error("url", "Give the address that alerts are posted to.")
        if webhook and (given.get("role") or given.get("address")):
            self.add_error("channel", "A webhook has an address of its own, no role and no e-mail address.")
        if webhook and not given.get("secret") and not self.instance.sealed_secret and "secret" not in self.errors:
            self.add_error("secret", "A webhook is signed: give the secret that its receiver has.")
        if not webhook and given.get("url"):
            self.add_error("url", "E-mail needs no webhook address.")
        if not webhook and not given.get("role") and not given.get("address"):
            self.add_error("role", "Name a role or an e-mail address.")
        return given


@admin.register(AlertRoute)
class AlertRouteAdmin(GovernanceAdmin):
    form = RouteForm
    list_display = ("__str__", "channel", "target", "active")
    list_filter = ("channel", "target", "active")

    def save_model(self, request: HttpRequest, obj: AlertRoute, form: Any, change: bool) -> None:
        secret = form.cleaned_data["secret"]
        if obj.channel != "webhook":
            obj.set_secret("")
        elif secret:
            obj.set_secret(secret)
        super().save_model(request, obj, form, change)


class FreezeForm(forms.ModelForm):
    entities = SimpleArrayField(
        forms.CharField(max_length=40),
        required=False,
        label="Legal entities",
        help_text="Codes with commas. Empty: all.",
    )

    class Meta:
        model = FreezeWindow
        fields = ("target", "type", "entities", "starts_at", "ends_at", "blocks_flow", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "type" in self.fields:
            self.fields["type"] = forms.ChoiceField(choices=_types, required=False)
            self.fields[
                "starts_at"
            ].help_text = "In UTC. A time that is past begins at once, which is in three seconds."

    def clean(self) -> dict[str, Any]:
        """What the service refuses stands at its field."""
        given = super().clean() or {}
        if not self.errors and not self.instance.pk:
            try:
                freezing.check(
                    given["target"],
                    type=given["type"],
                    starts_at=given["starts_at"],
                    ends_at=given["ends_at"],
                    reason=given["reason"],
                )
            except CorrectInput as error:
                for problem in error.problems:
                    self.add_error(problem.path, problem.message)
        return given


@admin.register(FreezeWindow)
class FreezeWindowAdmin(GovernanceAdmin):
    """Made here, lifted here; what was is kept, so nothing is changed or deleted."""

    form = FreezeForm
    list_display = ("target", "type", "entities", "starts_at", "ends_at", "reason", "made_by", "lifted_at")
    list_filter = ("target", "type")
    date_hierarchy = "starts_at"
    actions = ("lift",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        more = ("made_by", "made_at", "lifted_at", "lifted_by", "lift_reason") if obj else ()
        return (*FreezeForm.Meta.fields, *more)

    def save_model(self, request: HttpRequest, obj: FreezeWindow, form: Any, change: bool) -> None:
        given = form.cleaned_data
        made = freezing.open_window(
            given["target"],
            type=given["type"],
            entities=given["entities"],
            starts_at=given["starts_at"],
            ends_at=given["ends_at"],
            blocks_flow=given["blocks_flow"],
            reason=given["reason"],
            by=actor_of(cast(User, request.user)),
        )
        obj.pk, obj.uid, obj.starts_at = made.pk, made.uid, made.starts_at

    @admin.action(description="Lift the freeze now", permissions=["change"])
    def lift(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset.select_related("target"):
            try:
                freezing.lift(row, reason="Lifted in the admin.", by=actor_of(cast(User, request.user)))
            except HubError as error:
                messages.error(request, error.message)
            else:
                messages.success(request, f"{row.target.title} is sent to again; what waited goes out in order.")
