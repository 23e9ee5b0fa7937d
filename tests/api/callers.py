"""Callers of the API in tests: persons with roles and tokens, a client per token, and records made by the write path."""

from __future__ import annotations

import json
import secrets
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from mdm import permissions, registry
from mdm.models import ApiToken, ApprovalPolicy, EntityScope, RecordVersion
from mdm.services import changes
from mdm.services.proposing import ProposedItem
from mdm.services.tokens import PREFIX, hash_of
from mdm.types import Actor
from tests.api import contract
from tests.people import groups, system

IBAN = "DE89370400440532013000"
OTHER_IBAN = "FR1420041010050500013M02606"
EXAMPLES: dict[str, dict[str, Any]] = {
    "supplier": {"legal_name": "Bergbau Nord GmbH", "country": "DE"},
    "legal_entity": {"name": "Nordhaven Test AG", "country": "DE", "currency": "EUR"},
    "payment_term": {"name": "Net 30", "net_days": 30},
    "profit_center": {"name": "Pumps"},
    "cost_center": {"name": "Logistics", "legal_entity": "EX01", "category": "logistics"},
    "project": {"name": "New plant", "legal_entity": "EX01"},
    "chart_of_accounts": {"name": "Chart of the group"},
    "gl_account": {"name": "Raw materials", "chart": "EX-COA", "number": "400000", "kind": "expense"},
    "tax_code": {"name": "Input VAT, standard", "country": "DE", "kind": "input", "rate": "19"},
    "gl_mapping": {
        "name": "Raw materials",
        "source_chart": "EX-COA",
        "target_chart": "EX-COA",
        "kind": "explicit",
        "source": "400000",
        "target": "5100",
    },
    "dimension": {"name": "Region"},
    "dimension_value": {"name": "North", "dimension": "EX-DIM", "value": "NORTH"},
    "hierarchy": {"name": "Organisation", "members": "cost_center"},
    "hierarchy_node": {"hierarchy": "EX-HI", "node": "ALL", "kind": "group", "name": "All"},
    "tax_code_mapping": {"name": "Input VAT", "system": "ex-erp", "kind": "explicit", "source": "V1", "target": "V19"},
    "coding_rule": {
        "name": "Costs need a cost center",
        "message": "Name a cost center.",
        "conditions": [
            {"side": "when", "dimension": "account_kind", "codes": "expense"},
            {"side": "then", "dimension": "cost_center", "test": "given"},
        ],
    },
}
"""A smallest document of each record type; a new type adds one here and is covered by every contract test."""
REFERRED = {
    "legal_entity": "EX01",
    "chart": "EX-COA",
    "source_chart": "EX-COA",
    "target_chart": "EX-COA",
    "hierarchy": "EX-HI",
    "dimension": "EX-DIM",
}
"""What those refer to: field -> code."""


class Caller(Client):
    """Speaks JSON with a bearer token; `answer.json()` is the body."""

    def __init__(self, token: str = "", user: User | None = None) -> None:
        super().__init__(headers={"Authorization": f"Bearer {token}"} if token else None, raise_request_exception=True)
        self.user = user
        self.token = token

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        address = path if path.startswith(("/", "http")) else f"/api/v1/{path}"
        address = address.removeprefix("http://testserver")
        answer = self.generic(method, address, headers=named, **data)
        contract.check(method, address, answer)
        return answer

    def read(self, path: str, **headers: str) -> Any:
        return self.send("GET", path, **headers)

    def post_json(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, {} if body is None else body, **headers)

    def patch_json(self, path: str, body: Any, **headers: str) -> Any:
        return self.send("PATCH", path, body, **headers)


def person(*roles: str, name: str = "", entities: tuple[str, ...] = ()) -> User:
    user = User.objects.create_user(name or f"{'-'.join(roles) or 'nobody'}-{secrets.token_hex(3)}")
    user.groups.add(*groups(roles))
    for entity in entities:
        EntityScope.objects.create(user=user, legal_entity=entity)
    return user


def token_for(user: User, scopes: list[str] | None = None, **values: Any) -> str:
    secret = PREFIX + secrets.token_urlsafe(24)
    granted = sorted(permissions.scopes_of(user)) if scopes is None else scopes
    ApiToken.objects.create(name="test", owner=user, prefix=secret[:12], hash=hash_of(secret), scopes=granted, **values)
    return secret


def caller(*roles: str, scopes: list[str] | None = None, entities: tuple[str, ...] = ()) -> Caller:
    user = person(*roles, entities=entities)
    return Caller(token_for(user, scopes), user)


def make_referred(type_key: str) -> None:
    """The records that the example of this type refers to."""
    kind = registry.get(type_key)
    for field, code in REFERRED.items():
        if EXAMPLES[type_key].get(field) == code:
            other = registry.get(kind.references[field])
            if not other.model._default_manager.filter(code=code).exists():
                make_record(other.key, code)
    if "system" in EXAMPLES[type_key]:
        system(EXAMPLES[type_key]["system"])


def make_record(type_key: str, code: str = "", **values: Any) -> RecordVersion:
    """A record in force, made by a request that a policy for the system's own proposals approves."""
    ApprovalPolicy.objects.get_or_create(
        name="Tests' own records", defaults={"origins": ["system"], "auto_approve": True}
    )
    make_referred(type_key)
    spoken_for = registry.get(type_key).dated if "slices" in values else ()
    document = {**{name: value for name, value in EXAMPLES[type_key].items() if name not in spoken_for}, **values}
    change = changes.propose(
        items=[ProposedItem(type=type_key, action="create", patch=document, code=code)],
        by=Actor.system("tests"),
        origin="system",
        reason="A record for a test.",
    )
    assert change.state == "applied", change.state
    return RecordVersion.objects.get(change=change)


def every_type() -> list[str]:
    return [kind.key for kind in registry.all_types()]
