"""Match quality, the versions of the matching model, and what each would flip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from mdm import registry
from mdm.errors import CorrectInput, HubError, NotAllowed, NotFound
from mdm.models import KeySnapshot, MatchFlip, MatchJob, MatchModel, MatchRun
from mdm.permissions import may
from mdm.reading import exports
from mdm.registry import RecordType
from mdm.selectors import match_quality, records
from mdm.services import match_runs, models
from mdm.types import Actor
from mdm.web import browsing, live, matching_page, model_page, visitor
from mdm.web import matching_words as words
from mdm.web.page import Empty, Link, Page
from mdm.web.tables import Field
from mdm.web.visitor import link

SIZE = 50
_SNAPSHOTS, _VERSIONS = 5, 20


def _kinds(request: HttpRequest) -> list[RecordType]:
    by = visitor.actor(request)
    found = [kind for kind in models.kinds() if may(by, f"read:{kind.path}")]
    if not found:
        raise NotAllowed("Your role may not see records that are matched. A governance lead can change that.")
    return found


def _kind(request: HttpRequest, key: str = "") -> RecordType:
    kinds = _kinds(request)
    wanted = key or request.GET.get("type", "") or kinds[0].key
    found = next((kind for kind in kinds if kind.key == wanted), None)
    if found is None:
        raise NotFound("There is no such kind of record that is matched.")
    return found


def _version(request: HttpRequest, uid: UUID) -> MatchModel:
    row = (
        MatchModel.objects.filter(uid=uid, type__in=[kind.key for kind in _kinds(request)])
        .select_related("created_by", "approved_by", "against", "trained_from")
        .first()
    )
    if row is None:
        raise NotFound("There is no such version of the matching model.")
    return row


# --- the page of all ----------------------------------------------------------------------------------------------


@require_GET
@visitor.page
def index(request: HttpRequest) -> HttpResponse:
    kind, by = _kind(request), visitor.actor(request)
    found, queue, now = match_quality.measures(kind.key), match_quality.queue(kind.key), models.in_force(kind)
    rows = list(
        MatchModel.objects.filter(type=kind.key).select_related("created_by", "approved_by").order_by("-pk")[:_VERSIONS]
    )
    jobs = list(MatchJob.objects.filter(type=kind.key).select_related("model").order_by("-pk")[:5])
    waits = next((row for row in rows if row.state in ("draft", "rehearsed")), None)
    counted = list(KeySnapshot.objects.filter(type=kind.key).defer("hashes", "held")[:_SNAPSHOTS])
    text = "The hub judges by the model it was shipped with. Judge pairs of the queue, then let it learn from them."
    context = {
        "page": matching_page.page(kind, by),
        "kinds": [
            Link(one.plural, f"?type={one.key}", current=one is kind) for one in (_kinds(request))
        ],
        "callouts": matching_page.callouts(found, jobs, waits),
        "running": matching_page.progress(jobs, MatchRun.objects.filter(type=kind.key, state="running").first()),
        "tiles": matching_page.tiles(found, queue),
        "bands": matching_page.bands(queue),
        "ages": matching_page.ages(queue),
        "in_force": words.version(now.row),
        "thresholds": matching_page.thresholds(now),
        "rules": matching_page.rules(now),
        "curve": model_page.curve(now.row.report.get("calibration") or []) if now.row and now.row.report else None,
        "disagreement": matching_page.disagreement(match_quality.disagreement(kind.key, found)),
        "versions": matching_page.versions(rows) if rows else None,
        "snapshots": matching_page.snapshots(counted),
        "flipped": matching_page.flipped(kind, counted[0] if counted else None),
        "empty": None if rows else Empty(title="No version of its own yet", text=text, icon="gear"),
    }  # fmt: skip
    return _answer(request, "web/matching.html", context)


def _answer(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return live.ended(request, render(request, template, context), live=bool(context["running"]))


# --- proposing ----------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@visitor.page
def propose(request: HttpRequest, type_key: str) -> HttpResponse:
    """Thresholds and hard rules as a form; what it asks for is rehearsed and signed, never saved at once."""
    kind, by = _kind(request, type_key), visitor.actor(request)
    models.require_proposer(by)
    now = models.in_force(kind)
    given: dict[str, Any] = {name: words.plain(getattr(now.model.thresholds, name)) for name in words.THRESHOLDS}
    chosen, problems, status = set(now.rules), {}, 200
    if request.method == "POST":
        given = {name: request.POST.get(name, "").strip()[:20] for name in (*words.THRESHOLDS,)}
        given["reason"] = request.POST.get("reason", "")[:2000]
        chosen = {rule for rule in words.RULES if request.POST.get(rule)}
        try:
            row = models.propose(kind=kind, thresholds=given, rules=chosen, reason=given["reason"], by=by)
            messages.success(request, "Proposed. It is being rehearsed; then somebody else signs it.")
            return redirect("web:match-model", row.uid)
        except CorrectInput as error:
            problems = {problem.path: problem.message for problem in error.problems} or {"": error.message}
            status = visitor.status_of(error)
    context = {
        "page": Page(
            title="Change thresholds and rules",
            crumbs=[Link("Match quality", model_page.index_url(kind)), Link("Change", "")],
        ),
        "url": request.path,
        "back": model_page.index_url(kind),
        "errors": [{"id": name, "text": text} for name, text in problems.items()],
        "thresholds": [
            Field(name=name, label=label, value=given[name], kind="text", help=note, error=problems.get(name, ""), mono=True)
            for name, (label, note) in words.THRESHOLDS.items()
        ],
        "rules": [
            Field(name=rule, label=title, kind="checkbox", checked=rule in chosen, help=f"{on} Off: {off}")
            for rule, (title, on, off) in words.RULES.items()
        ],
        "reason": Field(
            name="reason", label="Why", kind="textarea", value=given.get("reason", ""), error=problems.get("reason", ""),
            help="Whoever signs it reads this.",
        ),
    }  # fmt: skip
    return render(request, "web/matching_propose.html", context, status=status)


def _do(request: HttpRequest, back: str, done: str, call: Callable[[Actor], Any]) -> HttpResponse:
    """One action of a button: done, or what the hub says against it."""
    try:
        call(visitor.actor(request))
        messages.success(request, done)
    except HubError as error:
        messages.error(request, error.message)
    return redirect(back)


def _reason(request: HttpRequest) -> str:
    return request.POST.get("reason", "")[:2000]


@require_POST
@visitor.page
def train(request: HttpRequest, type_key: str) -> HttpResponse:
    kind = _kind(request, type_key)
    done = "Learning has begun. You can leave this page."
    return _do(request, model_page.index_url(kind), done, lambda by: models.train(kind=kind, by=by))


@require_POST
@visitor.page
def count(request: HttpRequest, type_key: str) -> HttpResponse:
    kind = _kind(request, type_key)
    done = "Keys and words are being counted anew. What that flips is told here."
    return _do(request, model_page.index_url(kind), done, lambda by: models.refresh_counts(kind=kind, by=by))


@require_POST
@visitor.page
def look(request: HttpRequest, type_key: str) -> HttpResponse:
    kind = _kind(request, type_key)
    if not may(visitor.actor(request), "steward"):
        raise NotAllowed("Only data stewards let the hub look through all records.")
    done = "Keys are counted anew, then workers look through all records. What they find comes into the queue of duplicates."
    return _do(request, model_page.index_url(kind), done, lambda by: match_runs.start(kind=kind, by=by))


@require_POST
@visitor.page
def shipped(request: HttpRequest, type_key: str) -> HttpResponse:
    kind = _kind(request, type_key)
    done = "Proposed. It is being rehearsed; then somebody else signs it."

    def call(by: Actor) -> None:
        models.restore(kind=kind, version=None, reason=_reason(request), by=by)

    return _do(request, model_page.index_url(kind), done, call)


# --- one version --------------------------------------------------------------------------------------------------


@require_GET
@visitor.page
def show(request: HttpRequest, uid: UUID) -> HttpResponse:
    row, by = _version(request, uid), visitor.actor(request)
    kind = registry.get(row.type)
    job = row.jobs.filter(task="rehearse").order_by("-pk").first()
    rows = row.flips.select_related("model")
    if request.GET.get("only") == "contradicts":
        rows = rows.filter(contradicts=True)
    part = browsing.cut(request, rows, order=("origin", "-contradicts"), size=SIZE)
    context = {
        "page": model_page.page(row, by),
        "callouts": model_page.callouts(row, by, job),
        "running": matching_page.progress([job]) if job else [],
        "settings": model_page.settings(row),
        "training": model_page.training(row),
        "rehearsal": model_page.rehearsal(row),
        "flips": model_page.flips(kind, part.rows) if part.rows else None,
        "pager": browsing.pager(request, part, "pairs"),
        "views": [
            Link("All", "?", current=request.GET.get("only") != "contradicts"),
            Link("Contradict decisions", "?only=contradicts", current=request.GET.get("only") == "contradicts"),
        ],
        "more": row.rehearsal.get("flips", 0) > row.rehearsal.get("kept", 0),
    }
    return _answer(request, "web/match_model.html", context)


@require_GET
@visitor.page
def flip(request: HttpRequest, uid: UUID, pk: int) -> HttpResponse:
    row = _version(request, uid)
    found = MatchFlip.objects.filter(model=row, pk=pk).select_related("model__against").first()
    if found is None:
        raise NotFound("There is no such pair in this rehearsal. It may have been rehearsed again.")
    kind = registry.get(row.type)
    names = records.names(kind.key, {found.left, found.right})
    sides = [
        (names.get(str(uid_), ("", "A record that is gone")), visitor.record_url(kind, uid_))
        for uid_ in (found.left, found.right)
    ]
    context = {
        "page": Page(
            title=words.band_change(found.before_band, found.after_band).capitalize(),
            crumbs=[
                Link("Match quality", model_page.index_url(kind)),
                Link(words.version(row), link("web:match-model", row.uid)),
                Link("Pair", ""),
            ],
            note=words.ORIGINS[found.origin].capitalize() + (f"; people said {found.said}" if found.said else ""),
        ),
        "sides": [{"code": code, "name": name, "url": url} for (code, name), url in sides],
        "sums": list(model_page.flip(found).values()),
    }
    return render(request, "web/match_flip.html", context)


@require_GET
@visitor.page
def flips_csv(request: HttpRequest, uid: UUID) -> StreamingHttpResponse:
    row = _version(request, uid)
    rows = model_page.csv_rows(registry.get(row.type), row.flips.order_by("pk").iterator(chunk_size=2000))
    headers = {
        "Content-Disposition": f'attachment; filename="matching-{row.type}-{row.number}-flips.csv"',
        "Cache-Control": "no-store",
    }
    chunks = exports.csv_chunks(list(model_page.CSV_HEADINGS), rows)
    return StreamingHttpResponse(chunks, content_type=exports.CSV_TYPE, headers=headers)


@require_POST
@visitor.page
def approve(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = _version(request, uid)
    done = f"Version {row.number} is in force. The queue is being scored anew."
    back = link("web:match-model", uid)
    return _do(request, back, done, lambda by: models.approve(version=row, by=by, comment=_reason(request)))


@require_POST
@visitor.page
def reject(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = _version(request, uid)
    back = link("web:match-model", uid)
    call: Callable[[Actor], Any] = lambda by: models.reject(version=row, reason=_reason(request), by=by)  # noqa: E731
    return _do(request, back, "Rejected: what is in force stays.", call)


@require_POST
@visitor.page
def rehearse(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = _version(request, uid)
    back = link("web:match-model", uid)
    return _do(request, back, "It is being rehearsed again.", lambda by: models.rehearse_again(version=row, by=by))


@require_POST
@visitor.page
def restore(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = _version(request, uid)
    kind = registry.get(row.type)
    done = "Proposed. It is being rehearsed; then somebody else signs it."
    call: Callable[[Actor], Any] = lambda by: models.restore(  # noqa: E731
        kind=kind, version=row, reason=_reason(request), by=by
    )
    return _do(request, model_page.index_url(kind), done, call)
