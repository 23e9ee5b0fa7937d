"""Beside the form of a mapping row: what the engine says of the row typed so far, and what it would change."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from dimensions.mapping_rows import MAPPINGS
from dimensions.selectors import coverage
from dimensions.services import judging
from dimensions.services.judging import Judgement
from dimensions.web import differences
from dimensions.web.pairs import TONES, links
from mdm.errors import HubError, NotFound
from mdm.mapping import Finding
from mdm.registry import RecordType
from mdm.web import propose_form, propose_page, visitor
from mdm.web.page import Notice, Rich

SHOWN = 5
WAITING = (
    "What the engine says of the row stands here once you have typed which codes, from where to where, and the target."
)


@require_POST
@visitor.page
def typed(request: HttpRequest, type_path: str) -> HttpResponse:
    kind = visitor.kind_at(request, type_path, "propose")
    if kind.key not in MAPPINGS:
        raise NotFound("There is no such kind of mapping.")
    document = propose_page.loosely(kind, propose_form.read_post(kind, request.POST))
    uid = _uid(request.GET.get("uid", ""))
    months = differences.months_of(request.POST)
    context: dict[str, Any] = {"months": differences.months_field(months)}
    try:
        found = judging.judge(kind.key, document | ({"uid": str(uid)} if uid else {}), months=months)
    except HubError as error:  # a row in force that cannot be read; said where it is, without a toast at every key
        context |= {"notices": [Notice(title=error.message, tone="red", icon="alert")]}
    else:
        context |= _shown(kind, found)
    return render(request, "dimensions/_row_panel.html", context)


def _uid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _shown(kind: RecordType, found: Judgement) -> dict[str, Any]:
    uids = {uid for one in (*found.findings, *found.beaten) for uid in (one.row, *one.others) if uid}
    codes = coverage.codes_of(kind.key, uids) if uids else {}
    notices = [
        Notice(title=one.message, evidence=kind.label(one.path), tone="red", icon="alert") for one in found.problems
    ]
    notices += [_notice(kind, one, codes) for one in found.findings]
    notices += [_notice(kind, one, codes, "With this row it never wins any more") for one in found.beaten]
    quiet = ""
    if found.row is None and not found.problems:
        quiet = WAITING
    elif found.row and not notices:
        words = found.row.words()
        quiet = f"{words[0].upper()}{words[1:]} wins somewhere, and no row of equal rank matches the same."
    heard = found.rehearsal
    return {
        "notices": notices,
        "quiet": quiet,
        "partly": found.partly,
        "rehearsed": differences.words(heard) if heard else "",
        "table": differences.table(heard.differences[:SHOWN]) if heard else None,
        "more": max(0, len(heard.differences) - SHOWN) if heard else 0,
    }


def _notice(kind: RecordType, one: Finding, codes: dict[UUID, tuple[str, str]], label: str = "") -> Notice:
    named = list(links(kind, [one.row] if label and one.row else one.others, codes))
    evidence: Rich = [label, ": " if label and named else "", *named] if label else ["See ", *named] if named else ""
    words = one.kind.replace("_", " ").capitalize()
    return Notice(title=one.message, evidence=evidence, tone=TONES[one.severity], label="" if label else words)
