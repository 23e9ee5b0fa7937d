"""Queues the current version of records for one target by hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mdm.errors import HubError
from mdm.types import Actor
from sync.errors import SyncError
from sync.models import Target
from sync.services import pushing, targets


class Command(BaseCommand):
    help = "Queues the current version of some records, of a type, or of everything a target is subscribed to."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", help="Code of the target.")
        parser.add_argument("--type", default="", help="Record type, such as supplier.")
        parser.add_argument("--record", action="append", default=[], help="uid of a record; may be repeated.")
        parser.add_argument("--dry-run", action="store_true", help="Only count.")

    def handle(self, *args: Any, **options: Any) -> None:
        target = Target.objects.filter(code=options["target"]).first()
        if target is None:
            raise CommandError(f"There is no target “{options['target']}”.")
        try:
            pushed = targets.push(
                target,
                by=Actor.system("command line"),
                type=options["type"],
                uids=options["record"],
                dry_run=options["dry_run"],
            )
        except (HubError, SyncError) as error:
            raise CommandError(error.message) from None
        while not options["dry_run"] and not options["record"] and pushing.go_on():
            self.stdout.write("queueing …")
        for name, count in pushed.counts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
