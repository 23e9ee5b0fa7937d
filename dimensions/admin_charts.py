"""Governance of dimensions in Django's admin: which chart of accounts is booked in, by whom and for which company."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin

from dimensions.models import ChartOfAccounts, ChartUse, LegalEntity
from mdm.admin import GovernanceAdmin
from mdm.models import System

_IN_USE = ("retired", "merged")


class ChartUseForm(forms.ModelForm):
    """Codes are chosen, not typed; what is held now stays choosable after it went out of use."""

    class Meta:
        model = ChartUse
        fields = ("system", "legal_entity", "chart")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        companies = LegalEntity.objects.exclude(status__in=_IN_USE).order_by("code")
        charts = ChartOfAccounts.objects.exclude(status__in=_IN_USE).order_by("code")
        self._choose("system", System.objects.order_by("code").values_list("code", "title"), "The hub itself")
        self._choose("legal_entity", companies.values_list("code", "name"), "Every company")
        self._choose("chart", charts.values_list("code", "name"), "")

    def _choose(self, name: str, rows: Any, nothing: str) -> None:
        listed = [(code, f"{code} · {words}") for code, words in rows]
        held = getattr(self.instance, name)
        if held and held not in dict(listed):
            listed.append((held, held))
        self.fields[name] = forms.ChoiceField(
            choices=[("", nothing or "Choose a chart"), *listed], required=name == "chart",
            label=self.fields[name].label,
        )  # fmt: skip


@admin.register(ChartUse)
class ChartUseAdmin(GovernanceAdmin):
    """Every call of `codings/validate` reads these rows: a change holds from the next one on."""

    form = ChartUseForm
    list_display = ("__str__", "system", "legal_entity", "chart")
    list_filter = ("system", "chart")
