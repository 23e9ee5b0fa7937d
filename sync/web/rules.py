"""The rules by which outcomes are understood, and who owns exceptions: shown to everybody, changed in the admin."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from mdm import permissions, registry
from mdm.web import visitor
from mdm.web.browsing import plural
from mdm.web.navigation import may_see
from mdm.web.page import Action, Badge, Empty, Link, Page
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import age
from sync.models import ExceptionOwner, OutcomeRule
from sync.models.rule import BUSINESS, MATCHES, SELF_HEALING, TECHNICAL
from sync.web import doors

RULE_COLUMNS = (
    Column(label="Rule"),
    Column(label="When"),
    Column(label="Where", priority=2),
    Column(label="Means"),
    Column(label="Tried again", priority=1),
    Column(label="Hint", priority=1),
)
OWNER_COLUMNS = (
    Column(label="Exceptions of"),
    Column(label="Owner"),
    Column(label="Due within", priority=1),
)
MEANS = {
    BUSINESS: Badge(label="Business", tone="amber", icon="user"),
    TECHNICAL: Badge(label="Technical", tone="red", icon="alert"),
    SELF_HEALING: Badge(label="Heals by itself", tone="blue", icon="refresh"),
}


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    doors.require_read(request)
    rules = list(OutcomeRule.objects.select_related("target"))
    owners = list(ExceptionOwner.objects.select_related("rule", "person").order_by("-rule", "-legal_entity", "-type"))
    admin = may_see(request.user, "admin")
    context = {
        "page": Page(
            title="Rules and owners",
            note="The first rule that fits decides what an answer means",
            crumbs=[Link("Exceptions", reverse("sync:exceptions")), Link("Rules and owners", "")],
            primary=Action(label="Change the rules", url=reverse("admin:sync_outcomerule_changelist"), icon="pencil")
            if admin
            else None,
        ),
        "rules": Table(caption="Rules", columns=RULE_COLUMNS, rows=[_rule(rule) for rule in rules]) if rules else None,
        "owners": Table(caption="Owners", columns=OWNER_COLUMNS, rows=[_owner(row) for row in owners], plain=True)
        if owners
        else None,
        "empty": Empty(title="There is no rule", text="Everything a platform refuses is for stewards.", icon="mapping"),
        "nobody": Empty(title="Nobody owns exceptions", text="They have no limit of time either.", icon="user"),
    }
    return render(request, "sync/rules.html", context)


def _rule(rule: OutcomeRule) -> Row:
    kind = registry.find(rule.type) if rule.type else None
    where = [*([rule.target.title] if rule.target else []), *([kind.nouns] if kind else [])]
    off = [] if rule.active else [Badge(label="Off", tone="grey", icon="minus")]
    return Row(
        title=rule.name,
        cells=[
            Cell(value=rule.name, kind="title", sub=f"number {rule.position}", badges=off),
            Cell(value=f"{dict(MATCHES)[rule.match].partition(' (')[0]} “{rule.pattern}”"),
            Cell(value=", ".join(where) or "anywhere", muted=not where),
            Cell(kind="badges", badges=[MEANS[rule.category]]),
            Cell(value=_tries(rule)),
            Cell(value=rule.hint or None, muted=True),
        ],
    )


def _tries(rule: OutcomeRule) -> str:
    if rule.category == BUSINESS:
        return "no"
    often = plural(rule.tries, "attempt") if rule.tries else "as often as the target says"
    return f"{often}, after {_span(rule.min_wait_s)} to {_span(rule.max_wait_s)}"


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else age(seconds, short=True)


def _owner(row: ExceptionOwner) -> Row:
    kind = registry.find(row.type) if row.type else None
    parts = [
        f"the rule “{row.rule.name}”" if row.rule else "",
        f"company {row.legal_entity}" if row.legal_entity else "",
    ]
    parts.append(kind.nouns if kind else "")
    role = permissions.ROLES.get(row.role, (row.role,))[0]
    return Row(
        title=str(row),
        cells=[
            Cell(value=", ".join(part for part in parts if part) or "everything else"),
            Cell(value=row.person, kind="person", sub=role) if row.person else Cell(value=role),
            Cell(value=plural(row.sla_hours, "hour") if row.sla_hours else "no limit"),
        ],
    )
