"""Imports over REST: files and bulk bodies come in as jobs; progress, refused rows, their correction."""

from __future__ import annotations

import hashlib
import json
import tempfile
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from pydantic import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import registry
from mdm.api import bodies, documents, problems
from mdm.api.import_shapes import (
    DismissInput,
    ImportBody,
    ImportFields,
    ImportQuery,
    RefusedQuery,
    RefusedRow,
    ResubmitInput,
)
from mdm.api.operations import Answer, Operation, Page, Upload, operation
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotFound
from mdm.models import ImportJob, KeySnapshot, QuarantinedRow, System
from mdm.selectors import imports
from mdm.services import importing, quarantine
from mdm.types import Problem

_KIB = 64 * 1024


def present(job: ImportJob) -> dict[str, Any]:
    return {
        "uid": job.uid,
        "system": job.system.code,
        "type": job.type,
        "file_name": job.file_name,
        "state": job.state,
        "error": job.error,
        "counts": job.counts,
        "progress": _progress(job),
        "rows_total": job.rows_total,
        "change_request": job.change.uid if job.change else None,
        "created_by": job.created_by_name,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "correlation_id": job.correlation_id,
        "recounts": [recount(row) for row in job.snapshots.all()],
    }


def recount(row: KeySnapshot) -> dict[str, Any]:
    counts = {name: row.report.get(name, 0) for name in ("pairs", "flips")}
    return {"taken_at": row.taken_at, "records": row.total, **counts, "bands": row.report.get("bands", {})}


def _progress(job: ImportJob) -> float | None:
    if job.state in ("done", "failed", "cancelled"):
        return 1.0
    if not job.rows_total:
        return None
    return round(min(1.0, job.rows_in / job.rows_total), 4)


class ImportView(HubView):
    def visible(self) -> QuerySet[ImportJob]:
        counted = Prefetch("snapshots", KeySnapshot.objects.defer("hashes", "held"))
        return imports.visible(self.actor, self.entities).prefetch_related(counted)

    def find(self, uid: str) -> ImportJob:
        job = self.visible().filter(**documents.lookup_uid(uid)).first()
        if job is None:
            raise NotFound("There is no such import.")
        return job

    def accept(
        self, *, system: str, type_: str, name: str, stream: BinaryIO, mapping: Any = None, remember: bool = True
    ) -> Response:
        """Queue the file; the answer says where to look."""
        source = System.objects.filter(code=system).first()
        if source is None:
            text = f"There is no system “{system}”."
            raise CorrectInput(text, problems=[Problem("system", "unknown_system", text)])
        job = importing.receive(
            system=source,
            type=type_,
            file_name=name,
            stream=stream,
            by=self.actor,
            mapping=mapping,
            start=True,
            remember=remember,
        )
        location = self.request.build_absolute_uri(reverse("api:import", args=[job.uid]))
        return Response(present(job), status=202, headers={"Location": location})


class Imports(ImportView):
    @operation("List imports", scope="read", query=ImportQuery, answers={200: Page[ImportBody]})
    def get(self, request: Request) -> Response:
        rows = self.visible()
        if self.query.state:
            rows = rows.filter(state=self.query.state)
        if self.query.system:
            rows = rows.filter(system__code=self.query.system)
        if self.query.type:
            kind = registry.find(self.query.type)
            rows = rows.filter(type=kind.key) if kind else rows.none()
        return self.page(rows, present=present, order=("-created_at",))

    @operation(
        "Import a file",
        scope="propose",
        body=Upload(ImportFields),
        answers={202: Answer(ImportBody, headers=("Location",))},
        max_bytes=settings.IMPORT_MAX_BYTES,
        notes="CSV, XLSX or NDJSON. Rows that cannot be taken in wait under `problems/`.",
    )
    def post(self, request: Request) -> Response:
        fields, file = self.upload
        mapping = None
        if fields.mapping:
            try:
                mapping = json.loads(fields.mapping)
            except (ValueError, RecursionError):
                mapping = None
            if not isinstance(mapping, dict):
                text = "This must be a JSON object."
                raise CorrectInput(text, problems=[Problem("mapping", "malformed", text)])
        return self.accept(
            system=fields.system,
            type_=fields.type,
            name=file.name or "upload",
            stream=cast(BinaryIO, file),
            mapping=mapping,
        )

    def read_upload(self, request: Request, spec: Operation) -> None:
        """The form, checked; its fingerprint is that of fields and file, for parts have random borders."""
        bodies.check_media(request, spec)
        files, posted = request._request.FILES, request._request.POST
        given = {name: values[-1] for name, values in posted.lists()}
        for name, value in given.items():
            bodies.check_text(value, name)
        try:
            fields = ImportFields.model_validate(given)
        except ValidationError as error:
            raise problems.correct(problems.problems_of(error)) from None
        unknown = [name for name in files if name != "file"]
        if unknown or len(files.getlist("file")) != 1:
            text = "Send one file, as the part “file”."
            raise CorrectInput(text, problems=[Problem("file", "missing", text)])
        file = files["file"]
        assert isinstance(file, UploadedFile)
        digest = hashlib.sha256(json.dumps(sorted(given.items())).encode())
        for piece in file.chunks(_KIB):
            digest.update(piece)
        file.seek(0)
        request._mdm_upload_digest = digest.digest()  # type: ignore[attr-defined]
        self.upload = (fields, file)


class Import(ImportView):
    @operation("Show an import with its progress", scope="read", answers={200: ImportBody})
    def get(self, request: Request, uid: str) -> Response:
        return Response(present(self.find(uid)))


class CancelImport(ImportView):
    @operation("Stop an import", scope="propose", answers={200: ImportBody}, notes="What it took in already stays.")
    def post(self, request: Request, uid: str) -> Response:
        job = self.find(uid)
        kind = registry.get(job.type)
        self.require_scope(f"propose:{kind.path}")
        importing.cancel(job=job, by=self.actor)
        return Response(present(self.find(uid)))


# --- rows that were refused -------------------------------------------------------------------------------------


def present_row(row: QuarantinedRow) -> dict[str, Any]:
    return {
        "uid": row.uid,
        "row": row.row,
        "key": row.key,
        "cause": row.cause,
        "errors": [{"path": p["path"], "code": p["code"], "message": p["message"]} for p in row.problems],
        "raw": quarantine.shown(row),
        "state": row.state,
        "resolved_by": row.resolved_by,
        "resolved_at": row.resolved_at,
    }


class RefusedRows(ImportView):
    @operation("List the rows an import refused", scope="read", query=RefusedQuery, answers={200: Page[RefusedRow]})
    def get(self, request: Request, uid: str) -> Response:
        rows = QuarantinedRow.objects.filter(job=self.find(uid)).select_related("job")
        if self.query.state:
            rows = rows.filter(state=self.query.state)
        if self.query.cause:
            rows = rows.filter(cause=self.query.cause)
        return self.page(rows, present=present_row, order=("row",))


class RefusedRowView(ImportView):
    def find_row(self, uid: str, row_uid: str) -> QuarantinedRow:
        job = self.find(uid)
        self.require_scope(f"propose:{registry.get(job.type).path}")
        row = job.quarantine.select_related("job").filter(**documents.lookup_uid(row_uid)).first()
        if row is None:
            raise NotFound("There is no such row.")
        return row


class ResubmitRow(RefusedRowView):
    @operation("Correct a refused row and take it in", scope="propose", body=ResubmitInput, answers={200: RefusedRow})
    def post(self, request: Request, uid: str, row_uid: str) -> Response:
        row = self.find_row(uid, row_uid)
        quarantine.resubmit(row=row, values=dict(self.body.values), by=self.actor)
        return Response(present_row(self.find_row(uid, row_uid)))


class DismissRow(RefusedRowView):
    @operation("Leave a refused row out", scope="propose", body=DismissInput, answers={200: RefusedRow})
    def post(self, request: Request, uid: str, row_uid: str) -> Response:
        quarantine.dismiss(row=self.find_row(uid, row_uid), reason=self.body.reason, by=self.actor)
        return Response(present_row(self.find_row(uid, row_uid)))


def spool(request: Request, limit: int) -> tuple[BinaryIO, bytes]:
    """A streamed body in a temporary file without a name, and its digest."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115  closed with the request, which is when nobody holds it
    digest = hashlib.sha256()
    size = 0
    while piece := request._request.read(_KIB):
        size += len(piece)
        if size > limit:
            raise bodies.TooLarge(f"The body has more than {limit:,} bytes.")
        digest.update(piece)
        copy.write(piece)
    copy.seek(0)
    return copy, digest.digest()
