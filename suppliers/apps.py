"""Declares the supplier record type."""

from django.apps import AppConfig


class SuppliersConfig(AppConfig):
    name = "suppliers"

    def ready(self) -> None:
        from suppliers import record_type

        record_type.declare()
