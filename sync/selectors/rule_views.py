"""Reads the rules by which outcomes are understood, and who owns what they make."""

from __future__ import annotations

from typing import Any

from sync.models import ExceptionOwner, OutcomeRule


def as_json(rule: OutcomeRule) -> dict[str, Any]:
    """Needs a row with its target and its owners."""
    return {
        "name": rule.name,
        "active": rule.active,
        "position": rule.position,
        "target": rule.target.code if rule.target else None,
        "type": rule.type,
        "match": rule.match,
        "pattern": rule.pattern,
        "category": rule.category,
        "hint": rule.hint,
        "tries": rule.tries,
        "min_wait_s": rule.min_wait_s,
        "max_wait_s": rule.max_wait_s,
        "owners": [owner_as_json(owner) for owner in rule.owners.all()],
    }


def owner_as_json(owner: ExceptionOwner) -> dict[str, Any]:
    return {
        "legal_entity": owner.legal_entity,
        "type": owner.type,
        "role": owner.role,
        "person": owner.person.get_username() if owner.person else None,
        "sla_hours": owner.sla_hours,
    }
