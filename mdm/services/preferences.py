"""What a person chose for their pages: columns, saved views. Nothing here is about data, so nothing is audited."""

from __future__ import annotations

from typing import Any

from mdm.models import Preference


def of(*, user: Any, name: str) -> dict[str, Any]:
    found = Preference.objects.filter(user=user, name=name).values_list("value", flat=True).first()
    return found if isinstance(found, dict) else {}


def keep(*, user: Any, name: str, value: dict[str, Any]) -> None:
    Preference.objects.update_or_create(user=user, name=name, defaults={"value": value})
