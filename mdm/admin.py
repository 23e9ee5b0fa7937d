"""Django admin for governance: policies, systems, mappings, survivorship, people. Golden data is read-only here."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest

from mdm import models, registry
from mdm.permissions import scopes_of
from mdm.services import audit
from mdm.types import Actor

admin.site.site_header = "Master Data Hub · governance"
admin.site.site_title = "Governance"
admin.site.index_title = "Rules, systems and people"


class GovernanceAdmin(admin.ModelAdmin):
    """Configuration: governance leads may change it, and every change is in the audit log."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return "admin" in scopes_of(request.user) or request.user.is_superuser

    def _may(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    has_view_permission = has_add_permission = has_change_permission = has_delete_permission = _may

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, "changed", obj, message)
        return super().log_change(request, obj, message)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._audit(request, "added", obj, message)
        return super().log_addition(request, obj, message)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self._audit(request, "deleted", obj, [])
        super().delete_queryset(request, queryset)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._audit(request, "deleted", obj, [])
        super().delete_model(request, obj)

    def _audit(self, request: HttpRequest, verb: str, obj: Any, message: Any) -> None:
        audit.record(
            action=f"configuration.{verb}",
            by=Actor.person(cast(User, request.user)),
            object_type=obj._meta.model_name,
            object_uid=obj.pk,
            object_label=str(obj),
            detail={"message": message},
        )


class ReadOnlyAdmin(GovernanceAdmin):
    """Data that only the write path changes: shown, never edited."""

    def _never(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission = has_delete_permission = _never


class PolicyStepInline(admin.TabularInline):
    model = models.PolicyStep
    extra = 0

    def _may(self, request: HttpRequest, obj: Any = None) -> bool:
        return "admin" in scopes_of(request.user)

    has_view_permission = has_add_permission = has_change_permission = has_delete_permission = _may


@admin.register(models.ApprovalPolicy)
class PolicyAdmin(GovernanceAdmin):
    list_display = ("name", "active", "auto_approve", "types", "actions", "paths", "origins")
    list_filter = ("active", "auto_approve")
    search_fields = ("name",)
    inlines = (PolicyStepInline,)


@admin.register(models.System)
class SystemAdmin(GovernanceAdmin):
    list_display = ("title", "code", "mark", "rank")
    ordering = ("rank",)


@admin.register(models.ColumnMapping)
class ColumnMappingAdmin(GovernanceAdmin):
    list_display = ("system", "type", "updated_by", "updated_at")


@admin.register(models.SurvivorshipRule)
class SurvivorshipRuleAdmin(GovernanceAdmin):
    list_display = ("type", "path", "order", "ranks")
    list_filter = ("type",)


@admin.register(models.EntityScope)
class EntityScopeAdmin(GovernanceAdmin):
    list_display = ("user", "legal_entity")
    list_filter = ("legal_entity",)


@admin.register(models.ApiToken)
class ApiTokenAdmin(GovernanceAdmin):
    """Tokens are made over the API, where they are shown once; here they are seen and revoked."""

    list_display = ("name", "owner", "prefix", "scopes", "expires_at", "revoked_at", "last_used_on")
    fields = ("name", "owner", "prefix", "scopes", "expires_at", "revoked_at")
    readonly_fields = ("name", "owner", "prefix", "scopes")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(models.ChangeRequest)
class ChangeRequestAdmin(ReadOnlyAdmin):
    list_display = ("number", "title", "kind", "state", "requester_name", "created_at")
    list_filter = ("state", "kind", "origin")
    search_fields = ("title", "correlation_id")


@admin.register(models.MatchModel)
class MatchModelAdmin(ReadOnlyAdmin):
    """Versions are proposed, rehearsed and signed on the page Match quality."""

    list_display = ("number", "type", "state", "origin", "created_by", "approved_by", "created_at")
    list_filter = ("type", "state", "origin")


@admin.register(models.MatchJob)
class MatchJobAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "type", "task", "state", "done", "total", "requested_by")
    list_filter = ("type", "task", "state")


@admin.register(models.AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor_name", "action", "object_label", "seq")
    list_filter = ("action",)
    search_fields = ("object_label", "object_uid", "correlation_id")


def register_golden() -> None:
    """Every record type and its children, read-only; called when all record types are declared."""
    for kind in registry.all_types():
        golden = type(
            f"{kind.model.__name__}Admin",
            (ReadOnlyAdmin,),
            {
                "list_display": ("code", kind.name_field, "status", "version", "updated_at"),
                "list_filter": ("status",),
                "search_fields": ("code", kind.name_field),
            },
        )
        if not admin.site.is_registered(kind.model):
            admin.site.register(kind.model, golden)


register_golden()
