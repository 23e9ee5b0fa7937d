"""Sends the current version of records to one target: some, a type, what changed, or everything; planned or at once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from mdm.errors import HubError
from mdm.types import Actor
from sync.errors import SyncError
from sync.management.commands.replay import follow, tell
from sync.models import Target
from sync.models.job import LIMIT
from sync.services import jobs, targets

BY = Actor.system("command line")


class Command(BaseCommand):
    help = "Queues the current version of some records, of what changed, of a type, or of everything of a target."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", help="Code of the target.")
        parser.add_argument("--type", default="", help="Record type, such as supplier.")
        parser.add_argument("--record", action="append", default=[], help="uid of a record; may be repeated.")
        parser.add_argument("--since", default="", help="Only what changed since, such as 2026-05-01T00:00:00Z.")
        parser.add_argument("--plan", action="store_true", help="Look what it would do first; a person applies it.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")
        parser.add_argument("--follow", action="store_true", help="Stay and tell how far it is.")

    def handle(self, *args: Any, **options: Any) -> None:
        target = Target.objects.filter(code=options["target"]).first()
        if target is None:
            raise CommandError(f"There is no target “{options['target']}”.")
        try:
            self._push(target, options)
        except (HubError, SyncError) as error:
            raise CommandError(error.message) from None

    def _push(self, target: Target, options: dict[str, Any]) -> None:
        records, since = options["record"], None
        if options["since"]:
            since = parse_datetime(options["since"])
            if since is None or since.tzinfo is None:
                raise CommandError("Give --since with its zone, such as 2026-05-01T00:00:00Z.")
        if records and len(records) <= LIMIT and not options["plan"]:
            pushed = targets.push(target, by=BY, type=options["type"], uids=records, dry_run=options["dry_run"])
            self._say(pushed.counts)
            return
        scope: dict[str, Any] = {"type": options["type"], "since": since, "records": records}
        if options["dry_run"]:
            self._say(jobs.count(target, by=BY, **scope))
            return
        job = jobs.ask_for_records(target, by=BY, plan=options["plan"], **scope)
        tell(self, job)
        if options["follow"]:
            follow(self, job)

    def _say(self, counts: dict[str, int]) -> None:
        for name, count in counts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
