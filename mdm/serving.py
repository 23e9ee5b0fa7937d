"""How gunicorn takes and logs requests, in demo, tests and production: `--config python:mdm.serving`."""

import gc
from typing import Any

# The most gunicorn allows: a list filtered by a hundred uids is asked for in one line.
limit_request_line = 8190
accesslog = "-"
# Neither the query nor the referer: people look for records by bank numbers, and a log keeps what it is told.
access_log_format = '%(h)s %(t)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms %({x-correlation-id}o)s'


def post_worker_init(worker: Any) -> None:
    """What was loaded to start with lives as long as the process: it is not looked through again for every large answer."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_MOST, *_OLDER)


def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
    """Between requests hardly anything young is alive, so that looking for garbage takes no time; in the middle of a large
    answer it would take as long as the answer."""
    young, middle, old = gc.get_count()
    if young > _FEW:
        gc.collect(2 if old > _OLDER[1] else 1 if middle > _OLDER[0] else 0)


_FEW, _MOST = 2_000, 500_000  # new objects: collected after the request that made them, and in its middle
_OLDER = (20, 50)
