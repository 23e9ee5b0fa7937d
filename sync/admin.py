"""Governance of sync in Django's admin: value maps here, targets and rules in modules of their own. The ledger is not here."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest

from mdm.admin import GovernanceAdmin
from mdm.errors import CorrectInput
from mdm.permissions import actor_of
from sync import admin_rules, admin_targets  # noqa: F401 - they register their pages
from sync.models import ValueMapRow
from sync.selectors.mapping_views import DROP, row_value
from sync.services import mappings


class ValueMapRowForm(forms.ModelForm):
    """Checked as every other door checks it."""

    class Meta:
        model = ValueMapRow
        fields = ("target", "table", "ours", "theirs", "default")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        row: dict[str, Any] = {name: given.get(name) or getattr(self.instance, name, None) for name in self.Meta.fields}
        if not self.errors and row["target"]:
            try:
                mappings.plan(
                    row["target"], {(row["table"], row["ours"]): row_value(row["theirs"], bool(given.get("default")))}
                )
            except CorrectInput as error:
                raise forms.ValidationError(error.message) from None
        return given


@admin.register(ValueMapRow)
class ValueMapRowAdmin(GovernanceAdmin):
    """A changed row is followed by deliveries of the records it changes, and of those that waited for it."""

    form = ValueMapRowForm

    list_display = ("target", "table", "ours", "theirs", "default", "updated_by", "updated_at")
    list_filter = ("target", "table")
    search_fields = ("ours", "theirs")
    fields = ("target", "table", "ours", "theirs", "default")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("target", "table", "ours") if obj else ()  # another value of ours is another row

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by = actor_of(cast(User, request.user))
        mappings.change(obj.target, {(obj.table, obj.ours): row_value(obj.theirs, obj.default)}, by=by)
        row = ValueMapRow.objects.get(target=obj.target, table=obj.table.strip(), ours=obj.ours.strip())
        obj.pk = row.pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete_queryset(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self._audit(request, "deleted", obj, [])
            mappings.change(obj.target, {(obj.table, obj.ours): DROP}, by=actor_of(cast(User, request.user)))
