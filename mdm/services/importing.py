"""Imports as their users meet them: a file is received, sealed, mapped, queued, and its rows become records."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from mdm import correlation, crypto, registry
from mdm.errors import CorrectInput, NotAllowed, NotNow, TooLarge
from mdm.models import ColumnMapping, ImportJob, System, UploadChunk
from mdm.permissions import may
from mdm.reading import columns, row_facts, tables
from mdm.reading.rows import Limits
from mdm.registry import RecordType
from mdm.services import audit
from mdm.types import Actor, Problem

_CHUNK = 1024 * 1024
SAMPLES = 3


def receive(
    *,
    system: System,
    type: str,
    file_name: str,
    stream: BinaryIO,
    by: Actor,
    mapping: dict[str, Any] | None = None,
    start: bool = True,
    remember: bool = True,
) -> ImportJob:
    """Take a file in: look at it before anything is kept, seal it, and queue it when its columns are mapped.

    `mapping` is kept for the system; without one the system's own is used, else one is guessed from the headings.
    Raises CorrectInput or TooLarge for files that cannot be read; then nothing is kept.
    """
    kind = registry.find(type)
    if kind is None:
        raise CorrectInput(f"There is no record type “{type}”.")
    if not may(by, f"propose:{kind.path}"):
        raise NotAllowed(f"You may not load {kind.nouns}.")
    with tempfile.TemporaryFile() as copy:
        size, file_hash = _copy(stream, copy)
        reader = tables.read(copy, limits=limits())
        known = mapping or _known_mapping(system, kind)
        spec = known or columns.guess(kind, reader.columns, _samples(reader))
        problems = misfits(kind, spec, reader)
        if start and problems:
            raise CorrectInput(
                f"{problems[0].message} Correct the column mapping, then send the file again.",
                problems=problems,
            )
        with transaction.atomic():
            job = ImportJob.objects.create(
                system=system,
                type=kind.key,
                file_name=file_name[:255],
                file_hash=file_hash,
                file_bytes=size,
                format=reader.format,
                encoding=reader.encoding,
                delimiter=reader.delimiter,
                mapping=spec,
                correlation_id=correlation.current(),
                created_by=by.user,
                created_by_name=by.name,
            )
            copy.seek(0)
            _seal(job, copy)
            audit.record(
                action="import.received",
                by=by,
                object_type="import",
                object_uid=job.uid,
                object_label=str(job),
                detail={"bytes": size, "sha256": file_hash},
            )
            if start:
                job = enqueue(job=job, by=by, mapping=spec, remember=remember)
    return job


def _copy(stream: BinaryIO, copy: BinaryIO) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while piece := stream.read(_CHUNK):
        size += len(piece)
        if size > settings.IMPORT_MAX_BYTES:
            raise TooLarge(
                f"The file is larger than {settings.IMPORT_MAX_BYTES // 2**20} MiB. Split it and send the parts."
            )
        digest.update(piece)
        copy.write(piece)
    copy.seek(0)
    return size, digest.hexdigest()


def _seal(job: ImportJob, copy: BinaryIO) -> None:
    position = 0
    while piece := copy.read(_CHUNK):
        UploadChunk.objects.create(job=job, position=position, sealed=crypto.seal_bytes(piece))
        position += 1


@contextlib.contextmanager
def opened(job: ImportJob) -> Iterator[BinaryIO]:
    """The file in plain, in a temporary file that has no name and is gone afterwards."""
    with tempfile.TemporaryFile() as copy:
        for sealed in job.chunks.order_by("position").values_list("sealed", flat=True).iterator(chunk_size=1):
            copy.write(crypto.open_bytes(sealed))
        copy.seek(0)
        yield copy


def limits() -> Limits:
    """How much of a file is believed, as the installation says."""
    return Limits(file=settings.IMPORT_MAX_BYTES, cell=settings.IMPORT_MAX_CELL)


def misfits(kind: RecordType, spec: dict[str, Any], reader: tables.Reader) -> list[Problem]:
    """Why this mapping does not fit the file: its mistakes, and columns it reads that the file lacks.

    A mapped column that is missing stops the import: taken as empty, it would blank that field everywhere.
    """
    return columns.check(spec, kind, reader.columns, partial=reader.format == "ndjson")


def _known_mapping(system: System, kind: RecordType) -> dict[str, Any] | None:
    return ColumnMapping.objects.filter(system=system, type=kind.key).values_list("spec", flat=True).first()


def _samples(reader: Any) -> list[dict[str, str]]:
    found = []
    for row in reader:
        if row.problem is None:
            found.append(row.values)
        if len(found) >= SAMPLES:
            break
    return found


def look(job: ImportJob) -> dict[str, Any]:
    """For the mapping page: {columns: [{name, path, samples}], paths, problems} of a job not started yet."""
    with opened(job) as copy:
        reader = tables.read(copy, limits=limits())
        samples = _samples(reader)
    kind = registry.get(job.type)
    paths = columns.paths_by_column(job.mapping)
    return {
        "columns": [
            {
                "name": name,
                "path": paths.get(name, ""),
                "samples": [row.get(name, "") for row in samples],
            }
            for name in reader.columns
        ],
        "paths": [*columns.known_paths(kind), *row_facts.paths(kind)],
        "problems": misfits(kind, job.mapping, reader),
    }


@transaction.atomic
def enqueue(*, job: ImportJob, by: Actor, mapping: dict[str, Any], remember: bool = True) -> ImportJob:
    """Start a job: its mapping becomes the system's (unless it was made for this one body), the work is queued in
    the database, the bell is rung."""
    from mdm.services import loading

    job = ImportJob.objects.select_for_update().get(pk=job.pk)
    if job.state != "uploaded":
        raise NotNow("This import was started already.")
    kind = registry.get(job.type)
    columns.ColumnMap(mapping, kind)  # refuses a mapping nobody could apply
    if remember:
        ColumnMapping.objects.update_or_create(
            system=job.system, type=job.type, defaults={"spec": mapping, "updated_by": by.name}
        )
    job.mapping, job.state = mapping, "queued"
    job.change = loading.open_request(job=job, by=by, title=f"Load {job.file_name} from {job.system.title}")
    job.save()
    ring(job)
    return job


@transaction.atomic
def cancel(*, job: ImportJob, by: Actor) -> ImportJob:
    """Stop a job; what it already took in stays, with its counts."""
    job = ImportJob.objects.select_for_update().get(pk=job.pk)
    if job.state not in ("uploaded", "queued", "running"):
        raise NotNow(f"This import is {job.state} already.")
    job.state, job.finished_at = "cancelled", timezone.now()
    job.save(update_fields=["state", "finished_at"])
    job.chunks.all().delete()
    audit.record(action="import.cancelled", by=by, object_type="import", object_uid=job.uid, object_label=str(job))
    return job


def ring(job: ImportJob) -> None:
    """Wake a worker after commit; when the broker is down the dispatcher finds the queued job by itself."""
    from mdm.tasks import run_import

    def call() -> None:
        with contextlib.suppress(Exception):
            run_import.delay(job.pk)

    transaction.on_commit(call, robust=True)
