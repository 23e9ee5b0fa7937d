"""One version of the matching model as its page shows it: what changes, what it was learnt from, what it would flip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mdm import registry
from mdm.matching.model import Model
from mdm.models import MatchFlip, MatchJob, MatchModel
from mdm.registry import RecordType
from mdm.selectors import records
from mdm.services import indexing, models
from mdm.types import Actor
from mdm.web import charts, grids, pair_words, visitor
from mdm.web import matching_words as words
from mdm.web.page import Action, Badge, Callout, Confirm, Link, Meta, Page, Tile
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import number

CSV_HEADINGS = (
    "Left code", "Left name", "Right code", "Right name", "Where", "People said", "Band before", "Band after",
    "Points before", "Points after", "Contradicts", "Flags",
)  # fmt: skip


def index_url(kind: RecordType) -> str:
    return f"{visitor.link('web:matching')}?type={kind.key}"


def page(row: MatchModel, by: Actor) -> Page:
    kind = registry.get(row.type)
    meta = [Meta(kind="person", text=_name(row.created_by), prefix="by"), Meta(kind="time", at=row.created_at)]
    if row.approved_by:
        meta.append(Meta(kind="person", text=_name(row.approved_by), prefix="signed by"))
    return Page(
        title=f"Version {row.number} of matching {kind.nouns}",
        crumbs=[Link("Match quality", index_url(kind)), Link(words.version(row), "")],
        badges=[Badge(state=row.state, domain="model"), Badge(label=row.get_origin_display(), outline=True)],
        meta=meta,
        note=row.reason,
        menu=_menu(row, by),
        primary=_approve(row, by) if row.state in ("draft", "rehearsed") else None,
    )


def _name(user: Any) -> str:
    return user.get_full_name() or user.get_username()


def _approve(row: MatchModel, by: Actor) -> Action:
    why_not = models.why_not_approve(row, by)
    flips = number(row.rehearsal.get("flips", 0))
    ask = Confirm(
        title=f"Put version {row.number} in force?",
        body=f"The rehearsal found {flips} pairs that it judges otherwise. The queue is scored anew; decisions stay as they are.",
        button="Sign and put in force",
        reason_label="Comment",
        reason_required=False,
    )
    return Action(
        label="Sign", name="approve", url=visitor.link("web:match-model-approve", row.uid), method="post", icon="check",
        allowed=not why_not, why_not=why_not, confirm=None if why_not else ask,
    )  # fmt: skip


def _menu(row: MatchModel, by: Actor) -> list[Action]:
    menu = []
    if row.rehearsed_at:
        menu.append(
            Action(label="Download what would flip", url=visitor.link("web:match-flips-csv", row.uid), icon="download")
        )
    if row.state in ("draft", "rehearsed"):
        proposer = models.may_propose(by)
        why_not = "" if proposer else "Only data stewards and governance leads rehearse."
        url = visitor.link("web:match-model-rehearse", row.uid)
        menu.append(
            Action(
                label="Rehearse again",
                name="again",
                url=url,
                method="post",
                icon="refresh",
                allowed=proposer,
                why_not=why_not,
            )
        )
        if models.may_sign(by) or (by.user and by.user.pk == row.created_by_id):
            ask = Confirm(
                title="Not use this version?", body="What is in force stays.", button="Reject it", reason_label="Why?",
                danger=True,
            )  # fmt: skip
            url = visitor.link("web:match-model-reject", row.uid)
            menu.append(
                Action(label="Reject", name="reject", url=url, method="post", icon="no", style="danger", confirm=ask)
            )
    if row.state == "retired" and models.may_propose(by):
        ask = Confirm(
            title=f"Back to version {row.number}?",
            body="It becomes a new version: rehearsed first, and signed by somebody else.",
            button="Propose it",
            reason_label="Why?",
        )
        url = visitor.link("web:match-model-restore", row.uid)
        menu.append(Action(label="Bring it back", name="restore", url=url, method="post", icon="undo", confirm=ask))
    return menu


def callouts(row: MatchModel, by: Actor, job: MatchJob | None) -> list[Callout]:
    if row.state == "rehearsed" and (why_not := models.why_not_approve(row, by)):
        return [Callout(title="Rehearsed, waits for a second person", body=why_not, tone="amber", icon="half")]
    if row.state == "rehearsed":
        body = "Look at what it would flip, then sign or reject it."
        return [Callout(title="Waits for your signature", body=body, tone="amber", icon="half")]
    if row.state == "draft" and job and job.state == "failed":
        return [
            Callout(title="The rehearsal stopped", body=f"{job.error} Rehearse it again.", tone="red", icon="alert")
        ]
    if row.state == "rejected":
        return [Callout(title="This version was not used", body=row.comment)]
    return []


# --- what it changes ----------------------------------------------------------------------------------------------


def settings(row: MatchModel) -> Table | None:
    """Thresholds and rules that differ from the version it came from."""
    came = row.against if row.rehearsed_at else row.trained_from
    base, mine = indexing.engine_of(row.type, came.uid if came else None), indexing.engine_of(row.type, row.uid)
    rows = []
    for name, (label, _) in words.THRESHOLDS.items():
        old, new = (getattr(engine.model.thresholds, name) for engine in (base, mine))
        if old != new:
            rows.append(_changed(label, words.plain(old), words.plain(new)))
    for rule, (title, _, _) in words.RULES.items():
        was, now = rule in base.config.rules, rule in mine.config.rules
        if was != now:
            rows.append(_changed(title, "on" if was else "off", "on" if now else "off"))
    columns = [Column(label="Setting"), Column(label="Before"), Column(label="With this version")]
    return Table(caption="Settings that change", columns=columns, rows=rows, plain=True) if rows else None


def _changed(label: str, old: str, new: str) -> Row:
    return Row(cells=[Cell(value=label, kind="title"), Cell(value=old, muted=True), Cell(value=new)])


# --- its training -------------------------------------------------------------------------------------------------


def training(row: MatchModel) -> dict[str, Any] | None:
    """{tiles, measures: Table, moved: Table|None, curve: HBars|None}; None for a version nobody trained."""
    report = row.report
    if not report:
        return None
    labels = report["labels"]
    tiles = [
        Tile(label="Judged the same", value=labels["decided_same"], note="by people"),
        Tile(
            label="Judged different", value=labels["decided_different"], note=f"{number(labels['disputed'])} disputed"
        ),
        Tile(label="Tax numbers agree", value=labels["weak_same"], note="no person needed"),
        Tile(label="Tax numbers differ", value=labels["weak_different"], note="no person needed"),
    ]
    return {
        "tiles": tiles,
        "measures": _measures(report),
        "moved": _moved(report["moved"]),
        "curve": curve(report["calibration"]),
        "folds": report["folds"],
    }


def _measures(report: Mapping[str, Any]) -> Table:
    lines = [
        ("Precision", "precision", "of the judged pairs it shows, how many are the same"),
        ("Recall", "recall", "of the pairs that are the same, how many it shows"),
        ("F1", "f1", "both in one number"),
        ("Precision of links", "link_precision", "of those it would link unasked"),
    ]
    rows = [
        Row(
            cells=[
                Cell(value=label, kind="title", sub=note),
                Cell(value=words.percent(report["before"][key])),
                Cell(value=words.percent(report["after"][key])),
            ]
        )
        for label, key, note in lines
    ]
    columns = [
        Column(label="On decisions"),
        Column(label="Before", numeric=True),
        Column(label="This version", numeric=True),
    ]
    return Table(caption="Before and after", columns=columns, rows=rows, plain=True)


def _moved(moved: Sequence[Mapping[str, Any]]) -> Table | None:
    rows = []
    for one in moved:
        more, positive = one["after"] > one["before"], one["after"] > 0
        speaks = f"speaks {'more' if more == positive else 'less'} {'for' if positive else 'against'} one record"
        if not one["after"]:
            speaks = "counts no more"
        cells = [
            Cell(value=str(one["note"]).capitalize(), sub=pair_words.label(one["feature"])),
            Cell(value=speaks, muted=True),
            Cell(value=words.points(one["before"])),
            Cell(value=words.points(one["after"])),
        ]
        rows.append(Row(cells=cells))
    columns = [
        Column(label="Evidence"), Column(label="Now", priority=1), Column(label="Points before", numeric=True),
        Column(label="Points", numeric=True),
    ]  # fmt: skip
    return Table(caption="Weights that moved most", columns=columns, rows=rows, plain=True) if rows else None


def curve(tenths: Sequence[Mapping[str, Any]]) -> charts.HBars | None:
    """Per tenth of probability: how many were the same, and what was said behind it."""
    rows = [
        charts.HBarRow(
            f"{one['from']:.0%} to {one['from'] + 0.1:.0%}", 100 * one["found"], 100 * one["said"],
            text=f"{one['found']:.0%} of {number(one['pairs'])}",
        )
        for one in tenths
    ]  # fmt: skip
    return charts.hbars(
        rows,
        title="Whether its probabilities are honest",
        value_name="Were the same",
        before_name="Said, %",
        row_name="Said",
    )


# --- its rehearsal ------------------------------------------------------------------------------------------------

_MOVES = ("none>review", "none>link", "review>link", "link>review", "review>none", "link>none")


def rehearsal(row: MatchModel) -> dict[str, Any] | None:
    """{tiles, table: Table|None, note}; None before it is done."""
    found = row.rehearsal
    if not found:
        return None
    before, after = found["contradicted_before"], found["contradicted_after"]
    by_origin = found["by_origin"]
    queued = by_origin["queue"]
    tiles = [
        Tile(label="Pairs that flip", value=found["flips"], note=f"in {number(found['pairs'])} comparisons"),
        Tile(label="In the queue", value=queued.get("flips", 0), note=f"of {number(queued.get('pairs', 0))}"),
        Tile(label="In no queue yet", value=by_origin["sample"].get("flips", 0), note=f"near {number(found['records'])} records"),
        Tile(
            label="Contradict decisions", value=after, note=f"{number(before)} before",
            tone="red" if after > before else "green" if after < before else "",
        ),
    ]  # fmt: skip
    moves = [move for move in _MOVES if any(by_origin[origin].get(move) for origin in by_origin)]
    rows = [
        Row(
            cells=[
                Cell(value=words.ORIGINS[origin].capitalize(), kind="title"),
                *(Cell(value=counts.get(move, 0), kind="number") for move in moves),
            ]
        )
        for origin, counts in by_origin.items()
        if counts.get("pairs")
    ]
    columns = [Column(label="The pair"), *(Column(label=words.band_change(*m.split(">")), numeric=True) for m in moves)]
    table = Table(caption="What would flip", columns=columns, rows=rows, plain=True) if moves else None
    return {"tiles": tiles, "table": table}


def flips(kind: RecordType, rows: Sequence[MatchFlip]) -> Table:
    names = records.names(kind.key, {uid for row in rows for uid in (row.left, row.right)})
    columns = [
        Column(label="Pair"), Column(label="Flips"), Column(label="Points", numeric=True, priority=1),
        Column(label="People said", priority=1),
    ]  # fmt: skip
    shown = []
    for row in rows:
        left, right = (names.get(str(uid), ("", "A record that is gone")) for uid in (row.left, row.right))
        said = [Badge(label=f"{row.said}, contradicted", tone="red", icon="alert")] if row.contradicts else []
        shown.append(
            Row(
                title=f"{left[1]} and {right[1]}",
                cells=[
                    Cell(
                        value=left[1], kind="title", sub=f"{right[1]} · {words.ORIGINS[row.origin]}",
                        url=visitor.link("web:match-flip", row.model.uid, row.pk),
                    ),
                    Cell(value=words.band_change(row.before_band, row.after_band)),
                    Cell(value=_points(row)),
                    Cell(kind="badges", badges=said) if said else Cell(value=row.said),
                ],
            )
        )  # fmt: skip
    return Table(caption="Pairs that would flip", columns=columns, rows=shown)


def _points(row: MatchFlip) -> str:
    after = words.plain(row.after)
    return after if row.before == row.after else f"{words.plain(row.before)} → {after}"


def csv_rows(kind: RecordType, rows: Any) -> Iterator[tuple[Any, ...]]:
    """Names are looked up a few hundred at a time."""
    batch: list[MatchFlip] = []
    for row in rows:
        batch.append(row)
        if len(batch) == 500:
            yield from _csv(kind, batch)
            batch = []
    yield from _csv(kind, batch)


def _csv(kind: RecordType, rows: Sequence[MatchFlip]) -> Iterator[tuple[Any, ...]]:
    names = records.names(kind.key, {uid for row in rows for uid in (row.left, row.right)})
    for row in rows:
        left, right = (names.get(str(uid), ("", "")) for uid in (row.left, row.right))
        yield (
            *left, *right, words.ORIGINS[row.origin], row.said, words.BANDS[row.before_band], words.BANDS[row.after_band],
            row.before, row.after, "yes" if row.contradicts else "", ", ".join(row.flags),
        )  # fmt: skip


# --- one flip -----------------------------------------------------------------------------------------------------


def flip(row: MatchFlip) -> dict[str, Any]:
    """Both sums of one pair: {before, after: {title, band, chart}}."""
    engines = {
        "before": indexing.engine_of(row.model.type, row.model.against.uid if row.model.against else None),
        "after": indexing.engine_of(row.model.type, row.model.uid),
    }
    bands = {"before": row.before_band, "after": row.after_band}
    titles = {"before": "In force", "after": words.version(row.model)}
    return {
        side: {
            "title": titles[side],
            "band": bands[side],
            "note": _limits(engine.model, row.flags if side == "after" else []),
            "chart": _waterfall(row, side, engine.model),
        }
        for side, engine in engines.items()
    }


def _limits(model: Model, flags: Sequence[str]) -> str:
    limits = model.thresholds
    held = [words.RULES[flag][0].lower() for flag in flags if flag in words.RULES]
    said = f"Shown from {words.plain(limits.review)} points, linked from {words.plain(limits.link)}"
    return f"{said}; seen: {', '.join(held)}" if held else said


def _waterfall(row: MatchFlip, side: str, model: Model) -> grids.Waterfall:
    value = float(getattr(row, side))
    parts = [
        grids.WaterfallPart(pair_words.label(one["feature"]), one[side], one["note"])
        for one in row.evidence
        if one[side]
    ]
    return grids.waterfall(
        value - sum(one[side] for one in row.evidence), parts, threshold=model.thresholds.link,
        base_why="before anything is compared", total_why=words.chance(model, value),
    )  # fmt: skip
