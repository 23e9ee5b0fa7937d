"""Owns what is said of a request as a whole, from its items: the hash that approvals sign, risks, kind and title."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from mdm import registry
from mdm.models import ChangeItem
from mdm.services import retiring
from mdm.services.proposing import STATUS_AFTER, Built
from mdm.types import digest


def content_hash(items: Iterable[ChangeItem], effective_on: date | None) -> str:
    """What an approval signs: every item, path and value, and the date."""
    content = [[item.type, str(item.uid), item.action, item.base_version, item.changes, item.detail] for item in items]
    return digest({"items": content, "effective_on": effective_on.isoformat() if effective_on else None})


def risks(built: Iterable[Built]) -> list[dict[str, Any]]:
    """Flags of all items, each once."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for part in built:
        if flag := retiring.risk(part.item.detail.get("plan")):
            found.setdefault((flag["code"], str(part.item.uid)), flag)
        if part.item.action in ("create", "update"):
            for rule in registry.get(part.item.type).risks:
                for flag in rule(str(part.item.uid), part.before, part.after):
                    found.setdefault((flag["code"], flag.get("evidence", "")), flag)
    return list(found.values())


def kind_of(items: list[ChangeItem]) -> str:
    """The word the inbox sorts by: create, change, bank, block, merge …"""
    actions = {item.action for item in items}
    if actions & {"merge", "unmerge"}:
        return "merge" if "merge" in actions else "unmerge"
    if "detach" in actions:
        return "detach"
    if actions & {"create"}:
        return "create"
    if actions & {"block", "unblock", "retire"}:
        return "block"
    paths = [change["path"] for item in items for change in item.changes]
    return "bank" if any(path.startswith("bank_accounts") for path in paths) else "change"


def title_of(items: list[ChangeItem]) -> str:
    """The request in words: “Change bank account of ACME GmbH”."""
    first = items[0]
    kind = registry.get(first.type)
    if len(items) > 1 and first.detail.get("plan", {}).get("replace_with"):
        return f"Replace {first.label} by {first.detail['plan']['replace_with']}"
    if len(items) > 1 and first.action != "merge":
        return f"Change {len(items)} records"
    if first.action == "create":
        return f"Create {first.label}"
    if first.action == "merge":
        return f"Merge {len([i for i in items if i.action == 'merge'])} records of {first.label}"
    if first.action in STATUS_AFTER:
        return f"{first.action.capitalize()} {first.label}"
    names = list(dict.fromkeys(kind.label(change["path"].split("/")[0]).lower() for change in first.changes))
    words = " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more fields"
    return f"Change {words} of {first.label}"
