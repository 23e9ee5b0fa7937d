"""Match quality as its page shows it: figures on decisions, the queue, what is in force, versions, counts of keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from mdm.models import KeySnapshot, MatchJob, MatchModel, MatchRun
from mdm.permissions import may
from mdm.registry import RecordType
from mdm.selectors import match_quality, records
from mdm.services import match_runs, models
from mdm.types import Actor
from mdm.web import browsing, charts, visitor
from mdm.web import matching_words as words
from mdm.web.page import Action, Callout, Confirm, Page, Tile
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import age, number

_FEW = 20  # judged pairs below which shares say little


def page(kind: RecordType, by: Actor) -> Page:
    proposer = models.may_propose(by)
    why_not = "" if proposer else "Only data stewards and governance leads propose how duplicates are judged."
    waits = models.open_version(kind)
    busy = f"Version {waits.number} waits to be signed or rejected first." if waits else ""
    train = Action(
        label="Learn from decisions",
        name="train",
        url=visitor.link("web:matching-train", kind.key),
        method="post",
        icon="refresh",
        allowed=proposer and not busy,
        why_not=why_not or busy,
    )
    ask = Confirm(
        title="Back to the model as shipped?",
        body="It becomes a new version: rehearsed first, and signed by somebody else.",
        button="Propose it",
        reason_label="Why?",
    )
    menu = [
        Action(
            label="Change thresholds and rules", url=visitor.link("web:matching-propose", kind.key), icon="pencil",
            allowed=proposer and not busy, why_not=why_not or busy,
        ),
        Action(
            label="Count keys anew", name="count", url=visitor.link("web:matching-count", kind.key), method="post",
            icon="refresh", allowed=proposer, why_not=why_not,
        ),
        Action(
            label="Look through all records", name="look", url=visitor.link("web:matching-look", kind.key), method="post",
            icon="search", allowed=may(by, "steward"), why_not="" if may(by, "steward") else "Only data stewards start that.",
        ),
    ]  # fmt: skip
    if models.in_force(kind).row:
        menu.append(
            Action(
                label="Back to the shipped model", name="shipped", url=visitor.link("web:matching-shipped", kind.key),
                method="post", icon="undo", confirm=ask, allowed=proposer and not busy, why_not=why_not or busy,
            )
        )  # fmt: skip
    return Page(title="Match quality", note=f"How well duplicates of {kind.nouns} are found", menu=menu, primary=train)


def tiles(found: match_quality.Measures, queue: match_quality.Queue) -> list[Tile]:
    judged = f"{number(found.judged)} judged pairs"
    return [
        Tile(
            label="Precision",
            value=words.percent(found.precision),
            note=f"of {number(found.shown)} judged pairs it shows",
        ),
        Tile(
            label="Recall", value=words.percent(found.recall), note=f"of {number(found.same)} pairs that are the same"
        ),
        Tile(
            label="Precision of links",
            value=words.percent(found.link_precision),
            note=f"of {number(found.linked)} it would link unasked",
        ),
        Tile(label="Waiting", value=queue.size, note="pairs in the queue", url=visitor.link("web:duplicates")),
        Tile(label="Oldest", value=_age(queue), note="since it was found" if queue.oldest else judged),
    ]


def _age(queue: match_quality.Queue) -> str:
    return age((timezone.now() - queue.oldest).total_seconds()).removesuffix(" ago") if queue.oldest else "–"


def bands(queue: match_quality.Queue) -> dict[str, Any]:
    parts = [
        ("link", "Would be linked", "green"),
        ("review", "Ask a person", "amber"),
        ("none", "No longer likely", "grey"),
    ]
    shares = [charts.Proportion(label, queue.bands[band], tone) for band, label, tone in parts]
    shown: list[Tile] = []
    for (_, label, tone), share in zip(parts, shares, strict=True):
        shown.append(Tile(label=label, value=share.value, tone=tone))  # type: ignore[arg-type]
    return {"chart": charts.proportions(shares), "tiles": shown}


def ages(queue: match_quality.Queue) -> charts.HBars | None:
    if not queue.size:
        return None
    rows = [charts.HBarRow(label.capitalize(), count) for label, count in queue.ages]
    return charts.hbars(rows, title="Open pairs by age", value_name="Pairs", row_name="Found")


def callouts(found: match_quality.Measures, jobs: Sequence[MatchJob], waits: MatchModel | None) -> list[Callout]:
    shown = []
    if waits and waits.state == "rehearsed":
        see = Action(label=f"Open version {waits.number}", url=visitor.link("web:match-model", waits.uid))
        flips = number(waits.rehearsal.get("flips", 0))
        body = f"It would judge {flips} pairs otherwise. Somebody other than its author signs it."
        shown.append(
            Callout(
                title=f"Version {waits.number} waits for a signature", body=body, tone="amber", icon="half", action=see
            )
        )
    if jobs and jobs[0].state == "failed":
        shown.append(
            Callout(title=f"{jobs[0].get_task_display()} stopped", body=jobs[0].error, tone="red", icon="alert")
        )
    training = next((job for job in jobs if job.task == "train"), None)
    if training and (advice := training.counts.get("advice")):
        shown.append(Callout(title="Too few labels to learn from", body=" ".join(advice), tone="amber", icon="info"))
    if 0 < found.judged < _FEW:
        body = f"Only {found.judged} pairs are judged. The figures below say little yet."
        shown.append(Callout(title="Few decisions so far", body=body))
    return shown


def progress(jobs: Sequence[MatchJob], look: MatchRun | None = None) -> list[dict[str, Any]]:
    """Work under way: {title, done, total, note}."""
    found: list[dict[str, Any]] = []
    if look:
        far = match_runs.progress(look)
        note = f"{number(far.done)} of {number(far.records)} records · {browsing.plural(far.found, 'pair')} new in the queue"
        if far.records and look.snapshot_id is None:
            note = "Waits until it is told what counting keys anew flips"
        found.append(
            {"title": "Looking through all records", "done": far.done, "total": far.records or None, "note": note}
        )
    for job in jobs:
        if job.state in MatchJob.LIVE:
            title = str(job.get_task_display())
            if job.model:
                title += f" of version {job.model.number}"
            of = f"{number(job.done)} of {number(job.total)}" if job.total else ""
            note = " · ".join(filter(None, [job.phase or "Waits for a worker", of]))
            found.append({"title": title, "done": job.done, "total": job.total or None, "note": note})
    return found


def thresholds(now: models.InForce) -> Table:
    rows = []
    for name, (label, note) in words.THRESHOLDS.items():
        value = getattr(now.model.thresholds, name)
        rows.append(
            Row(
                cells=[
                    Cell(value=label, sub=note),
                    Cell(value=browsing.plural(words.plain(value), "point")),
                    Cell(value=words.chance(now.model, value), muted=True),
                ]
            )
        )
    columns = [Column(label="Threshold"), Column(label="Score", numeric=True), Column(label="Which means")]
    return Table(caption="Thresholds in force", columns=columns, rows=rows, plain=True)


def rules(now: models.InForce) -> Table:
    rows = []
    for rule, (title, on, off) in words.RULES.items():
        is_on = rule in now.rules
        state = Cell(value="on" if is_on else "off", kind="state", domain="rule")
        rows.append(Row(cells=[Cell(value=title, sub=on if is_on else off), state]))
    columns = [Column(label="Hard rule"), Column(label="State", tight=True)]
    return Table(caption="Hard rules", columns=columns, rows=rows, plain=True)


def disagreement(found: match_quality.Disagreement) -> Table:
    lines = [
        ("People judged a pair both ways", found.people, "“Not the same” counts until one of them changes their mind."),
        ("Judged different, the tax number is the same", found.tax_said_same, "A typing error, or a wrong judgement."),
        ("Judged the same, valid tax numbers differ", found.tax_said_different, "Several numbers, or a wrong judgement."),
        ("Judged the same, not shown by the model in force", found.model_missed, "What a better model would find."),
        ("Judged different, linked by the model in force", found.model_linked, "What a better model would leave alone."),
    ]  # fmt: skip
    rows = [Row(cells=[Cell(value=label, sub=note), Cell(value=count, kind="number")]) for label, count, note in lines]
    columns = [Column(label="Who disagrees"), Column(label="Pairs", numeric=True)]
    return Table(caption="Where labels disagree", columns=columns, rows=rows, plain=True)


def versions(rows: Sequence[MatchModel]) -> Table:
    columns = [
        Column(label="Version"), Column(label="State"), Column(label="Flips", numeric=True, priority=1),
        Column(label="F1 on decisions", numeric=True, priority=1), Column(label="By", priority=2),
        Column(label="Signed by", priority=2), Column(label="Made", numeric=True),
    ]  # fmt: skip
    return Table(caption="Versions of the model", columns=columns, rows=[_version(row) for row in rows])


def _version(row: MatchModel) -> Row:
    f1 = (row.report.get("after") or {}).get("f1")
    before = (row.report.get("before") or {}).get("f1")
    learnt = f"{words.percent(before)} → {words.percent(f1)}" if f1 is not None else ""
    name = words.version(row)
    return Row(
        title=name,
        cells=[
            Cell(value=name, kind="title", url=visitor.link("web:match-model", row.uid), sub=row.get_origin_display()),
            Cell(value=row.state, kind="state", domain="model"),
            Cell(value=row.rehearsal.get("flips"), kind="number"),
            Cell(value=learnt),
            Cell(value=row.created_by, kind="person"),
            Cell(value=row.approved_by, kind="person") if row.approved_by else Cell(),
            Cell(value=row.created_at, kind="time", muted=True),
        ],
    )


CAUSES = {"grown": "The hub had grown", "asked": "A person asked", "look": "All records were looked through"}


def snapshots(rows: Sequence[KeySnapshot]) -> Table:
    """Counts taken; the newest is in force."""
    shown = []
    for place, row in enumerate(rows):
        report = row.report or {}
        moved = ", ".join(
            f"{number(n)} {words.band_change(*key.split('>'))}" for key, n in (report.get("bands") or {}).items()
        )
        flips = (
            Cell(value=report["flips"], kind="number", sub=moved) if report else Cell(value="not compared", muted=True)
        )
        shown.append(
            Row(
                cells=[
                    Cell(value=row.taken_at, kind="time", sub="In force" if place == 0 else ""),
                    Cell(value=row.total, kind="number"),
                    Cell(value=CAUSES.get(row.cause, row.cause)),
                    flips,
                ]
            )
        )
    columns = [
        Column(label="Taken"), Column(label="Records", numeric=True), Column(label="Because", priority=1),
        Column(label="Pairs that flipped", numeric=True),
    ]  # fmt: skip
    return Table(caption="Counts of keys and words", columns=columns, rows=shown, plain=True)


def flipped(kind: RecordType, newest: KeySnapshot | None) -> Table | None:
    """Pairs the counts in force judge otherwise than those before, the first of them."""
    examples = (newest.report.get("examples") or []) if newest else []
    names = records.names(kind.key, {one[side] for one in examples for side in ("left", "right")})
    rows = []
    for one in examples:
        sides = [names.get(one[side], ("", "a record that is gone")) for side in ("left", "right")]
        rows.append(
            Row(
                cells=[
                    Cell(
                        value=sides[0][1], url=visitor.link("web:duplicate", one["uid"]), sub=sides[1][1], kind="title"
                    ),
                    Cell(value=words.band_change(one["before_band"], one["after_band"])),
                    Cell(value=f"{one['before']:+.1f} → {one['after']:+.1f}", kind="mono"),
                ]
            )
        )
    columns = [Column(label="Pair"), Column(label="Judged"), Column(label="Points")]
    return Table(caption="What the counts in force flipped", columns=columns, rows=rows, plain=True) if rows else None
