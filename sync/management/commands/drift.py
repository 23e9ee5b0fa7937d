"""Looks what a target really holds, in this process, and prints the findings."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mdm.crypto import mask
from mdm.errors import HubError
from mdm.types import Actor
from sync.models import DriftFinding, Target
from sync.services import drift


class Command(BaseCommand):
    help = "One drift run against a target: whole, one type, or one record."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", help="Code of the target.")
        parser.add_argument("--type", default="")
        parser.add_argument("--record", default=None, help="uid of one record.")
        parser.add_argument("--show", type=int, default=20, help="How many findings to print.")

    def handle(self, *args: Any, **options: Any) -> None:
        target = Target.objects.filter(code=options["target"]).first()
        if target is None:
            raise CommandError(f"There is no target “{options['target']}”.")
        try:
            asked = drift.request(
                target, by=Actor.system("command line"), type=options["type"], record=options["record"]
            )
        except HubError as error:
            raise CommandError(error.message) from None
        run = drift.run(asked.uid)
        self.stdout.write(f"{run.state} {run.error}".strip())
        for name, count in run.counts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {count}")
        found = DriftFinding.objects.filter(last_run=run).exclude(state="resolved").order_by("pk")
        for row in found[: options["show"]]:
            values = f"ours {mask(row.golden)!s:.60} · theirs {mask(row.target_value)!s:.60}" if row.field else ""
            self.stdout.write(f"{row.kind} · {row.label or row.target_key} · {row.field} {values} · {row.cause}")
        if run.state != "done":
            raise CommandError("The run did not end well.")
