"""Declares the dimension record types."""

from django.apps import AppConfig


class DimensionsConfig(AppConfig):
    name = "dimensions"

    def ready(self) -> None:
        from dimensions import demo, legal_entity, payment_term
        from mdm import ports

        legal_entity.declare()
        payment_term.declare()
        ports.demo_steps.append(ports.DemoStep(order=20, title="Companies and payment terms", load=demo.load))
