"""Dimensions of the group's own in Django's admin: declaring one and its first values proposes them, like every door does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from dimensions import admin_charts  # noqa: F401 - it registers its page
from dimensions.models import Dimension, DimensionValue
from mdm.admin import GovernanceAdmin
from mdm.errors import CorrectInput, HubError
from mdm.models import ChangeItem, ChangeRequest
from mdm.models.change import OPEN_STATES
from mdm.permissions import actor_of
from mdm.selectors import request_items
from mdm.services import changes, proposing
from mdm.services.proposing import ProposedItem

MOST = 500  # values of one request


class DimensionForm(forms.ModelForm):
    """What is asked for, as items of a request; checked as the hub checks every proposal, before anything is kept."""

    values = forms.CharField(
        label="Values",
        required=False,
        widget=forms.Textarea(attrs={"rows": 8, "class": "vLargeTextField"}),
        help_text=f"One a line, such as: NORTH Northern region. At most {MOST}; those that are there stay as they are.",
    )
    why = forms.CharField(
        label="Reason", widget=forms.Textarea(attrs={"rows": 2}), help_text="For whoever approves it."
    )

    class Meta:
        model = Dimension
        fields = ("code", "name", "description")

    def clean(self) -> dict[str, Any]:
        data = dict(super().clean() or {})
        if self.errors:
            return data
        if not self.items(data):
            self.add_error(None, "Nothing would change: give another name, or values that are not there yet.")
            return data
        try:
            proposing.build(self.items(data))
        except CorrectInput as error:
            several = len(self.items(data)) > 1
            for problem in error.problems:
                self._place(problem.path if several else f"items/0/{problem.path}", problem.message, data)
        except HubError as error:
            self.add_error(None, error.message)
        return data

    def _place(self, path: str, message: str, data: dict[str, Any]) -> None:
        """What is wrong at the field that has it; of a value with its line."""
        _, place, field = [*path.split("/", 2), "", ""][:3]
        item = self.items(data)[int(place)]
        if item.type == "dimension_value":
            self.add_error("values", f"{(item.patch or {})['value']}: {message}")
        else:
            self.add_error(field if field in self.fields else None, message)

    def items(self, data: dict[str, Any]) -> list[ProposedItem]:
        """The dimension itself where it is new or changed, and its new values."""
        me = {"name": data["name"], "description": data.get("description") or None}
        code = str(data.get("code") or self.instance.code)
        found = []
        if self.instance.pk is None:
            found.append(ProposedItem(type="dimension", action="create", patch=me, code=code))
        else:
            now = Dimension.objects.get(pk=self.instance.pk)
            if me != {"name": now.name, "description": now.description or None}:
                found.append(ProposedItem(type="dimension", uid=str(now.uid), patch=me))
        known = set(DimensionValue.objects.filter(dimension=code).values_list("value", flat=True))
        new = [(value, name) for value, name in _lines(data.get("values") or "") if value not in known]
        return [*found, *(_value(code, value, name) for value, name in new)]

    def clean_values(self) -> str:
        text = str(self.cleaned_data["values"])
        if len(list(_lines(text))) > MOST:
            raise forms.ValidationError(f"Give at most {MOST} values here; import a file for more.")
        return text


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """(value, name) of every line; without a name the value is one."""
    for line in text.splitlines():
        value, _, name = line.strip().partition(" ")
        if value:
            yield value, name.strip() or value


def _value(dimension: str, value: str, name: str) -> ProposedItem:
    patch = {"dimension": dimension, "value": value, "name": name}
    return ProposedItem(type="dimension_value", action="create", patch=patch)


admin.site.unregister(Dimension)  # the kernel shows every record type, read-only


@admin.register(Dimension)
class DimensionAdmin(GovernanceAdmin):
    """Saving here proposes; the record is written when the request is applied, and shows in the list then."""

    form = DimensionForm
    fields = ("code", "name", "description", "values", "why")
    list_display = ("code", "name", "status", "value_count", "waiting")
    list_filter = ("status",)
    search_fields = ("code", "name")
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dimension]:
        values = DimensionValue.objects.filter(dimension=OuterRef("code")).values("dimension")
        open_ = ChangeItem.objects.filter(type="dimension", uid=OuterRef("uid"), request__state__in=OPEN_STATES)
        return (
            super()
            .get_queryset(request)
            .annotate(
                value_count=Coalesce(Subquery(values.annotate(count=Count("pk")).values("count")), 0),
                open_request=Subquery(open_.order_by("-request").values("request")[:1]),
            )
        )

    @admin.display(description="values", ordering="value_count")
    def value_count(self, row: Any) -> str:
        return format_html('<a href="{}">{}</a>', reverse("dimensions:values", args=[row.code]), row.value_count)

    @admin.display(description="open request")
    def waiting(self, row: Any) -> str:
        if row.open_request is None:
            return "–"
        number = request_items.number_of(ChangeRequest(pk=row.open_request))
        return format_html('<a href="{}">CR-{}</a>', reverse("web:request", args=[number]), number)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Golden records are retired, with a request."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """What is asked for and not there yet stands above the list."""
        asked = ChangeItem.objects.filter(type="dimension", action="create", request__state__in=OPEN_STATES)
        for item in asked.select_related("request")[:20]:
            url = reverse("web:request", args=[request_items.number_of(item.request)])
            words = format_html('{} waits: <a href="{}">{}</a>.', item.label, url, item.request.number)
            messages.info(request, words)
        return super().changelist_view(request, extra_context)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """What the hub refuses after all becomes a message; nothing was saved."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except HubError as error:
            messages.error(request, error.message)
            return redirect("admin:dimensions_dimension_changelist")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by, data = actor_of(cast(User, request.user)), form.cleaned_data
        done = changes.propose(items=form.items(data), by=by, reason=data["why"])
        request._mdm_proposed = done  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any = None) -> Any:
        """Nothing was done yet; the request has audit entries of its own."""

    log_change = log_addition

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        return self._onward(request)

    def response_change(self, request: HttpRequest, obj: Any) -> Any:
        return self._onward(request)

    def _onward(self, request: HttpRequest) -> Any:
        done = request._mdm_proposed  # type: ignore[attr-defined]
        said = "Applied." if done.state == "applied" else "Proposed: it holds once it is approved."
        messages.success(request, said)
        return redirect("web:request", request_items.number_of(done))
