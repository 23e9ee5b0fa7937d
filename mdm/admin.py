"""Django admin for governance: policies, systems, mappings, survivorship, people. Golden data is read-only here."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect

from mdm import models, registry
from mdm.errors import HubError
from mdm.permissions import ROLES, actor_of, entities_of, scopes_of
from mdm.registry import RecordType
from mdm.selectors import audit_log, request_items, visibility
from mdm.selectors.visibility import Entities
from mdm.services import audit, rule_changes, survivorship
from mdm.survival.rules import Rule
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


class ScopedAdmin(ReadOnlyAdmin):
    """Only what the person may see of it anywhere else."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        user = cast(User, request.user)
        return self.seen_by(super().get_queryset(request), actor_of(user), entities_of(user))

    def seen_by(self, rows: QuerySet[Any], by: Actor, entities: Entities) -> QuerySet[Any]:
        raise NotImplementedError


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
    """A system's rank is given once, when it is connected: later it would change records without a rehearsal."""

    list_display = ("title", "code", "mark", "rank")
    ordering = ("rank",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code", "rank") if obj else ()


@admin.register(models.ColumnMapping)
class ColumnMappingAdmin(GovernanceAdmin):
    list_display = ("system", "type", "updated_by", "updated_at")


class SurvivorshipRuleForm(forms.ModelForm):
    """One rule, checked together with the other rules of its type; what it asks for is proposed, not saved."""

    why = forms.CharField(label="Reason", widget=forms.Textarea(attrs={"rows": 2}), help_text="For whoever signs it.")

    class Meta:
        model = models.SurvivorshipRule
        fields = ("type", "path", "order", "ranks", "together", "keep_last")

    def clean(self) -> dict[str, Any]:
        data = dict(super().clean() or {})
        key = str(data.get("type") or self.instance.type)  # the type of a rule that is there stays as it is
        kind = registry.find(key)
        if kind is None or kind.key != key:
            self.add_error("type", f"Name a record type: {', '.join(k.key for k in registry.all_types())}.")
            return data
        ranks = data.get("ranks")
        if ranks is not None and not isinstance(ranks, dict):
            self.add_error("ranks", 'Give ranks as {"coupa": 1}.')
        if self.errors:
            return data
        for problem in rule_changes.check(kind, self.proposed(kind, data)):
            where, _, part = problem.path.partition("/")
            mine = where == (data.get("path") or "*") and part in self.fields
            self.add_error(part if mine else None, problem.message)
        return data

    def proposed(self, kind: registry.RecordType, data: dict[str, Any]) -> list[Rule]:
        """All rules of the type as they would be with this one in its place."""
        others = models.SurvivorshipRule.objects.filter(type=kind.key).exclude(pk=self.instance.pk)
        changed = models.SurvivorshipRule(
            type=kind.key,
            path=data.get("path") or "",
            order=data.get("order") or "",
            ranks=data.get("ranks") or {},
            together=data.get("together") or [],
            keep_last=bool(data.get("keep_last")),
        )
        return survivorship.rules_of([*others, changed])


@admin.register(models.SurvivorshipRule)
class SurvivorshipRuleAdmin(GovernanceAdmin):
    """Saving here proposes: the change is rehearsed on every record first, and signed by a second person."""

    form = SurvivorshipRuleForm
    list_display = ("type", "path", "order", "together", "ranks", "keep_last")
    list_filter = ("type",)
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("type",) if obj else ()

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """What the hub refuses becomes a message; nothing was saved."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except HubError as error:
            messages.error(request, error.message)
            return redirect("admin:mdm_survivorshiprule_changelist")

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().delete_view(request, *args, **kwargs)
        except HubError as error:
            messages.error(request, error.message)
            return redirect("admin:mdm_survivorshiprule_changelist")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        kind = registry.get(obj.type)
        self._propose(request, kind, form.proposed(kind, form.cleaned_data), form.cleaned_data["why"])

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        kind = registry.get(obj.type)
        left = survivorship.rules_of(models.SurvivorshipRule.objects.filter(type=obj.type).exclude(pk=obj.pk))
        self._propose(request, kind, left, f"The rule of {obj.path or 'every other field'} is taken away.")

    def _propose(self, request: HttpRequest, kind: registry.RecordType, rules: list[Rule], reason: str) -> None:
        row = rule_changes.propose(kind=kind, rules=rules, reason=reason, by=actor_of(cast(User, request.user)))
        request._mdm_proposed = row  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any = None) -> Any:
        """Nothing was done yet; the proposal has an audit entry of its own."""

    log_change = log_addition

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        return self._onward(request)

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        return self._onward(request)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> Any:
        return self._onward(request)

    def _onward(self, request: HttpRequest) -> Any:
        messages.success(request, "Proposed. It is being rehearsed on every record; then somebody else signs it.")
        return redirect("web:rule-change", request._mdm_proposed.uid)  # type: ignore[attr-defined]


@admin.register(models.EntityScope)
class EntityScopeAdmin(GovernanceAdmin):
    list_display = ("user", "legal_entity")
    list_filter = ("legal_entity",)


admin.site.unregister(Group)  # roles stand in mdm/permissions.py; who has which is said at the person
admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(GovernanceAdmin, UserAdmin):
    """People and their roles. Nobody changes their own, and nobody is deleted: history and audit name them for ever.

    The audit log says of every change which roles the person had before and has now.
    """

    list_display = ("username", "first_name", "last_name", "email", "roles", "is_active", "last_login")
    list_filter = ("groups", "is_active")
    filter_horizontal = ("groups",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Rights",
            {
                "fields": ("is_active", "groups"),
                "description": "Someone who left is made inactive. A role works from the person's next page on.",
            },
        ),
    )

    @admin.display(description="roles")
    def roles(self, person: User) -> str:
        return ", ".join(_roles(person))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A governance lead who could set a superuser's password would be one."""
        above = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not above and self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        own = obj is not None and obj.pk == request.user.pk
        return (*super().get_readonly_fields(request, obj), *(("is_active", "groups") if own else ()))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj._roles_before = _roles(User.objects.get(pk=obj.pk)) if change else []
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The governance role opens the admin; without it, it is closed."""
        super().save_related(request, form, formsets, change)
        person = form.instance
        person.is_staff = person.is_superuser or "governance" in _roles(User.objects.get(pk=person.pk))
        person.save(update_fields=["is_staff"])

    def _audit(self, request: HttpRequest, verb: str, obj: Any, message: Any) -> None:
        now = _roles(User.objects.get(pk=obj.pk))
        before = getattr(obj, "_roles_before", now)
        audit.record(
            action=f"person.{verb}",
            by=Actor.person(cast(User, request.user)),
            object_type="person",
            object_label=obj.get_username(),
            detail={"roles_before": before, "roles": now, "active": obj.is_active, "message": message},
        )


def _roles(person: User) -> list[str]:
    return sorted(group.name for group in person.groups.all() if group.name in ROLES)


@admin.register(models.ApiToken)
class ApiTokenAdmin(GovernanceAdmin):
    """Tokens are made over the API, where they are shown once; here they are seen and revoked."""

    list_display = ("name", "owner", "prefix", "scopes", "expires_at", "revoked_at", "last_used_on")
    fields = ("name", "owner", "prefix", "scopes", "expires_at", "revoked_at")
    readonly_fields = ("name", "owner", "prefix", "scopes")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(models.ChangeRequest)
class ChangeRequestAdmin(ScopedAdmin):
    list_display = ("number", "title", "kind", "state", "requester_name", "created_at")
    list_filter = ("state", "kind", "origin")
    search_fields = ("title", "correlation_id")

    def seen_by(self, rows: QuerySet[Any], by: Actor, entities: Entities) -> QuerySet[Any]:
        return rows.filter(pk__in=request_items.seen_by(by, entities).values("pk"))


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
class AuditEntryAdmin(ScopedAdmin):
    list_display = ("at", "actor_name", "action", "object_label", "seq")
    list_filter = ("action",)
    search_fields = ("object_label", "object_uid", "correlation_id")

    def seen_by(self, rows: QuerySet[Any], by: Actor, entities: Entities) -> QuerySet[Any]:
        return rows if entities is None else rows.filter(pk__in=audit_log.seen_by(by, entities).values("pk"))


class GoldenAdmin(ScopedAdmin):
    kind: RecordType

    def seen_by(self, rows: QuerySet[Any], by: Actor, entities: Entities) -> QuerySet[Any]:
        return visibility.visible(self.kind, rows, entities)


def register_golden() -> None:
    """Every record type and its children, read-only; called when all record types are declared."""
    for kind in registry.all_types():
        golden = type(
            f"{kind.model.__name__}Admin",
            (GoldenAdmin,),
            {
                "kind": kind,
                "list_display": ("code", kind.name_field, "status", "version", "updated_at"),
                "list_filter": ("status",),
                "search_fields": ("code", kind.name_field),
            },
        )
        if not admin.site.is_registered(kind.model):
            admin.site.register(kind.model, golden)


register_golden()
