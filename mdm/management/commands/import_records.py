"""Load a file of records from the command line: the same path as the web page and the API."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import yaml
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from mdm.errors import HubError
from mdm.models import ImportJob, System
from mdm.permissions import actor_of
from mdm.services import importing, loading
from mdm.types import Actor


class Command(BaseCommand):
    help = "Take in a CSV, XLSX or NDJSON file. Prints what became of every row: in = linked + new + updated + …"

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--system", required=True, help="code of the system the file comes from")
        parser.add_argument("--type", required=True, help="record type, such as supplier")
        parser.add_argument("--user", help="username of who loads it; default: the hub itself")
        parser.add_argument("--mapping", type=Path, help="YAML or JSON column mapping; kept for the system")
        parser.add_argument("--queue", action="store_true", help="leave the work to the Celery worker")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            job = self._receive(options)
            if not options["queue"]:
                self._work(job)
        except HubError as error:
            lines = [error.message, *(f"  {p.path}: {p.message}" for p in error.problems[:20] if p.path)]
            raise CommandError("\n".join(lines)) from None
        self._report(job)

    def _receive(self, options: dict[str, Any]) -> ImportJob:
        system = System.objects.filter(code=options["system"]).first()
        if system is None:
            known = ", ".join(System.objects.values_list("code", flat=True)) or "none yet; add one in the admin"
            raise CommandError(f"There is no system “{options['system']}”. Known: {known}.")
        mapping = yaml.safe_load(options["mapping"].read_text()) if options["mapping"] else None
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        with path.open("rb") as stream:
            return importing.receive(
                system=system,
                type=options["type"],
                file_name=path.name,
                stream=stream,
                by=self._actor(options["user"]),
                mapping=mapping,
            )

    def _actor(self, username: str | None) -> Actor:
        if not username:
            return Actor.system("Command line")
        user = get_user_model().objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user “{username}”.")
        return actor_of(user)

    def _work(self, job: ImportJob) -> None:
        started = time.monotonic()
        loading.run(job.pk)
        job.refresh_from_db()
        if job.state == "running":
            self.stdout.write("A worker took this import up; follow it on its page.")
        if self.stdout.isatty():
            self.stdout.write(f"{time.monotonic() - started:.1f} s")

    def _report(self, job: ImportJob) -> None:
        job.refresh_from_db()
        self.stdout.write(json.dumps({"uid": str(job.uid), "state": job.state, "counts": job.counts}))
        if job.error:
            raise CommandError(job.error)
        if job.change and job.change.state == "in_review":
            self.stdout.write(f"{job.change.number} waits for approval; its rows are applied after it.")
        if job.quarantined:
            self.stdout.write(f"{job.quarantined} rows are in quarantine: /imports/{job.uid}/")
