"""Owns what other mapping rows would change for the codes in use, before anybody saves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Sum
from django.utils import timezone

from dimensions import mapping_rows
from dimensions.mapping_rows import MAPPINGS
from dimensions.models import AskedCode
from dimensions.services import mappings
from dimensions.services.mappings import Pair
from mdm.errors import NotNow
from mdm.mapping import Difference, Equals, In, MappingError, Row, Use, compile, rehearse
from mdm.models import ChangeRequest
from mdm.selectors import request_items
from mdm.selectors.request_items import Looked
from mdm.types import Document

MONTHS = (1, 3, 12)
MOST_USES = 20_000  # codes in contexts that are tried, the most used first
MOST_ROWS = 5000  # of a change request
_FEW = 500  # codes that are named in a statement


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`uses`: how many codes in contexts were tried on day `on`; `more`: there are others, less used. `months` until today
    and the part of this one."""

    pair: Pair
    months: int
    on: date
    uses: int
    more: bool
    differences: tuple[Difference, ...]


Changed = Mapping[UUID, tuple[Row | None, Row | None]]
"""{uid: (the row as it is in force, the row as it would be)}, None where there is none."""


def rehearse_rows(pair: Pair, changed: Changed, *, months: int, on: date | None = None) -> Rehearsal:
    """What other rows would make of the codes used in the last months; two queries. `on`: the day it is tried for, absent
    the first from which all of these rows hold, today at the earliest."""
    rows = [row for both in changed.values() for row in both if row]
    day = on or max([timezone.localdate(), *(row.valid_from for row in rows if row.valid_from)])
    listed = uses(pair, rows, months=months, on=day)
    if not listed:
        return Rehearsal(pair, months, day, 0, False, ())
    tried, dimension = listed[:MOST_USES], MAPPINGS[pair.kind].dimension
    before = mappings.rows_for(pair, {use.value for use in tried})
    after = [row for row in before if row.uid not in changed] + [new for _old, new in changed.values() if new]
    found = rehearse(compile(before, dimension), compile(after, dimension), tried)
    return Rehearsal(pair, months, day, len(tried), len(listed) > MOST_USES, tuple(found))


def uses(pair: Pair, rows: Iterable[Row], *, months: int, on: date) -> list[Use]:
    """Codes used that one of the rows matches, the most used first, at most one more than are tried. One query."""
    held = AskedCode.objects.filter(
        mapping=pair.kind, source=pair.source, target=pair.target, month__gte=_since(months)
    )
    sources = {row.source for row in rows}
    named = {code for one in sources if isinstance(one, Equals | In) for code in _codes(one)}
    wide = [one for one in sources if not isinstance(one, Equals | In)]
    if not wide and len(named) <= _FEW:
        held = held.filter(code__in=named)
    counted = held.order_by().values("code", "context").annotate(sum=Sum("times")).order_by("-sum", "code")
    found: list[Use] = []
    for one in counted.iterator(chunk_size=2000):
        code = one["code"]
        if code in named or any(source is None or source.matches(code) for source in wide):
            found.append(Use(code, one["context"], on, one["sum"]))
            if len(found) > MOST_USES:
                break
    return found


def _codes(source: Equals | In) -> tuple[str, ...]:
    return source.codes if isinstance(source, In) else (source.code,)


def _since(months: int) -> date:
    """The first day of the month that many months ago."""
    today = timezone.localdate()
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    return date(year, month + 1, 1)


# --- of a change request ------------------------------------------------------------------------------------------------


def pairs_of(change: ChangeRequest) -> dict[Pair, Changed]:
    """The mapping rows a request changes, by pair; a row that moves from one to another is in both. NotNow for a request
    with more rows than are tried at once."""
    items = list(change.items.filter(type__in=MAPPINGS).order_by("pk")[: MOST_ROWS + 1])
    if len(items) > MOST_ROWS:
        raise NotNow(f"This request changes more than {MOST_ROWS:,} rows: too many to try while a page is drawn.")
    found: dict[Pair, dict[UUID, tuple[Row | None, Row | None]]] = {}
    for looked in request_items.look(change, items, None):
        old, new = _row(looked.before), _row(_becomes(looked))
        for document, place in ((looked.before, 0), (looked.after, 1)):
            pair = pair_of(looked.kind.key, document) if document else None
            if pair:
                both = list(found.setdefault(pair, {}).get(looked.item.uid, (None, None)))
                both[place] = (old, new)[place]
                found[pair][looked.item.uid] = (both[0], both[1])
    return dict(found)


def pair_of(kind: str, document: Document) -> Pair | None:
    """Which mapping a row belongs to; None while that is not said."""
    one = MAPPINGS[kind]
    source, target = (str(document.get(field) or "") if field else "" for field in (one.source, one.target))
    return Pair(kind, source, target) if target and (source or not one.source) else None


def _becomes(looked: Looked) -> Document:
    status = {"block": "blocked", "unblock": "active", "retire": "retired"}.get(looked.item.action)
    return {**looked.after, "status": status} if status else looked.after


def _row(document: Document | None) -> Row | None:
    """The row as it takes part; None when it does not, or cannot be read."""
    if document is None or document.get("status") in ("retired", "merged"):
        return None
    try:
        return mapping_rows.read_document(document)
    except MappingError:
        return None
