"""Which processes make up the demo, with their commands; nothing here starts anything."""

from __future__ import annotations

import sys
from pathlib import Path

from mdm.demo.child import Child
from mdm.demo.platforms import ROOT, all_platforms
from mdm.embedded import state

PREPARATION = [sys.executable, "-m", "mdm.demo.preparation"]


def names() -> list[str]:
    """The sandboxes of the demo."""
    return [platform.name for platform in all_platforms()]


def sandbox_urls(var: Path) -> dict[str, str]:
    """The same addresses at every start, so that what the hub has stored about a target stays true."""
    return {name: f"http://127.0.0.1:{state.port_for(var, name)}" for name in names()}


def sandboxes(var: Path, urls: dict[str, str], environment: dict[str, str]) -> list[Child]:
    """One process. Each starts out holding the records of its own extract, as a platform in use would."""
    served = [f"{one.name}={urls[one.name].rpartition(':')[2]}={one.seed}" for one in all_platforms()]
    command = [sys.executable, "-m", "sync.sandboxes", "--state", str(var / "sandboxes"), *served]
    return [_child(var, "sandboxes", command, environment)]


def hub(var: Path, port: int, environment: dict[str, str]) -> list[Child]:
    """Web, worker, beat, dispatcher: what a production machine would run, smaller."""
    python = sys.executable
    celery, level = [python, "-m", "celery", "--app", "mdm"], ["--loglevel", "INFO"]
    commands = {
        "web": [
            python, "-m", "gunicorn", "mdm.wsgi:application", "--bind", f"127.0.0.1:{port}",
            "--worker-class", "gthread", "--preload", "--workers", "2", "--threads", "4", "--graceful-timeout", "5",
            "--config", "python:mdm.serving", "--no-control-socket",  # it would lie in the home folder, one for all demos
        ],
        "worker": [*celery, "worker", "--concurrency", "2", "--hostname", f"demo-{port}@%h", *level],
        "beat": [*celery, "beat", "--schedule", str(var / "beat-schedule"), "--pidfile=", *level],
        "dispatcher": [python, "manage.py", "dispatcher"],
    }  # fmt: skip
    return [_child(var, name, command, environment) for name, command in commands.items()]


def _child(var: Path, name: str, command: list[str], environment: dict[str, str]) -> Child:
    return Child(name, command, environment=environment, log=var / "log" / f"{name}.log", folder=ROOT)
