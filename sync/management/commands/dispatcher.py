"""The dispatcher: numbers events, makes deliveries of them, rings for workers, and sends itself when nobody comes."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, connection

from sync import tasks
from sync.services import rounds

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Runs for ever: event log to deliveries. Goes on without Redis and without Celery."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="One round, sending everything itself, then end.")
        parser.add_argument("--interval", type=float, default=1.0, help="Seconds between rounds when idle.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self._round(alone=True)
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("The dispatcher is running.")
        while not stop.is_set():
            try:
                busy = self._round(alone=False)
            except Error as error:  # the database restarts: what was under way is read back when it is up again
                log.warning("The database does not answer (%s); trying again.", type(error).__name__)
                connection.close()
                stop.wait(2)
                continue
            if not busy:
                stop.wait(options["interval"])

    def _round(self, *, alone: bool) -> bool:
        tasks.beat("dispatcher")
        dispatched = rounds.dispatch_round()
        rung = False if alone else rounds.ring_round()
        states = rounds.own_round(tasks.process_id(), everything=alone or not rung)
        return bool(dispatched or states)
