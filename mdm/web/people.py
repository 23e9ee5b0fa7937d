"""How people are named on pages: full name, initials, and the role that says most about them."""

from __future__ import annotations

from typing import Any

from mdm import permissions

HUB = "The hub"


def name_of(who: Any) -> str:
    """The words for a person: a user, an actor, a name, or None for the hub itself."""
    if who is None or who == "":
        return HUB
    if isinstance(who, str):
        return who
    if hasattr(who, "get_full_name"):
        return str(who.get_full_name() or who.get_username())
    return str(getattr(who, "name", who))


def is_person(who: Any) -> bool:
    if who is None or who == "":
        return False
    return getattr(who, "kind", "person") != "system"


def initials(name: str) -> str:
    words = [word for word in name.replace(".", " ").replace("_", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


# Most telling first: someone in several groups is shown by the first that fits.
TELLING = (
    "treasury", "second_approver", "approver", "steward", "governance", "auditor", "operator", "integrator",
    "requester",
)  # fmt: skip


def role_of(user: Any) -> str:
    held = permissions.roles_of(user)
    return next((permissions.ROLES[role][0].lower() for role in TELLING if role in held), "")
