"""Declares the supplier record type."""

from django.apps import AppConfig


class SuppliersConfig(AppConfig):
    name = "suppliers"

    def ready(self) -> None:
        from mdm import ports
        from suppliers import record_type
        from suppliers.demo import story

        record_type.declare()
        ports.demo_steps += [
            ports.DemoStep(order=30, title="Suppliers of three platforms", load=story.load_extracts),
            ports.DemoStep(order=40, title="Requests and judgements", load=story.load_requests),
        ]
