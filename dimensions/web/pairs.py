"""Which mapping a page is about: the pair chosen, why there is nothing to see, addresses and links around it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse

from dimensions.gl_mapping import KEY
from dimensions.mapping_rows import MAPPINGS
from dimensions.selectors import coverage
from dimensions.selectors.coverage import Account, Coverage
from dimensions.services.mappings import Pair
from mdm.mapping import Proposal, notation
from mdm.registry import RecordType
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Action, Empty, Part, Rich, Tone

WORTH, LIKELY = 0.1, 0.2  # scores from which a proposal is shown, and taken by itself
WHY_NOT = "Your role may not propose GL mappings. A governance lead can change that."
TONES: dict[str, Tone] = {"error": "red", "warning": "amber", "note": "grey"}


def pair_of(request: HttpRequest) -> tuple[Pair, list[Filter]]:
    """What is asked for; by itself the pair with the most rows."""
    pairs = coverage.pairs()
    choices = [(key, one.record_type.title) for key, one in MAPPINGS.items()]
    known = Filter(name="kind", words="kind is", options=choices, default=KEY)
    kind = browsing.value_of(request, known) or KEY
    first = next((one for one in pairs if one.kind == kind), Pair(kind, "", ""))
    filters = [known]
    if MAPPINGS[kind].source:
        charts = [(code, f"{code} · {name}") for code, name in coverage.charts()]
        filters += [
            Filter(name="from", words="from", label="From chart", options=charts, default=first.source),
            Filter(name="to", words="to", label="To chart", options=charts, default=first.target),
        ]
    else:
        options = coverage.systems()
        filters.append(Filter(name="to", words="to", label="To system", options=options, default=first.target))
    held = browsing.values_of(request, filters)
    return Pair(kind, held.get("from", ""), held["to"]), filters


def nothing(kind: RecordType, pair: Pair, may: bool) -> Empty | None:
    if pair.kind == KEY and not coverage.charts():
        text = "A mapping leads from the accounts of one chart to those of another. Propose the charts first."
        url = reverse("web:record-new", args=["charts-of-accounts"])
        actions = [action("Propose a chart", url, may, icon="plus")]
        return Empty(title="There are no charts of accounts yet", text=text, icon="mapping", actions=actions)
    if MAPPINGS[pair.kind].source and not (pair.source and pair.target):
        text = "Choose the chart the accounts come from and the chart they lead to, with “Add filter”."
        return Empty(title="Choose two charts", text=text, icon="mapping")
    if not pair.target:
        text = "Choose the system the tax codes lead to, with “Add filter”."
        return Empty(title="Choose a system", text=text, icon="mapping")
    return None


def query(pair: Pair, **more: str) -> str:
    return "?" + urlencode({"kind": pair.kind, "from": pair.source, "to": pair.target, **more})


def form_url(pair: Pair, account: Account | None = None, target: str = "", code: str = "") -> str:
    """The form for a new row with what is known filled in."""
    known = dict(MAPPINGS[pair.kind].at(pair.source, pair.target))
    if account or code:
        number = account.number if account else code
        known |= {"name": account.name if account else code, "kind": "explicit", "source": notation.escape(number)}
    if target:
        known["target"] = notation.escape(target)
    return f"{reverse('web:record-new', args=[MAPPINGS[pair.kind].record_type.path])}?{urlencode(known)}"


def best(found: Coverage, codes: Collection[str]) -> dict[str, list[Proposal]]:
    """The proposals worth showing, the best first."""
    return {
        code: [one for one in offered if one.score >= WORTH] for code, offered in found.proposals(list(codes)).items()
    }


def links(kind: RecordType, uids: Sequence[UUID], codes: dict[UUID, tuple[str, str]]) -> Rich:
    words: list[Part | str] = []
    for uid in uids:
        if uid in codes:
            words += [", "] if words else []
            words.append(Part(text=codes[uid][0], url=visitor.record_url(kind, uid), mono=True))
    return words


def action(label: str, url: str, may: bool, *, icon: str = "", name: str = "") -> Action:
    return Action(label=label, url=url, icon=icon, name=name, allowed=may, why_not="" if may else WHY_NOT)
