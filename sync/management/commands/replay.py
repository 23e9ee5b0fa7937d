"""Repeats deliveries by filter; counts only, unless told to go."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mdm.errors import HubError
from mdm.types import Actor
from sync.services import replay


class Command(BaseCommand):
    help = "Shows what a replay would queue; queues it with --go. Without --state it means dead letters."

    def add_arguments(self, parser: CommandParser) -> None:
        for name in replay.FILTERS:
            parser.add_argument(f"--{name.replace('_', '-')}", action="append", default=None)
        parser.add_argument("--go", action="store_true", help="Queue, do not only count.")

    def handle(self, *args: Any, **options: Any) -> None:
        given = {name: options[name] for name in replay.FILTERS if options[name]}
        for name in ("created_from", "created_to"):
            if name in given:
                given[name] = given[name][0]
        try:
            job = replay.replay(filter=given, dry_run=not options["go"], by=Actor.system("command line"))
        except HubError as error:
            raise CommandError(error.message) from None
        for name, count in job.counts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
        if job.dry_run:
            self.stdout.write("Nothing was queued. Add --go to do it.")
