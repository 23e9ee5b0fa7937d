"""Who must approve: policy rows are matched against what a request would change, and add up to ordered steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mdm import registry
from mdm.models import ApprovalPolicy, ChangeItem
from mdm.types import Change as PathChange
from mdm.types import Document, apply_changes


@dataclass(frozen=True)
class Facts:
    """What policies may ask about one item of a request."""

    type: str
    action: str
    paths: tuple[str, ...]
    origin: str
    system: str = ""
    countries: frozenset[str] = frozenset()
    legal_entities: frozenset[str] = frozenset()
    risk_flags: frozenset[str] = frozenset()


@dataclass
class Decision:
    """`steps`: {(order, role): (quorum, sla hours)}. Auto-approval only when a policy says so and none objects."""

    auto: bool = False
    steps: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    require_reason: bool = False


DEFAULT_STEP = ((1, "steward"), (1, 48))


def load() -> list[ApprovalPolicy]:
    """The active policies with their steps; two queries. Bulk work loads them once per chunk."""
    return list(ApprovalPolicy.objects.filter(active=True).prefetch_related("steps"))


def matches(policy: ApprovalPolicy, facts: Facts) -> bool:
    def any_of(wanted: Sequence[str], have: Iterable[str]) -> bool:
        return not wanted or not set(wanted).isdisjoint(have)

    return (
        any_of(policy.types, [facts.type])
        and any_of(policy.actions, [facts.action])
        and any_of(policy.origins, [facts.origin])
        and any_of(policy.systems, [facts.system])
        and any_of(policy.countries, facts.countries)
        and any_of(policy.legal_entities, facts.legal_entities)
        and any_of(policy.risk_flags, facts.risk_flags)
        and (not policy.paths or any(path.startswith(tuple(policy.paths)) for path in facts.paths))
    )


def decide(
    all_facts: Iterable[Facts], *, policies: list[ApprovalPolicy] | None = None, people: bool = False
) -> Decision:
    """Every item must be allowed for: one item that needs a person makes the request need one. `people`: it needs one
    whatever the policies say."""
    rules = load() if policies is None else policies
    decision = Decision()
    needs_person = people
    auto_everywhere = True
    for facts in all_facts:
        found = [policy for policy in rules if matches(policy, facts)]
        decision.names += [policy.name for policy in found if policy.name not in decision.names]
        decision.require_reason |= any(policy.require_reason for policy in found)
        asking = [policy for policy in found if not policy.auto_approve]
        needs_person |= bool(asking)
        auto_everywhere &= any(policy.auto_approve for policy in found) and not asking
        for policy in asking:
            for step in policy.steps.all():
                quorum, hours = decision.steps.get((step.order, step.role), (0, 10_000))
                decision.steps[step.order, step.role] = (max(quorum, step.quorum), min(hours, step.sla_hours))
    decision.auto = auto_everywhere and not needs_person
    if not decision.auto and not decision.steps:
        decision.steps[DEFAULT_STEP[0]] = DEFAULT_STEP[1]
    return decision


def facts_of(item: ChangeItem, *, origin: str, system: str, current: Document | None, flags: Iterable[str]) -> Facts:
    changes = [PathChange(**change) for change in item.changes]
    proposed = apply_changes(current or {}, changes)
    return Facts(
        type=item.type,
        action=item.action,
        paths=tuple(change.path for change in changes),
        origin=origin,
        system=system,
        countries=frozenset(filter(None, [proposed.get("country"), (current or {}).get("country")])),
        legal_entities=frozenset(_entities(item.type, changes, proposed)),
        risk_flags=frozenset(flags),
    )


def _entities(type_key: str, changes: list[PathChange], proposed: Document) -> Iterable[str]:
    touched = {tuple(change.path.split("/")[:2]) for change in changes if "/" in change.path}
    for child in registry.get(type_key).children:
        if child.entity_field:
            for row in proposed.get(child.name) or []:
                if (child.name, row.get("uid")) in touched and row.get(child.entity_field):
                    yield row[child.entity_field]


def steps_as_json(decision: Decision) -> list[dict[str, Any]]:
    return [
        {"order": order, "role": role, "quorum": quorum, "sla_hours": hours}
        for (order, role), (quorum, hours) in sorted(decision.steps.items())
    ]
