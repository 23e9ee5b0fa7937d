"""Which connection may change the schema: only `owner` migrates; everything else runs as the role that owns nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings


class OwnerMigrates:
    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        same = settings.DATABASES["default"]["USER"] == settings.DATABASES["owner"]["USER"]
        return True if same else db == "owner"

    def allow_relation(self, obj1: Any, obj2: Any, **hints: Any) -> bool | None:
        return True
