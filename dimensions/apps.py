"""Declares the dimension record types."""

from django.apps import AppConfig


class DimensionsConfig(AppConfig):
    name = "dimensions"

    def ready(self) -> None:
        from dimensions import legal_entity, payment_term

        legal_entity.declare()
        payment_term.declare()
