"""The local PostgreSQL and Redis of demo and tests: found, started, stopped, thrown away.

Imports no Django: it runs before there is a database. `python -m mdm.embedded` is its command line.
"""

from mdm.embedded.local import environment, given, is_running, reset, start, status, stop
from mdm.embedded.missing import Missing

__all__ = ["Missing", "environment", "given", "is_running", "reset", "start", "status", "stop"]
