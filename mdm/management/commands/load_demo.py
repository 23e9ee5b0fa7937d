"""Load the demo: every package's step in order. Safe to repeat: what is there already is left as it is."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand

from mdm import ports
from mdm.demo import clock, foundation


class Command(BaseCommand):
    help = "People, real organisation data as three extracts, requests, deliveries and drift. Marked as demo data."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--only", help="load only the step whose title starts so")

    def handle(self, *args: Any, **options: Any) -> None:
        clock.tell()
        try:
            self._load(options["only"])
        finally:
            clock.back()

    def _load(self, only: str | None) -> None:
        first = ports.DemoStep(order=10, title="People and rules", load=foundation.load)
        steps = sorted([first, *ports.demo_steps], key=lambda step: step.order)
        for number, step in enumerate(steps, 1):
            if only and not step.title.lower().startswith(only.lower()):
                continue
            started = time.monotonic()
            self.stdout.write(f"[{number}/{len(steps)}] {step.title}")
            self.stdout.flush()
            step.load(self._say)
            self.stdout.write(f"      done in {time.monotonic() - started:.1f} s")
            self.stdout.flush()

    def _say(self, text: str) -> None:
        self.stdout.write(f"      {text}")
        self.stdout.flush()
