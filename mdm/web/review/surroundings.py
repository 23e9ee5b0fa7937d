"""What stands around a request: records that may be the same, who uses the record, and what the targets will get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from mdm import ports, registry
from mdm.crypto import mask
from mdm.models import ChangeRequest, DuplicatePair
from mdm.selectors import duplicates as selected
from mdm.selectors import records, references
from mdm.selectors.request_items import Looked
from mdm.selectors.visibility import Entities
from mdm.services import comparisons, matching
from mdm.web.page import Badge, Fact, Part
from mdm.web.values import day
from mdm.web.visitor import link, record_url

FEW = 5


# --- possible duplicates --------------------------------------------------------------------------------------


def duplicates(change: ChangeRequest, looked: Sequence[Looked]) -> list[dict[str, Any]]:
    """What the record as it is proposed may be, searched now; for what matching does not see, the pairs it has."""
    found: list[dict[str, Any]] = []
    among = [part.item.uid for part in looked]  # a merge shows who else may be the same, not its own records
    for part in looked[:FEW]:
        if part.kind.match is None or not change.is_open:
            continue
        proposed = part.item.action in ("create", "update") and comparisons.touched(
            [(part.before, part.after)], kind=part.kind
        )
        found += _similar(part) if proposed else _pairs(part, among)
    return found[: 2 * FEW]


def _similar(part: Looked) -> list[dict[str, Any]]:
    uid = str(part.item.uid)
    near = matching.search(kind=part.kind, document=part.after, limit=FEW, exclude=[uid])
    pairs = _pairs_by_other(part.kind.key, uid, [match.uid for match in near])
    return [
        {
            "title": match.name,
            "url": record_url(part.kind, match.uid),
            "sub": match.code,
            "why": matching.in_short(match.score),
            "score": percent(match.score.probability),
            "judgement": _judgement(pairs.get(match.uid)),
            "compare_url": link("web:duplicate", pairs[match.uid].uid) if match.uid in pairs else "",
        }
        for match in near
    ]


def _pairs(part: Looked, among: Sequence[Any]) -> list[dict[str, Any]]:
    uid = part.item.uid
    rows = DuplicatePair.objects.filter(Q(left=uid) | Q(right=uid)).exclude(state="merged")
    pairs = list(rows.exclude(left__in=among, right__in=among).order_by("-risk")[:FEW])
    others = {pair.pk: str(pair.right if str(pair.left) == str(uid) else pair.left) for pair in pairs}
    names = records.names(part.kind.key, others.values())
    return [
        {
            "title": names[others[pair.pk]][1],
            "url": record_url(part.kind, others[pair.pk]),
            "sub": names[others[pair.pk]][0],
            "why": reasons(pair),
            "score": percent(pair.probability),
            "judgement": _judgement(pair),
            "compare_url": link("web:duplicate", pair.uid),
        }
        for pair in pairs
        if others[pair.pk] in names
    ]


def _pairs_by_other(type_key: str, uid: str, others: Sequence[str]) -> dict[str, DuplicatePair]:
    """{other uid: the pair of both} of those a person may have judged."""
    known = selected.between(type_key, [uid, *others])
    return {str(p.right if str(p.left) == uid else p.left): p for p in known if uid in (str(p.left), str(p.right))}


def _judgement(pair: DuplicatePair | None) -> Badge | None:
    return Badge(state=pair.state, domain="pair") if pair and pair.state != "open" else None


def reasons(pair: DuplicatePair) -> str:
    """The strongest evidence for a pair, in its own words."""
    return _best([(float(part["weight"]), str(part["note"])) for part in pair.explanation])


def _best(evidence: Sequence[tuple[float, str]], most: int = 3) -> str:
    return ", ".join(note for weight, note in sorted(evidence, reverse=True)[:most] if weight > 0)


def percent(probability: float) -> str:
    """Never a round 100: evidence is not certainty."""
    return f"{min(probability * 100, 99.9):.1f} %" if probability > 0.99 else f"{probability * 100:.0f} %"


# --- use ------------------------------------------------------------------------------------------------------


def used_by(
    change: ChangeRequest, looked: Sequence[Looked], others: Sequence[ChangeRequest], entities: Entities
) -> list[Fact]:
    """For a request about one record: who names it, what other parts say, and what else is asked of it."""
    if len(looked) != 1 or looked[0].item.action == "create" or looked[0].unseen:
        return []
    part = looked[0]
    facts = []
    for child in part.kind.children:
        rows = part.after.get(child.name) or []
        if child.entity_field and child.name != part.kind.periods and rows:
            facts.append(
                Fact(
                    label=child.title,
                    value=[str(row[child.entity_field]) for row in rows],
                )
            )
    facts += referrers(part.kind, part.item.uid, part.code, entities)
    for used in ports.collect(ports.where_used, part.kind.key, part.item.uid):
        facts.append(
            Fact(label=str(used["kind"]), value=used["title"], url=used.get("url") or "", note=used.get("note") or "")
        )
    if others:
        listed: list[Part | str] = []
        for other in others:
            listed += [", "] if listed else []
            listed.append(Part(text=other.number, url=link("web:request", 10_000 + other.pk)))
        facts.append(Fact(label="Other open requests", value=listed, kind="rich"))
    return facts


def referrers(kind: Any, uid: Any, code: str, entities: Entities) -> list[Fact]:
    found = references.to(kind, uid=uid, code=code, entities=entities, limit=FEW + 1)
    if not found:
        return []
    listed: list[Part | str] = []
    for ref in found[:FEW]:
        listed += [", "] if listed else []
        listed.append(Part(text=ref.name, url=record_url(registry.get(ref.type), ref.uid)))
    if len(found) > FEW:
        listed += [" and ", Part(text="more", url=record_url(kind, uid, "where-used"))]
    return [Fact(label="Named by", value=listed, kind="rich")]


# --- targets --------------------------------------------------------------------------------------------------


_EFFECTS = {
    "none": "Nothing it holds changes",
    "create": "A new record",
    "block": "Blocked there",
    "several": "Several records",
}


def targets(change: ChangeRequest) -> list[dict[str, Any]]:
    """What each target would get, or got, as whoever delivers says."""
    if change.state in ("rejected", "withdrawn", "expired"):
        return []
    return [_target(effect) for effect in ports.collect(ports.change_effects, change)]


def _target(effect: dict[str, Any]) -> dict[str, Any]:
    refused = str(effect.get("refused") or "")
    does = str(effect.get("effect") or "none")
    fields = [str(name) for name in effect.get("fields") or ()]
    receives = _EFFECTS.get(does) or (", ".join(fields[:6]) if fields else str(effect.get("note") or does))
    if len(fields) > 6:
        receives += f" and {len(fields) - 6} more"
    at = parse_datetime(str(effect.get("when") or ""))
    return {
        "title": effect["title"],
        "url": effect.get("url") or "",
        "receives": mask(receives),
        "when": "" if does == "none" else day(timezone.localtime(at)) if at else effect.get("when") or "",
        "accepts": effect.get("accepts") or ("none" if does == "none" else "no" if refused else "unknown"),
        "reason": refused,
    }
