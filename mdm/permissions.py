"""Roles and what each may do. A person's scopes are the union over their roles; tokens carry a subset of them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mdm import registry
from mdm.types import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

READ_ALL = "read:*"
PROPOSE_ALL = "propose:*"

DECLARES = (
    "propose:dimensions",
    "propose:dimension-values",
)  # a governance lead declares dimensions of the group's own
ROLES: dict[str, tuple[str, frozenset[str]]] = {
    "requester": ("Requester", frozenset({READ_ALL, PROPOSE_ALL})),
    "steward": (
        "Data steward",
        frozenset({READ_ALL, PROPOSE_ALL, "approve", "steward", "bank:warnings", "sync:read", "sync:operate"}),
    ),
    "lead_steward": (
        "Lead steward",
        frozenset(
            {
                READ_ALL,
                PROPOSE_ALL,
                "approve",
                "steward",
                "settle",
                "bank:warnings",
                "sync:read",
                "sync:operate",
                "sync:force",
            }
        ),
    ),
    "approver": ("Approver", frozenset({READ_ALL, PROPOSE_ALL, "approve", "sync:read"})),
    "second_approver": ("Second approver", frozenset({READ_ALL, PROPOSE_ALL, "approve", "sync:read"})),
    "treasury": ("Treasury", frozenset({READ_ALL, PROPOSE_ALL, "approve", "reveal", "bank:warnings", "sync:read"})),
    "integrator": ("Integrator", frozenset({READ_ALL, PROPOSE_ALL, "sync:read"})),
    "auditor": ("Auditor", frozenset({READ_ALL, "bank:warnings", "sync:read", "audit"})),
    "operator": ("Operator", frozenset({READ_ALL, "sync:read", "sync:operate"})),
    "governance": ("Governance lead", frozenset({READ_ALL, "sync:read", "audit", "admin", *DECLARES})),
}
APPROVAL_ROLES = ("steward", "approver", "second_approver", "treasury")
# Who may take a step of a role: an approver may stand in for a steward, nobody stands in for treasury.
STANDS_IN: dict[str, frozenset[str]] = {
    "steward": frozenset({"steward", "lead_steward", "approver", "second_approver"}),
    "approver": frozenset({"approver", "second_approver"}),
    "second_approver": frozenset({"second_approver"}),
    "treasury": frozenset({"treasury"}),
}


def may_take(step_role: str, roles: frozenset[str]) -> bool:
    return not STANDS_IN.get(step_role, frozenset({step_role})).isdisjoint(roles)


def roles_of(user: Any) -> frozenset[str]:
    """Names of the person's roles; read once per request object."""
    if user is None or not user.is_authenticated:
        return frozenset()
    cached = getattr(user, "_mdm_roles", None)
    if cached is None:
        cached = user._mdm_roles = frozenset(user.groups.values_list("name", flat=True)) & frozenset(ROLES)
    return cached


@lru_cache(maxsize=64)
def _union(roles: frozenset[str]) -> frozenset[str]:
    return frozenset(scope for role in roles for scope in ROLES[role][1])


def scopes_of(user: Any) -> frozenset[str]:
    """Every scope the person has. A superuser gets the admin site, and no scope for being one."""
    return _union(roles_of(user))


def known_scopes() -> list[str]:
    types = [kind.path for kind in registry.all_types()]
    plain = {scope for _, scopes in ROLES.values() for scope in scopes}
    return sorted(plain | {f"{verb}:{path}" for verb in ("read", "propose") for path in types})


def allows(scopes: frozenset[str], needed: str) -> bool:
    """`read:*` covers `read:suppliers`; everything else is literal."""
    return needed in scopes or (":" in needed and f"{needed.split(':', 1)[0]}:*" in scopes)


def actor_of(user: User, *, scopes: frozenset[str] | None = None, token: str = "") -> Actor:
    """The actor behind a web session (all the person's scopes) or a token (its scopes, cut to the person's)."""
    name = user.get_full_name() or user.get_username()
    own = scopes_of(user)
    granted = own if scopes is None else frozenset(s for s in scopes if allows(own, s) or s in own)
    return Actor(name=name, kind="token" if token else "person", user=user, scopes=granted)


def may(by: Actor, needed: str) -> bool:
    return by.kind == "system" or allows(by.scopes, needed)


def entities_of(user: Any) -> frozenset[str] | None:
    """Codes of the legal entities the person may see; None means all."""
    if user is None:
        return None
    codes = frozenset(user.entity_scopes.values_list("legal_entity", flat=True))
    return codes or None
