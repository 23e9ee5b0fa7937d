"""Declares the dimension record types."""

from django.apps import AppConfig


class DimensionsConfig(AppConfig):
    name = "dimensions"

    def ready(self) -> None:
        from dimensions import (
            chart_of_accounts,
            coding_rule,
            cost_center,
            demo,
            gl_account,
            gl_mapping,
            legal_entity,
            payment_term,
            profit_center,
            project,
            tax_code,
            tax_code_mapping,
        )
        from mdm import ports

        for kind in (
            legal_entity, cost_center, profit_center, project, chart_of_accounts, gl_account, tax_code, payment_term,
            gl_mapping, tax_code_mapping, coding_rule,
        ):  # fmt: skip
            kind.declare()
        ports.demo_steps.append(
            ports.DemoStep(order=20, title="Companies, centers, accounts and terms", load=demo.load)
        )
