"""A worker process for kill tests: drains for ever, and says on stdout how far it is. `python -m tests.sync.worker POINT`

POINT names where it stops to be killed: `intent` (said that it will send, sent nothing), `sent` (the target has
applied it, nothing recorded), or `never`.
"""

from __future__ import annotations

import os
import sys
import time

import django


def main(point: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "mdm.settings"
    django.setup()
    from sync.services import deliver, drain, recording

    def stop(*_: object, **__: object) -> None:
        print(f"stopped at {point}", flush=True)
        time.sleep(600)

    if point == "intent":
        deliver.outside_transactions = stop
    elif point == "sent":
        recording.record = stop
    print("started", flush=True)
    while True:
        drain.drain_all(budget_s=5)
        time.sleep(0.02)


if __name__ == "__main__":
    main(sys.argv[1])
