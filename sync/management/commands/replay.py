"""Repeats deliveries by filter: looks first; with --go a push job per target."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mdm.errors import HubError
from mdm.types import Actor
from sync.models import PushJob
from sync.models.job import MOVES
from sync.services import job_work, replay


def tell(command: BaseCommand, job: PushJob) -> None:
    words = f"{job.target.title}: {job.done} of {job.total} done, {job.state}"
    command.stdout.write(f"{words} {job.error}".strip() + f" · push job {job.uid}")
    if job.state == "waiting":
        command.stdout.write(
            "It waits for a person with the role of an operator or a data steward: the page of push jobs."
        )


def follow(command: BaseCommand, job: PushJob) -> None:
    """Until the job is at its end or waits for a person; it goes on without us as well."""
    while MOVES[job.state] and job.state not in ("waiting", "paused"):
        job_work.go_on()
        job.refresh_from_db()
        tell(command, job)
        time.sleep(1)


class Command(BaseCommand):
    help = "Shows what a replay would do; does it with --go. Without --state it means dead letters."

    def add_arguments(self, parser: CommandParser) -> None:
        for name in replay.FILTERS:
            parser.add_argument(f"--{name.replace('_', '-')}", action="append", default=None)
        parser.add_argument("--go", action="store_true", help="Make a push job per target, do not only look.")
        parser.add_argument("--rate", type=float, default=None, help="Deliveries a second; else the target's own rate.")
        parser.add_argument("--force", action="store_true", help="The version as it was, not the newest.")
        parser.add_argument("--reason", default="", help="Needed with --force.")
        parser.add_argument("--follow", action="store_true", help="Stay and tell how far it is.")

    def handle(self, *args: Any, **options: Any) -> None:
        given = {name: options[name] for name in replay.FILTERS if options[name]}
        for name in ("created_from", "created_to"):
            if name in given:
                given[name] = given[name][0]
        try:
            found = replay.replay(
                filter=given, dry_run=not options["go"], by=Actor.system("command line"), forced=options["force"],
                reason=options["reason"], rate_per_s=options["rate"],
            )  # fmt: skip
        except HubError as error:
            raise CommandError(error.message) from None
        for look in found.looks:
            states = ", ".join(f"{number} {state}" for state, number in sorted(look.states.items()))
            self.stdout.write(f"{look.target.title}: {states}; {look.lanes} lanes, {look.newer} with a newer version")
        for name, count in found.counts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
        for job in found.jobs:
            tell(self, job)
            if options["follow"]:
                follow(self, job)
        if not options["go"]:
            self.stdout.write("Nothing was queued. Add --go to do it.")
