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
            dimension,
            dimension_value,
            gl_account,
            gl_mapping,
            hierarchy,
            hierarchy_node,
            legal_entity,
            payment_term,
            profit_center,
            project,
            tasks,
            tax_code,
            tax_code_mapping,
        )
        from dimensions.demo import treasury
        from dimensions.mapping_rows import MAPPINGS
        from dimensions.services import asking
        from dimensions.web import gaps, rehearsals, values
        from mdm import ports

        for kind in (
            legal_entity, cost_center, profit_center, project, chart_of_accounts, gl_account, tax_code, payment_term,
            gl_mapping, tax_code_mapping, coding_rule, dimension, dimension_value, hierarchy, hierarchy_node,
        ):  # fmt: skip
            kind.declare()
        ports.rail.append(values.groups)
        ports.after_commit.append(values.forget)
        ports.beside_forms |= dict.fromkeys(MAPPINGS, "dimensions:mapping-row-typed")
        ports.request_panels.append(rehearsals.panels_of)
        ports.rounds.extend([asking.work, tasks.ring_files])
        ports.counts.append(gaps.counts)
        ports.demo_steps += (
            ports.DemoStep(order=20, title="Companies, centers, accounts and terms", load=demo.load),
            ports.DemoStep(order=25, title="Public data of the US Treasury", load=treasury.load),
        )
