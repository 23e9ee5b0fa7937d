"""Owns files of mapping rows that people bring back: read, looked at, and proposed as one change request.

A file is read beside its page, under a lock that ends with the process: whoever is killed leaves a file that is read anew,
and nothing is proposed but in one transaction with the word that it was.
"""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import BinaryIO

from django.db import connection, transaction
from django.utils import timezone

from dimensions.mapping_rows import MAPPINGS
from dimensions.models import MappingFile
from dimensions.services import row_plans
from dimensions.services.mappings import Pair
from dimensions.services.row_plans import Plan
from mdm.errors import HubError, NotAllowed, NotNow, TooLarge
from mdm.permissions import actor_of
from mdm.reading import tables
from mdm.services import changes
from mdm.types import Actor

MOST_BYTES = 20 * 1024 * 1024
KEPT = timedelta(days=30)
NOT_YET = {
    "reading": "Wait until the file is read.",
    "proposing": "It is being proposed: wait, there will be one request.",
    "done": "It was proposed already; open its request.",
    "failed": "This file could not be worked on: correct it and bring it again.",
}
BROKEN = "The hub could not work on this file; its operators find why in their log. Nothing was proposed."


def receive(*, pair: Pair, mode: str, file_name: str, stream: BinaryIO, by: Actor) -> MappingFile:
    """Take a file in; it is read beside. CorrectInput or TooLarge for one that cannot be read at all."""
    if by.user is None:
        raise NotAllowed("Only people bring files of rows.")
    content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise TooLarge(f"The file is larger than {MOST_BYTES // 2**20} MiB. Split it and merge the parts.")
    with tables.read(io.BytesIO(content), limits=row_plans.LIMITS) as reader:
        row_plans.columns(reader.columns)
    return MappingFile.objects.create(
        mapping=pair.kind, source=pair.source, target=pair.target, mode=mode, file_name=file_name[:255],
        content=gzip.compress(content, 1), created_by=by.user, created_by_name=by.name,
    )  # fmt: skip


def pair_of(held: MappingFile) -> Pair:
    return Pair(held.mapping, held.source, held.target)


def waiting() -> list[int]:
    return list(MappingFile.objects.filter(state__in=MappingFile.BUSY).order_by("pk").values_list("pk", flat=True)[:20])


def work(pk: int) -> None:
    """Read the file, or propose what it was seen to do. A second start while another process works on it does nothing."""
    with _alone(pk) as mine:
        held = MappingFile.objects.filter(pk=pk, state__in=MappingFile.BUSY).first() if mine else None
        if held is None:
            return
        try:
            content = gzip.decompress(bytes(held.content))
            tell = MappingFile.objects.filter(pk=pk)
            found = row_plans.make(pair_of(held), held.mode, content, lambda done: tell.update(done=done))
            _look(held, found) if held.state == "reading" else _propose(held, found)
        except HubError as error:
            MappingFile.objects.filter(pk=pk).update(state="failed", error=row_plans.why(pair_of(held), error)[:2000])
        except Exception:
            MappingFile.objects.filter(pk=pk).update(state="failed", error=BROKEN)
            raise


@contextlib.contextmanager
def _alone(pk: int) -> Iterator[bool]:
    key = "mapping file"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), %s)", [key, pk])
        mine = bool(cursor.fetchone()[0])
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", [key, pk])


def _look(held: MappingFile, found: Plan, error: str = "") -> None:
    outcome = {name: getattr(found, name) for name in ("added", "changed", "refused", "dropped")}
    MappingFile.objects.filter(pk=held.pk).update(
        state="ready", counts=found.counts(), outcome=outcome, plan_digest=found.digest(), error=error
    )


def _propose(held: MappingFile, found: Plan) -> None:
    """One request with everything, exactly as it was looked at; if the rows moved on meanwhile, it is shown anew."""
    if found.digest() != held.plan_digest:
        _look(held, found, "Rows of this mapping were changed since you looked. Look again, then send it.")
        return
    by = actor_of(held.created_by)
    with transaction.atomic():
        if not MappingFile.objects.select_for_update().filter(pk=held.pk, state="proposing").exists():
            return
        noun = MAPPINGS[held.mapping].record_type.noun
        title = f"Rows of the {noun} {held.source or 'hub'} → {held.target} from {held.file_name}"
        change = changes.propose(items=found.items, by=by, title=title, reason=held.reason, origin="import")
        MappingFile.objects.filter(pk=held.pk).update(state="done", change=change)


def why_not_sent(held: MappingFile, by: Actor) -> str:
    """Why this person cannot propose it as it is, "" when they can."""
    counts = held.counts
    if by.user != held.created_by:
        return f"Only {held.created_by_name}, who brought the file, sends it."
    if held.state in NOT_YET:
        return NOT_YET[held.state]
    if held.mode == "replace" and counts["refused"]:
        return "Replacing would drop rows whose successors are refused: correct the file first, or merge it."
    if not (counts["added"] or counts["changed"] or counts["dropped"]):
        return "Nothing would change."
    return ""


def send(*, held: MappingFile, reason: str, by: Actor) -> None:
    """Propose what was looked at, beside the page. NotNow when it cannot be."""
    refusal = why_not_sent(held, by)
    if refusal:
        raise NotNow(refusal)
    if not MappingFile.objects.filter(pk=held.pk, state="ready").update(state="proposing", done=0, reason=reason):
        raise NotNow("Somebody sent it a moment ago.")


def forget() -> int:
    return MappingFile.objects.filter(created_at__lt=timezone.now() - KEPT).exclude(state="proposing").delete()[0]
