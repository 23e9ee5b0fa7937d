"""The page Mappings: what has a target and what has none and could get one, what was asked for, what rows get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from dimensions.gl_mapping import KEY
from dimensions.mapping_rows import MAPPINGS
from dimensions.selectors import coverage
from dimensions.selectors.coverage import Account, Astray, Coverage
from dimensions.services.mappings import Pair
from dimensions.web import gaps
from dimensions.web.pairs import LIKELY, TONES, action, best, form_url, links, nothing, pair_of, query
from mdm import permissions, registry
from mdm.mapping import Finding, Proposal
from mdm.registry import RecordType
from mdm.web import browsing, visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Badge, Empty, Page, Part, Tile
from mdm.web.tables import Cell, Column, Row, Table

SIZE = 25  # unmapped accounts of a page: proposals compare each with every name
MOST = 50  # findings and accounts led astray that are shown
TOO_MANY = "There are too many rows to judge while a page is drawn. Each is judged as it is typed."
UNMAPPED = (
    Column(label="Account"),
    Column(label="Name"),
    Column(label="Proposed"),
    Column(label="Why", priority=1),
    Column(label="Map it", hidden_label=True, tight=True),
)
ASTRAY = (
    Column(label="Account"),
    Column(label="Name", priority=1),
    Column(label="Leads to"),
    Column(label="What is wrong"),
    Column(label="By the row"),
)
FINDINGS = (
    Column(label="Finding", tight=True),
    Column(label="Row"),
    Column(label="What"),
    Column(label="Others", priority=1),
)


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    pair, filters = pair_of(request)
    kind = visitor.kind_at(request, MAPPINGS[pair.kind].record_type.path)
    accounts = registry.get(MAPPINGS[pair.kind].dimension)
    may = permissions.may(visitor.actor(request), f"propose:{kind.path}")
    empty = nothing(kind, pair, may)
    context: dict[str, Any] = {
        "page": Page(
            title="Mappings",
            note="What codes of the group become elsewhere",
            primary=action("Propose a row", form_url(pair), may, icon="plus") if empty is None else None,
            menu=_menu(pair) if empty is None else [],
        ),
        "filters": browsing.bar(request, "Mapping where", filters),
        "empty": empty,
    }
    if empty is None:
        context |= _shown(request, kind, accounts, pair, may)
    return render(request, "dimensions/mappings.html", context)


def _menu(pair: Pair) -> list[Action]:
    return [
        Action(label="Matrix with all targets", url=reverse("dimensions:mapping-matrix") + query(pair), icon="columns"),
        Action(label="Rows as a file, and back", url=reverse("dimensions:mapping-rows") + query(pair), icon="upload"),
        Action(label="Why a code becomes what", url=reverse("dimensions:mapping-trace") + query(pair), icon="search"),
    ]


def _shown(request: HttpRequest, kind: RecordType, accounts: RecordType, pair: Pair, may: bool) -> dict[str, Any]:
    waiting = gaps.listed(request, pair)
    found = coverage.of(pair, timezone.localdate(), [gap.code for gap in waiting])
    judged = found.findings()
    listed, pager = browsing.numbered(request, found.unmapped, size=SIZE, one="account")
    wrong = [one for one in judged or [] if one.severity != "note"]
    notes = [one for one in judged or [] if one.severity == "note"]
    shown = [*wrong[:MOST], *notes[:MOST]]
    uids = {one.row for one in shown if one.row} | {uid for one in shown for uid in one.others}
    codes = coverage.codes_of(pair.kind, uids | {one.row for one in found.astray[:MOST]})
    return {
        "tiles": _tiles(kind, accounts, pair, found, None if judged is None else len(wrong)),
        **gaps.context(request, kind, accounts, pair, found, waiting),
        "unmapped": _unmapped(accounts, pair, found, listed, may),
        "pager": pager,
        "mapped_all": _mapped_all(pair, found),
        "astray": _astray(kind, accounts, found, codes),
        "astray_more": max(0, len(found.astray) - MOST),
        "findings": _findings(kind, wrong[:MOST], codes, "What is wrong with the rows"),
        "findings_more": max(0, len(wrong) - MOST),
        "notes": _findings(kind, notes[:MOST], codes, "Exceptions to rules"),
        "notes_count": plural(len(notes), "row that loses", "rows that lose"),
        "too_many": TOO_MANY if judged is None else "",
    }


def _tiles(kind: RecordType, accounts: RecordType, pair: Pair, found: Coverage, findings: int | None) -> list[Tile]:
    members = reverse("web:records", args=[accounts.path]) + "?" + urlencode({"chart": pair.source})
    rows = (
        reverse("web:records", args=[kind.path])
        + "?"
        + urlencode({"source_chart": pair.source, "target_chart": pair.target})
    )
    total = len(found.members)
    share = f"{100 * len(found.mapped) // total} % of {plural(total, accounts.noun, accounts.nouns)}" if total else ""
    return [
        Tile(label="Mapped", value=len(found.mapped), note=share, url=members),
        Tile(label="Unmapped", value=len(found.unmapped), url="#unmapped", tone="amber" if found.unmapped else ""),
        Tile(label="Led astray", value=len(found.astray), url="#astray", note="to what cannot be used",
             tone="red" if found.astray else ""),
        Tile(label="Findings", value="–" if findings is None else findings, url="#findings",
             tone="amber" if findings else ""),
        Tile(label="Rows", value=found.rows, url=rows),
    ]  # fmt: skip


# --- unmapped ---------------------------------------------------------------------------------------------------------


def _unmapped(accounts: RecordType, pair: Pair, found: Coverage, listed: Sequence[str], may: bool) -> Table | None:
    if not listed:
        return None
    proposed = best(found, listed)
    rows = [_gap(accounts, pair, found, found.members[number], proposed[number], may) for number in listed]
    return Table(caption="Accounts without a target", columns=UNMAPPED, rows=rows)


def _gap(
    accounts: RecordType, pair: Pair, found: Coverage, account: Account, proposed: Sequence[Proposal], may: bool
) -> Row:
    best = proposed[0] if proposed and proposed[0].score >= LIKELY else None
    words: list[Part | str] = []
    for one in proposed:
        words += [", "] if words else []
        url = form_url(pair, account, one.target) if may else ""
        words += [
            Part(text=one.target, mono=True, url=url),
            f" {found.targets[one.target].name} {round(100 * one.score)} %",
        ]
    map_it = action("Map it", form_url(pair, account, best.target if best else ""), may, name=f"map-{account.number}")
    return Row(
        title=account.number,
        cells=[
            Cell(value=account.number, kind="id", url=visitor.record_url(accounts, account.uid)),
            Cell(value=account.name),
            Cell(value=words, kind="rich") if words else Cell(note="nothing alike"),
            Cell(value=proposed[0].reasons[0] if proposed else None, muted=True),
            Cell(kind="actions", actions=[map_it]),
        ],
    )


def _mapped_all(pair: Pair, found: Coverage) -> Empty:
    if not found.members:
        text = (
            f"{pair.source or 'The hub'} has nothing in use. Records are proposed one by one or imported from a file."
        )
        return Empty(title="There is nothing to map yet", text=text, icon="mapping")
    text = f"Nothing of {pair.source or 'the hub'} waits for a target in {pair.target}."
    return Empty(title="Everything has a row" if pair.kind == KEY else "Everything has a row or a key", text=text)


# --- led astray, findings ---------------------------------------------------------------------------------------------


def _astray(
    kind: RecordType, accounts: RecordType, found: Coverage, codes: dict[UUID, tuple[str, str]]
) -> Table | None:
    rows = [
        Row(
            title=one.account.number,
            cells=[
                Cell(value=one.account.number, kind="id", url=visitor.record_url(accounts, one.account.uid)),
                Cell(value=one.account.name),
                _target(accounts, one),
                Cell(value=_why(one)),
                Cell(value=links(kind, [one.row], codes), kind="rich"),
            ],
        )
        for one in found.astray[:MOST]
    ]
    return Table(caption="Accounts led to what cannot be used", columns=ASTRAY, rows=rows) if rows else None


def _target(accounts: RecordType, one: Astray) -> Cell:
    url = visitor.record_url(accounts, one.target_account.uid) if one.target_account else ""
    return Cell(value=one.target, kind="mono", url=url)


def _why(one: Astray) -> str:
    if one.target_account is None:
        return "The chart has no such account"
    return "It is retired" if one.target_account.status == "retired" else "It has ended"


def _findings(
    kind: RecordType, listed: Sequence[Finding], codes: dict[UUID, tuple[str, str]], caption: str
) -> Table | None:
    rows = [
        Row(
            title=one.message,
            cells=[
                Cell(kind="badges", badges=[Badge(label=one.kind.replace("_", " ").capitalize(), tone=TONES[one.severity])]),
                Cell(value=links(kind, [one.row] if one.row else [], codes), kind="rich"),
                Cell(value=one.message),
                Cell(value=links(kind, one.others, codes) or "", kind="rich") if one.others else Cell(),
            ],
        )
        for one in listed
    ]  # fmt: skip
    return Table(caption=caption, columns=FINDINGS, rows=rows) if rows else None
