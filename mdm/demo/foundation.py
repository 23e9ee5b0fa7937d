"""The demo's ground: people with their roles and tokens, systems, approval policies, survivorship rules."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

from mdm.demo.platforms import all_platforms
from mdm.models import ApiToken, ApprovalPolicy, PolicyStep, SurvivorshipRule, System
from mdm.permissions import ROLES, scopes_of
from mdm.services import tokens

Say = Callable[[str], None]

# Invented people, one per role. The second approver is what the name says: another person who may approve.
PEOPLE = (
    ("nora", "Nora", "Keller", "requester"),
    ("mara", "Mara", "Lindqvist", "steward"),
    ("lena", "Lena", "Okafor", "lead_steward"),
    ("diego", "Diego", "Barros", "approver"),
    ("helene", "Hélène", "Dubois", "second_approver"),
    ("tomasz", "Tomasz", "Wieczorek", "treasury"),
    ("ines", "Inês", "Rocha", "integrator"),
    ("jonas", "Jonas", "Adler", "auditor"),
    ("samir", "Samir", "Haddad", "operator"),
    ("aiko", "Aiko", "Tanaka", "governance"),
)

# (name, conditions, steps as (order, role, quorum, hours))
POLICIES: tuple[tuple[str, dict[str, object], tuple[tuple[int, str, int, int], ...]], ...] = (
    ("Loads from connected systems", {"origins": ["import"], "auto_approve": True}, ()),
    ("Set-up of the hub", {"origins": ["system"], "auto_approve": True}, ()),
    (
        "Bank details of a supplier",
        {"types": ["supplier"], "actions": ["update"], "paths": ["bank_accounts"], "require_reason": True},
        ((1, "approver", 1, 24), (2, "treasury", 1, 24)),
    ),
    (
        "New suppliers",
        {"types": ["supplier"], "actions": ["create"], "origins": ["web", "api"]},
        ((1, "steward", 1, 48),),
    ),
    ("Merges", {"actions": ["merge", "unmerge"]}, ((1, "approver", 1, 72),)),
    (
        "Our own companies and payment terms",
        {"types": ["legal_entity", "payment_term"], "origins": ["web", "api", "drift"], "require_reason": True},
        ((1, "steward", 1, 48), (2, "approver", 1, 48)),
    ),
    ("Look-alike names", {"risk_flags": ["mixed_script"]}, ((1, "steward", 1, 24), (2, "approver", 1, 24))),
)

RULES: tuple[tuple[str, str, str, dict[str, int]], ...] = (
    ("supplier", "", "source_rank,recency,completeness", {}),
    ("supplier", "trade_names", "completeness,source_rank", {}),
    ("supplier", "addresses", "completeness,source_rank,recency", {}),
    ("supplier", "contacts", "source_rank,recency", {"coupa": 5}),
    ("supplier", "bank_accounts", "source_rank,recency", {}),
    ("supplier", "payment_terms", "source_rank,recency", {"coupa": 5}),
)


@transaction.atomic
def load(say: Say) -> None:
    """People, systems and rules; nothing that exists already is changed."""
    say(f"people: {len(PEOPLE)}, one per role")
    _people()
    systems = _systems()
    for code, values in systems.items():
        System.objects.get_or_create(code=code, defaults=values)
    for name, conditions, steps in POLICIES:
        policy, created = ApprovalPolicy.objects.get_or_create(name=name, defaults=conditions)
        if created:
            for order, role, quorum, hours in steps:
                PolicyStep.objects.create(policy=policy, order=order, role=role, quorum=quorum, sla_hours=hours)
    for type_key, path, order_, ranks in RULES:
        SurvivorshipRule.objects.get_or_create(type=type_key, path=path, defaults={"order": order_, "ranks": ranks})
    say(f"systems: {len(systems)}, approval policies: {len(POLICIES)}, survivorship rules: {len(RULES)}")


def _systems() -> dict[str, dict[str, object]]:
    """The hub itself and one per platform: its rank says who is believed first."""
    hub = {"title": "Entered in the hub", "mark": "HB", "tone": "e", "rank": 1}
    return {"hub": hub, **{platform.name: platform.system for platform in all_platforms()}}


def _people() -> None:
    """Passwords and tokens are made once per installation and written where only its owner can read them."""
    path = settings.VAR_DIR / "demo_users.json"
    known = json.loads(path.read_text()) if path.exists() else {"users": [], "tokens": {}}
    passwords = {user["username"]: user["password"] for user in known["users"]}
    written: dict[str, object] = {"users": [], "tokens": dict(known["tokens"])}
    for role in ROLES:
        Group.objects.get_or_create(name=role)
    for username, first, last, role in PEOPLE:
        known_password = passwords.get(username)
        password = known_password or secrets.token_urlsafe(9)
        user = _person(username, first, last, role, password, renew=not known_password)
        written["users"].append({"username": username, "password": password, "role": role})  # type: ignore[attr-defined]
        if not ApiToken.objects.filter(owner=user, name="demo").exists() or role not in known["tokens"]:
            ApiToken.objects.filter(owner=user, name="demo").delete()
            _, plain = tokens.issue(owner=user, name="demo", scopes=sorted(scopes_of(user)))
            written["tokens"][role] = plain  # type: ignore[index]
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(written, file, indent=1)


def _person(username: str, first: str, last: str, role: str, password: str, *, renew: bool) -> User:
    """`renew`: the file with the passwords is gone, so the person gets a new one. Else nothing is hashed again."""
    user, created = User.objects.get_or_create(
        username=username,
        defaults={
            "first_name": first,
            "last_name": last,
            "email": f"{username}@nordhaven.example",
            "is_staff": role == "governance",
        },
    )
    if created or renew:
        user.set_password(password)
        user.save()
    user.groups.add(Group.objects.get(name=role))
    return User.objects.get(pk=user.pk)
