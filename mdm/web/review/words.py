"""The words of requests: kinds, actions, origins, roles, and the small facts that stand in lists about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mdm.crypto import mask_tree
from mdm.models import ApprovalStep, ChangeRequest
from mdm.permissions import ROLES
from mdm.web.page import Notice, Tone

KINDS = {
    "create": ("Create", "plus"),
    "change": ("Change", "pencil"),
    "bank": ("Bank", "bank"),
    "block": ("Block or retire", "lock"),
    "merge": ("Merge", "duplicate"),
    "unmerge": ("Unmerge", "undo"),
    "load": ("Load", "upload"),
    "detach": ("Detach", "undo"),
    "sources": ("From sources", "drift"),
    "rules": ("Rules", "gear"),
}
ACTIONS = {
    "create": "created",
    "update": "changed",
    "block": "blocked",
    "unblock": "unblocked",
    "retire": "retired",
    "merge": "merged",
    "unmerge": "split again",
    "detach": "lost a source",
}
ORIGINS = {
    "web": "from the web",
    "api": "over the API",
    "import": "from an import",
    "survivorship": "from what the sources say",
    "merge": "from matching",
    "drift": "from drift",
    "system": "by the hub itself",
}
SEVERITIES: dict[str, tuple[str, Tone]] = {
    "high": ("High", "red"),
    "medium": ("Medium", "amber"),
    "low": ("Low", "grey"),
}
_ORDER = list(SEVERITIES)


def role_title(role: str) -> str:
    return ROLES[role][0] if role in ROLES else role.replace("_", " ").capitalize()


def kind_title(kind: str) -> str:
    return KINDS.get(kind, (kind.capitalize(), ""))[0]


def risks(change: ChangeRequest) -> list[Notice]:
    """The flags of a request, worst first, each with its evidence."""
    flags = sorted(mask_tree(change.risk_flags), key=lambda flag: _rank(flag["severity"]))
    return [
        Notice(
            title=flag["message"],
            evidence=flag.get("evidence") or "",
            tone=SEVERITIES.get(flag["severity"], ("", "amber"))[1],
            label=SEVERITIES.get(flag["severity"], (flag["severity"].capitalize(), ""))[0],
        )
        for flag in flags
    ]


def _rank(severity: str) -> int:
    return _ORDER.index(severity) if severity in _ORDER else len(_ORDER)


def risk_summary(change: ChangeRequest) -> str:
    counts = {name: sum(flag["severity"] == name for flag in change.risk_flags) for name in _ORDER}
    return " · ".join(f"{number} {name}" for name, number in counts.items() if number)


def worst(change: ChangeRequest) -> tuple[Tone, str]:
    """Tone and words of the worst flag, for lists; nothing when there is none."""
    severities = [flag["severity"] for flag in change.risk_flags]
    for name in _ORDER:
        if name in severities:
            return SEVERITIES[name][1], f"{SEVERITIES[name][0]} risk"
    return "", ""


def step_words(steps: Sequence[ApprovalStep]) -> str:
    """“step 1 of 3”, counted by what is done one after the other."""
    orders = sorted({step.order for step in steps})
    now = [step.order for step in steps if step.state == "open"]
    if not orders or not now:
        return ""
    return f"step {orders.index(min(now)) + 1} of {len(orders)}"


def requester(change: ChangeRequest) -> Any:
    return change.requester or change.requester_name
