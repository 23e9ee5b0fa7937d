"""On the page Mappings: codes that were asked for and have no target, to be mapped at once, dismissed, or brought back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from dimensions.mapping_rows import MAPPINGS
from dimensions.models import MappingGap
from dimensions.selectors import coverage, gaps
from dimensions.selectors.coverage import Coverage
from dimensions.services import asking
from dimensions.services.mappings import Pair
from dimensions.web import differences
from dimensions.web.pairs import LIKELY, best, query
from mdm import permissions, registry
from mdm.errors import CorrectInput, NotAllowed, NotFound
from mdm.mapping import Proposal, notation
from mdm.registry import RecordType
from mdm.selectors import request_items
from mdm.services import changes
from mdm.services.changes import ProposedItem
from mdm.types import Actor
from mdm.web import memory, visitor
from mdm.web.browsing import plural
from mdm.web.page import Action, Confirm, Link, Part
from mdm.web.tables import Cell, Column, Row, Table

COUNTED, COUNT_KEPT_S = "mapping-gaps:{}", 15
SHOWN = 25  # proposals compare each with every name
COLUMNS = (
    Column(label="Code"),
    Column(label="Name", priority=2),
    Column(label="Asked", numeric=True),
    Column(label="Last", priority=1),
    Column(label="By", priority=2),
    Column(label="Proposed"),
)
KEYS = (
    Column(label="Type"),
    Column(label="Code or key"),
    Column(label="From, to"),
    Column(label="Asked", numeric=True),
    Column(label="Last", priority=1),
    Column(label="By", priority=2),
)
DISMISSED = (*COLUMNS[:-1], Column(label="Why not"))
MAY_NOT = "Your role may not decide about gaps of mappings: that is for stewards. A governance lead can change that."


def counts(user: Any) -> Mapping[str, int]:
    """For the navigation, of whoever may do something about it; kept for a moment, because every page shows it."""
    scopes = permissions.scopes_of(user)
    kinds = [key for key, one in MAPPINGS.items() if permissions.allows(scopes, f"propose:{one.record_type.path}")]
    if not kinds or "steward" not in scopes:
        return {}
    return {"mappings": memory.remember(COUNTED.format(",".join(kinds)), COUNT_KEPT_S, lambda: gaps.waiting(kinds))}


def _forget_count() -> None:
    memory.forget(COUNTED.format(",".join(MAPPINGS)))


def listed(request: HttpRequest, pair: Pair) -> list[MappingGap]:
    return list(gaps.of(pair, _state(request)).select_related("decided_by")[:SHOWN])


def _state(request: HttpRequest) -> str:
    return "dismissed" if request.GET.get("asked") == "dismissed" else "open"


def context(
    request: HttpRequest,
    kind: RecordType,
    accounts: RecordType,
    pair: Pair,
    found: Coverage,
    shown: Sequence[MappingGap],
) -> dict[str, Any]:
    state = _state(request)
    if state == "open":  # what a row answers since is closed soon, and is no work any more
        on = {gap.code: found.built.resolve(gap.code, gap.context, gap.on).target for gap in shown}
        shown = [gap for gap in shown if on[gap.code] is None]
    counted = gaps.counted(pair)
    by, other = visitor.actor(request), "dismissed" if state == "open" else "open"
    link = Link("Back to what waits", visitor.changed_query(request, asked=None)) if state == "dismissed" else None
    if state == "open" and counted["dismissed"]:
        words = plural(counted["dismissed"], "dismissed code")
        link = Link(words, visitor.changed_query(request, asked=other))
    proposed = best(found, [gap.code for gap in shown]) if state == "open" else {}
    rows = [_row(accounts, found, gap, proposed.get(gap.code, [])) for gap in shown]
    columns = DISMISSED if state == "dismissed" else COLUMNS
    table = Table(caption="Asked for and not mapped", columns=columns, rows=rows, selectable=True, form_id="asked-form")
    return {
        "asked": table if rows else None,
        "asked_state": state,
        "asked_count": counted[state],
        "asked_dismissed": counted["dismissed"],
        "asked_other": link,
        "asked_bulk": _actions(kind, by, state),
        "asked_keys": _keys(by),
    }


def _keys(by: Actor) -> Table | None:
    """Records without a key at a system: nobody maps these, whoever keeps the record links it."""
    known = {one.key: one for one in registry.all_types() if permissions.may(by, f"read:{one.path}")}
    rows = [
        Row(title=gap.code, cells=[
            Cell(value=known[gap.mapping].title),
            Cell(value=gap.code, kind="mono"),
            Cell(value=f"{gap.source or 'the hub'} → {gap.target or 'the hub'}"),
            Cell(value=gap.times, kind="number"),
            Cell(value=gap.last_asked, kind="time"),
            Cell(value=", ".join(sorted(gap.asked_by)[:3]), muted=True),
        ])
        for gap in gaps.keys(SHOWN)
        if gap.mapping in known
    ]  # fmt: skip
    return Table(caption="Keys asked for and not there", columns=KEYS, rows=rows) if rows else None


def _row(accounts: RecordType, found: Coverage, gap: MappingGap, proposed: Sequence[Proposal]) -> Row:
    member = found.members.get(gap.code)
    url = visitor.record_url(accounts, member.uid) if member else ""
    if gap.state == "dismissed":
        who = f"{gap.decided_by.get_full_name() or gap.decided_by.get_username()}" if gap.decided_by else ""
        last = Cell(value=gap.reason, sub=who)
    else:
        last = _proposed(found, proposed)
    return Row(
        uid=str(gap.pk),
        title=gap.code,
        cells=[
            Cell(value=gap.code, kind="id", url=url, sub=differences.context_words(gap.context)),
            Cell(value=member.name) if member else Cell(note=f"no {accounts.noun} in use"),
            Cell(value=gap.times, kind="number"),
            Cell(value=gap.last_asked, kind="time"),
            Cell(value=", ".join(sorted(gap.asked_by)[:3]), muted=True),
            last,
        ],
    )


def _proposed(found: Coverage, proposed: Sequence[Proposal]) -> Cell:
    if not proposed:
        return Cell(note="nothing alike")
    words: list[Part | str] = []
    for one in proposed[:2]:
        words += [", "] if words else []
        words += [Part(text=one.target, mono=True), f" {found.targets[one.target].name} {round(100 * one.score)} %"]
    return Cell(value=words, kind="rich", sub=proposed[0].reasons[0])


def _actions(kind: RecordType, by: Actor, state: str) -> list[Action]:
    steward = permissions.may(by, "steward")
    if state == "dismissed":
        undo_url = reverse("dimensions:mapping-gaps-undo")
        return [Action(label="Bring back", url=undo_url, icon="undo", method="post", allowed=steward, why_not=MAY_NOT)]
    may = steward and permissions.may(by, f"propose:{kind.path}")
    confirm = Confirm(
        title="Dismiss the selected codes?",
        body="They need no target. They are counted on, and can be brought back.",
        button="Dismiss", reason_label="Why they need no target", reason_required=True,
    )  # fmt: skip
    propose_url, dismiss_url = reverse("dimensions:mapping-gaps-propose"), reverse("dimensions:mapping-gaps-dismiss")
    actions = [
        Action(label="Propose their best targets", name="propose", url=propose_url, icon="send", method="post",
               allowed=may, why_not=MAY_NOT),
    ]  # fmt: skip
    if steward:
        actions.append(
            Action(label="Dismiss", name="dismiss", url=dismiss_url, icon="x", method="post", confirm=confirm)
        )
    return actions


# --- what is done with them -------------------------------------------------------------------------------------------


@require_POST
@visitor.page
def propose(request: HttpRequest) -> HttpResponse:
    """A row for each of the selected with its best target, all in one request; the others are named."""
    chosen, by = _chosen(request), visitor.actor(request)
    pair = Pair(chosen[0].mapping, chosen[0].source, chosen[0].target)
    if pair.kind not in MAPPINGS or any((one.mapping, one.source, one.target) != pair for one in chosen):
        raise CorrectInput("Select codes of one mapping.")
    found = coverage.of(pair, timezone.localdate())
    proposed = best(found, [one.code for one in chosen])
    likely = {code: offered[0].target for code, offered in proposed.items() if offered and offered[0].score >= LIKELY}
    if not likely:
        raise CorrectInput("Nothing is like any of these codes: map them one by one, in the form.")
    items = [ProposedItem(type=pair.kind, action="create", patch=_patch(pair, found, c, t)) for c, t in likely.items()]
    reason = f"Asked for and not mapped: {', '.join(list(likely)[:10])}{' and others' if len(likely) > 10 else ''}"
    change = changes.propose(items=items, by=by, reason=reason)
    left = [one.code for one in chosen if one.code not in likely]
    if left:
        words = f"{', '.join(left[:5])}{' and others' if len(left) > 5 else ''}"
        messages.info(request, f"Nothing is like {words}: map them in the form.")
    messages.success(request, f"{change.number} proposes {plural(len(items), 'row')}.")
    return redirect("web:request", request_items.number_of(change))


def _patch(pair: Pair, found: Coverage, code: str, target: str) -> dict[str, Any]:
    member = found.members.get(code)
    return {
        **MAPPINGS[pair.kind].at(pair.source, pair.target),
        "name": (member.name if member else code)[:200],
        "kind": "explicit",
        "source": notation.escape(code),
        "target": notation.escape(target),
    }


@require_POST
@visitor.page
def dismiss(request: HttpRequest) -> HttpResponse:
    chosen, reason = _chosen(request), request.POST.get("reason", "").strip()[:2000]
    if not reason:
        raise CorrectInput("Say why these codes need no target: whoever asks for them will want to know.")
    number = asking.dismiss(gaps=[one.pk for one in chosen], reason=reason, by=visitor.actor(request))
    _forget_count()
    messages.success(request, f"{plural(number, 'code')} dismissed.")
    return redirect(_back(chosen[0]))


@require_POST
@visitor.page
def undo(request: HttpRequest) -> HttpResponse:
    chosen = _chosen(request)
    number = asking.undo(gaps=[one.pk for one in chosen])
    _forget_count()
    messages.success(request, f"{plural(number, 'code')} brought back.")
    return redirect(_back(chosen[0]))


def _chosen(request: HttpRequest) -> list[MappingGap]:
    """The selected, when the person may decide about all of them."""
    by = visitor.actor(request)
    if not permissions.may(by, "steward"):
        raise NotAllowed(MAY_NOT)
    ids = [int(one) for one in request.POST.getlist("uid")[:200] if one.isdecimal() and len(one) < 19]
    found = list(MappingGap.objects.filter(pk__in=ids).order_by("-times", "code"))
    if not found:
        raise NotFound("Select codes first.")
    for kind in {one.mapping for one in found}:
        visitor.kind_at(request, MAPPINGS[kind].record_type.path if kind in MAPPINGS else "", "propose")
    return found


def _back(gap: MappingGap) -> str:
    return reverse("dimensions:mappings") + query(Pair(gap.mapping, gap.source, gap.target)) + "#asked"
