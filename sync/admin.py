"""Governance of sync in Django's admin: targets with write-only secrets, subscriptions, value maps. The ledger is not here."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.validators import URLValidator
from django.http import HttpRequest

from mdm import registry
from mdm.admin import GovernanceAdmin
from mdm.errors import CorrectInput
from mdm.permissions import actor_of, scopes_of
from sync import (
    admin_rules,  # noqa: F401 - registers its pages
    platforms,
)
from sync.errors import SyncError
from sync.models import Subscription, Target, ValueMapRow
from sync.models.target import SCHEMES
from sync.selectors.mapping_views import DROP
from sync.services import mappings


class AddressField(forms.URLField):
    default_validators = [URLValidator(schemes=SCHEMES)]


class TargetForm(forms.ModelForm):
    """The secret goes in and never comes out; leaving it empty keeps what is stored."""

    secret = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Stored sealed, shown to nobody. Empty: keep the one that is stored.",
    )

    base_url = AddressField(max_length=300, assume_scheme="https", label="Address")
    token_url = forms.URLField(max_length=300, assume_scheme="https", required=False, label="Address for tokens")

    class Meta:
        model = Target
        exclude = ("sealed_secret", "sealed_options")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "connector" in self.fields:
            self.fields["connector"] = forms.ChoiceField(choices=[(name, name) for name in platforms.names()])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for name in ("timeout_s", "rate_per_s", "burst", "concurrency", "max_attempts", "probe_every_s"):
            if name in given and given[name] is not None and given[name] <= 0:
                self.add_error(name, "Give a number above nought.")
        return given

    def save(self, commit: bool = True) -> Any:
        if plain := self.cleaned_data.get("secret"):
            self.instance.set_secret(plain)
        return super().save(commit=commit)


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


@admin.register(Target)
class TargetAdmin(GovernanceAdmin):
    form = TargetForm
    list_display = ("title", "code", "connector", "base_url", "active", "breaker", "checked_at", "check_ok")
    list_filter = ("active", "connector")
    inlines = (SubscriptionInline,)
    fieldsets = (
        (None, {"fields": ("code", "title", "connector", "system", "active")}),
        ("Connection", {"fields": ("base_url", "token_url", "client_id", "secret", "options", "timeout_s")}),
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


@admin.register(Subscription)
class SubscriptionAdmin(GovernanceAdmin):
    form = SubscriptionForm
    list_display = ("target", "type", "filter", "creates", "active")
    list_filter = ("target", "type", "active")


class ValueMapRowForm(forms.ModelForm):
    """Checked as every other door checks it."""

    class Meta:
        model = ValueMapRow
        fields = ("target", "table", "ours", "theirs")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        row: dict[str, Any] = {name: given.get(name) or getattr(self.instance, name, None) for name in self.Meta.fields}
        if not self.errors and row["target"]:
            try:
                mappings.plan(row["target"], {(row["table"], row["ours"]): row["theirs"]})
            except CorrectInput as error:
                raise forms.ValidationError(error.message) from None
        return given


@admin.register(ValueMapRow)
class ValueMapRowAdmin(GovernanceAdmin):
    """A changed row is followed by deliveries of the records it changes, and of those that waited for it."""

    form = ValueMapRowForm

    list_display = ("target", "table", "ours", "theirs", "updated_by", "updated_at")
    list_filter = ("target", "table")
    search_fields = ("ours", "theirs")
    fields = ("target", "table", "ours", "theirs")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("target", "table", "ours") if obj else ()  # another value of ours is another row

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by = actor_of(cast(User, request.user))
        mappings.change(obj.target, {(obj.table, obj.ours): obj.theirs}, by=by)
        row = ValueMapRow.objects.get(target=obj.target, table=obj.table.strip(), ours=obj.ours.strip())
        obj.pk = row.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self._audit(request, "deleted", obj, [])
            mappings.change(obj.target, {(obj.table, obj.ours): DROP}, by=actor_of(cast(User, request.user)))
