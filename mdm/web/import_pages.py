"""An import as pages show it: a row of the list, its progress with counts that add up, its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from mdm import registry
from mdm.models import DuplicatePair, ImportJob, SourceRecord
from mdm.permissions import may
from mdm.selectors import imports, records
from mdm.types import Actor
from mdm.web import charts, import_words
from mdm.web.browsing import plural
from mdm.web.import_words import OUTCOMES
from mdm.web.page import Action, Badge, Callout, Confirm, Link, Meta, Page, Part, Tile
from mdm.web.pair_page import in_short
from mdm.web.pointers import request_url
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.values import number
from mdm.web.visitor import link, record_url

LIVE = ("queued", "running")


def table(jobs: Sequence[ImportJob], waiting: Mapping[int, int]) -> Table:
    return Table(
        caption="Imports",
        columns=[
            Column(label="File"), Column(label="State"), Column(label="Rows", numeric=True),
            Column(label="New", numeric=True, priority=1), Column(label="Linked", numeric=True, priority=2),
            Column(label="Changed", numeric=True, priority=2), Column(label="Same", numeric=True, priority=3),
            Column(label="Candidates", numeric=True, priority=1), Column(label="By", priority=3),
            Column(label="Received"),
        ],
        rows=[_row(job, waiting.get(job.pk, 0)) for job in jobs],
    )  # fmt: skip


def _row(job: ImportJob, waiting: int) -> Row:
    kind = registry.get(job.type)
    state, domain, words = import_words.state_of(job, waiting)
    url = link("web:import-map" if job.state == "uploaded" else "web:import", job.uid)
    counts = [job.new, job.linked, job.updated, job.unchanged, job.candidate]
    return Row(
        title=job.file_name,
        cells=[
            Cell(kind="title", value=job.file_name, url=url, sub=f"{kind.plural} from {job.system.title}"),
            Cell(
                kind="state", value=state, domain=domain, note=words, loud=domain == "request" or state == "quarantine"
            ),
            Cell(kind="number", value=job.rows_in),
            *(Cell(kind="number", value=count, muted=not count) for count in counts),
            Cell(kind="person", value=job.created_by_name),
            Cell(kind="time", value=job.created_at),
        ],
    )


def page(job: ImportJob, by: Actor, waiting: int) -> Page:
    kind = registry.get(job.type)
    state, domain, words = import_words.state_of(job, waiting)
    menu = [Action(label="Download what became of each row", url=link("web:import-outcome", job.uid), icon="download")]
    if job.state in LIVE and may(by, f"propose:{kind.path}"):
        menu.append(cancel(job))
    return Page(
        title=job.file_name,
        crumbs=[Link("Imports", link("web:imports")), Link(f"{kind.plural} from {job.system.title}", "")],
        badges=[Badge(state=state, domain=domain, label=words)],
        meta=[
            Meta(text=import_words.size(job.file_bytes)),
            *([Meta(text=f"{job.encoding}, {job.format}")] if job.encoding else [Meta(text=job.format)]),
            Meta(kind="person", text=job.created_by_name, at=job.created_at),
            *([Meta(kind="link", text=job.change.number, url=request_url(job.change))] if job.change else []),
            Meta(kind="id", text=job.correlation_id),
        ],
        menu=menu,
        primary=_primary(job, by),
    )


def _primary(job: ImportJob, by: Actor) -> Action | None:
    if import_words.is_waiting_for_approval(job) and job.change:
        return Action(label="Open the request", url=request_url(job.change), icon="half")
    if job.state == "done" and (pairs := imports.pairs_of(job)).exists() and may(by, "steward"):
        url = f"{link('web:duplicates')}?import={job.uid}"
        count = min(pairs.count(), 10_000)
        return Action(label=f"Judge {number(count)} possible duplicates", url=url, icon="duplicate")
    return None


def cancel(job: ImportJob) -> Action:
    ask = Confirm(
        title="Stop this import?",
        body=f"{number(job.rows_in)} rows stay as they are now; the others are not taken in. "
        "You can load the file again at any time.",
        button="Stop the import",
        cancel="Let it run",
        danger=True,
    )
    return Action(
        label="Stop the import",
        url=link("web:import-cancel", job.uid),
        method="post",
        icon="no",
        confirm=ask,
        style="danger",
    )


def run(job: ImportJob) -> dict[str, Any]:
    """How far it is and what became of the rows; the same for the page and for its polled part.

    Nothing here opens a dialog: the next poll would close it.
    """
    waiting = import_words.is_waiting_for_approval(job)
    live = job.state in LIVE and not waiting
    reading = live and job.rows_total is None
    read = job.rows_in + (imports.staged(job) if reading else 0)
    outcomes = sum(getattr(job, name) for name in ImportJob.OUTCOMES)
    return {
        "state": "waiting" if waiting else job.state,
        "done": read if reading else job.rows_in,
        "total": job.rows_total,
        "note": _note(job, reading),
        "error": job.error,
        "steps": _steps(job, waiting),
        "tiles": tiles(job),
        "proportions": proportions(job.counts),
        "balance": f"{number(job.rows_in)} rows in, {number(outcomes)} outcomes",
    }


def tiles(job: ImportJob) -> list[Tile]:
    base = link("web:import", job.uid)
    return [
        Tile(
            label=one.word,
            value=getattr(job, one.name),
            note=one.words,
            tone=one.tone,
            url=f"{base}?outcome={one.name}#rows" if one.name != "quarantined" else f"{base}#quarantine",
        )
        for one in OUTCOMES
    ]


def proportions(counts: Mapping[str, int]) -> charts.Proportions | None:
    return charts.proportions([charts.Proportion(one.word, counts.get(one.name, 0), one.tone) for one in OUTCOMES])


def _note(job: ImportJob, reading: bool) -> str:
    if job.state == "queued":
        return "Waits for its turn · you can leave this page"
    if reading:
        return "Reading the rows · you can leave this page"
    if job.started_at and job.rows_total and job.rows_in:
        passed = (timezone.now() - job.started_at).total_seconds()
        left = passed / job.rows_in * (job.rows_total - job.rows_in)
        return f"{_left(left)} · you can leave this page"
    return "You can leave this page"


def _left(seconds: float) -> str:
    if seconds < 5:
        return "nearly done"
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} seconds left"
    return f"about {round(seconds / 60)} minutes left"


def _steps(job: ImportJob, waiting: bool) -> list[dict[str, str]]:
    read = job.rows_total is not None
    done = job.state == "done"
    steps = [("File", True), ("Columns", True), ("Read", read)]
    if waiting or (job.change is not None and job.change.steps.exists()):
        steps.append(("Approve", read and not waiting))
    steps += [("Run", done), ("Done", done)]
    shown, now = [], False
    for label, over in steps:
        current = not over and not now and job.state in LIVE
        now = now or current
        shown.append({"label": label, "state": "done" if over else "now" if current else "open"})
    return shown


def callouts(job: ImportJob) -> list[Callout]:
    return [*_of_state(job), *_recounted(job)]


def _recounted(job: ImportJob) -> list[Callout]:
    """A filling hub counts anew what is rare in it: what that changed of what was known."""
    rows = list(job.snapshots.defer("hashes", "held"))
    if not rows:
        return []
    flips = sum(row.report.get("flips", 0) for row in rows)
    kind = registry.get(job.type)
    moved = (
        f"{plural(flips, 'known pair')} judged otherwise by it" if flips else "No known pair is judged otherwise by it"
    )
    times = "once" if len(rows) == 1 else f"{len(rows)} times"
    return [
        Callout(
            title="What is rare was counted anew while it ran",
            body=f"{times.capitalize()}, last over {plural(rows[0].total, kind.noun, kind.nouns)}. {moved}.",
            icon="refresh",
            action=Action(label="See the counts", url=f"{link('web:matching')}?type={job.type}#counts"),
        )
    ]


def _of_state(job: ImportJob) -> list[Callout]:
    if import_words.is_waiting_for_approval(job) and job.change:
        number_ = Part(text=job.change.number, url=request_url(job.change))
        return [
            Callout(
                title="The rows are read and wait for approval",
                body=["Nothing is applied before somebody else approves ", number_, "."],
                tone="amber",
                icon="half",
            )
        ]
    if job.state == "cancelled":
        return [
            Callout(
                title="This import was stopped", body="What it had taken in stays; load the file again for the rest."
            )
        ]
    return []


# --- the rows behind a number -----------------------------------------------------------------------------------


def rows_table(job: ImportJob, rows: Sequence[SourceRecord], outcome: str) -> Table:
    kind = registry.get(job.type)
    pairs = (
        imports.pairs_with(job, [row.golden_uid for row in rows if row.golden_uid]) if outcome == "candidate" else {}
    )
    shown = {row.golden_uid for row in rows if row.golden_uid}
    names = records.names(kind.key, shown | {uid for pair in pairs.values() for uid in (pair.left, pair.right)})
    columns = [
        Column(label="Row", numeric=True),
        Column(label="Key there"),
        Column(label="As it was sent"),
        Column(label="Record"),
    ]
    if pairs:
        columns.append(Column(label="May be"))
    return Table(
        caption=f"Rows: {import_words.NAMES[outcome]}",
        columns=columns,
        rows=[_outcome_row(kind, row, names, pairs, bool(pairs)) for row in rows],
    )


def _outcome_row(
    kind: registry.RecordType,
    row: SourceRecord,
    names: Mapping[str, tuple[str, str]],
    pairs: Mapping[str, DuplicatePair],
    paired: bool,
) -> Row:
    uid = str(row.golden_uid or "")
    code, name = names.get(uid, ("", ""))
    cells = [
        Cell(kind="number", value=row.row),
        Cell(kind="id", value=row.key),
        Cell(value=kind.name_of(row.document)),
        Cell(value=code, url=record_url(kind, uid), sub=name) if uid else Cell(value="", note="not applied yet"),
    ]
    if paired:
        pair = pairs.get(uid)
        cells.append(_candidate(pair, uid, names) if pair else Cell(value="", note="judged"))
    return Row(title=f"row {row.row}", cells=cells)


def _candidate(pair: DuplicatePair, uid: str, names: Mapping[str, tuple[str, str]]) -> Cell:
    """The record this row may be: how likely, which one, and why."""
    other = str(pair.right if str(pair.left) == uid else pair.left)
    which = f"{names[other][0]} {names[other][1]}: " if other in names else ""
    return Cell(value=f"{pair.probability:.2f}", url=link("web:duplicate", pair.uid), sub=f"{which}{in_short(pair)}")


def unlisted(job: ImportJob, outcome: str) -> str:
    """Why fewer rows may be listed than counted."""
    missing = getattr(job, outcome) - imports.rows_with(job, outcome).count()
    if missing <= 0:
        return ""
    return f"{number(missing)} more stood twice in the file with the same content, or were sent again by a later file"
