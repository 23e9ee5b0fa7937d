"""Taking source records out of a golden record: the merge that brought them is undone, or they are detached.

One answer to “these do not belong here” for pages and API: whoever names source records need not know how they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mdm.errors import CorrectInput
from mdm.models import ChangeItem, ChangeRequest, SourceRecord
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import detaching, unmerging
from mdm.services.unmerge_case import remaining
from mdm.types import Actor, Problem

Named = tuple[str, str]  # (system code, key)


@dataclass(frozen=True)
class Brought:
    """The merge by which a source record came to where it is, and the record it was at before."""

    merge: ChangeRequest
    member: str


def brought(kind: RecordType, uid: str) -> dict[int, Brought]:
    """{id of a source record: how it came} of those at this record that a merge brought, as far as it still holds."""
    rows = ChangeItem.objects.filter(
        uid=uid, action="merge", request__state="applied", detail__survivor=str(uid)
    ).select_related("request")
    merges = list(rows.order_by("-pk"))  # of several merges, the last one that brought it
    if not merges:
        return {}
    here = set(SourceRecord.objects.filter(type=kind.key, golden_uid=uid).values_list("pk", flat=True))
    found: dict[int, Brought] = {}
    for item in merges:
        left = set(remaining(item.request, item))
        for source in item.pre_image.get("sources", []):
            if source["id"] in here and source["uid"] in left:
                found.setdefault(source["id"], Brought(item.request, source["uid"]))
    return found


@dataclass(frozen=True)
class Way:
    """How the named source records leave: `merge` is undone for `members`; without one they are detached."""

    merge: ChangeRequest | None
    members: tuple[str, ...]


def way(*, kind: RecordType, uid: str, sources: Sequence[Named]) -> Way:
    """CorrectInput where they are no sources of this record, came in different ways, or would not leave alone."""
    here = {
        (row.system.code, row.key): row
        for row in SourceRecord.objects.filter(type=kind.key, golden_uid=uid).select_related("system")
    }
    named = list(dict.fromkeys(sources))
    if unknown := [one for one in named if one not in here]:
        raise _wrong(
            "unknown_source", "; ".join(f"{system} {key} is no source of this record." for system, key in unknown)
        )
    came = brought(kind, uid)
    ways = {one: came.get(here[one].pk) for one in named}
    merges = {found.merge.number if found else "" for found in ways.values()}
    if len(merges) > 1:
        told = "; ".join(f"{_words(one)} {_came(found)}" for one, found in ways.items())
        raise _wrong("came_differently", f"{told}. Each way is undone by a request of its own: name them separately.")
    first = next(iter(ways.values()))
    if first is None:
        return Way(None, ())
    members = {found.member for found in ways.values() if found}
    along = [one for one, row in here.items() if one not in ways and _goes(came.get(row.pk), first.merge, members)]
    if along:
        codes = ", ".join(code for code, _ in records.names(kind.key, members).values())
        also = ", ".join(_words(one) for one in sorted(along))
        raise _wrong(
            "goes_along",
            f"{first.merge.number} made {codes} part of this record, and {also} came with it. Name that too, and the "
            "merge is undone; or detach a single source record.",
        )
    order = [source["uid"] for source in _head(first.merge, uid).pre_image["sources"] if source["uid"] in members]
    return Way(first.merge, tuple(dict.fromkeys(order)))


def propose(
    *,
    kind: RecordType,
    uid: str,
    sources: Sequence[Named],
    by: Actor,
    reason: str = "",
    holders: Mapping[str, str] | None = None,
    origin: str = "web",
) -> ChangeRequest:
    """Ask that these source records leave: by undoing the merge they came with, else to a record of their own."""
    found = way(kind=kind, uid=uid, sources=sources)
    if found.merge is None:
        return detaching.propose(kind=kind, uid=uid, sources=sources, by=by, reason=reason, origin=origin)
    return unmerging.propose(merge=found.merge, members=found.members, holders=holders, reason=reason, by=by)


def _head(merge: ChangeRequest, uid: str) -> ChangeItem:
    return merge.items.get(uid=uid, action="merge")


def _goes(found: Brought | None, merge: ChangeRequest, members: set[str]) -> bool:
    return found is not None and found.merge.pk == merge.pk and found.member in members


def _came(found: Brought | None) -> str:
    return f"came with {found.merge.number}" if found else "was linked here"


def _words(one: Named) -> str:
    return f"{one[0]} {one[1]}"


def _wrong(code: str, text: str) -> CorrectInput:
    return CorrectInput(text, problems=[Problem("source_records", code, text)])
