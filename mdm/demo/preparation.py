"""The steps between an empty database and a hub with data, run as one process of the demo: `… -m mdm.demo.preparation`.

One process, because setting Django up costs a second and more each time; the second start has to be quick.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from mdm.demo.console import say
from mdm.demo.lineup import ROOT, names
from mdm.embedded import state
from mdm.embedded.missing import Missing

_WITH_STATIC = ("mdm", "dimensions", "suppliers", "sync")
_SANDBOX_WITHIN = 60.0  # seconds


def prepare(var: Path) -> None:
    """Every step may be repeated: what is done already is found done."""
    from django.core.management import call_command

    steps: list[tuple[str, Callable[[], object]]] = [
        ("database schema", lambda: call_command("migrate", database="owner", verbosity=0)),
        ("rights of the application's login", lambda: call_command("provision_role")),
        ("static files", lambda: _collect_static(var)),
        ("sandboxes", lambda: _wait_for_sandboxes(var)),
        ("demo data", lambda: call_command("load_demo")),
    ]
    for title, step in steps:
        began = time.monotonic()
        say(f"{title} …")
        step()
        say(f"{title}: done in {time.monotonic() - began:.1f} s")


def _collect_static(var: Path) -> None:
    """Only when a file has changed: compressing all of them takes seconds."""
    from django.core.management import call_command

    digest = hashlib.sha256((ROOT / "requirements" / "base.txt").read_bytes())
    sources = (path for package in _WITH_STATIC for path in (ROOT / package / "static").rglob("*"))
    for path in sorted(sources):
        digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size} {path.stat().st_mtime_ns}\n".encode())
    stamp = var / "static.json"
    if state.read(stamp).get("digest") == digest.hexdigest() and (var / "static").exists():
        return
    call_command("collectstatic", interactive=False, verbosity=0)
    state.write(stamp, {"digest": digest.hexdigest()})


def _wait_for_sandboxes(var: Path) -> None:
    """Loading the demo pushes to them."""
    for name in names():
        _wait_for(name, var)


def _wait_for(name: str, var: Path) -> None:
    url = os.environ[f"MDM_SANDBOX_{name.upper()}_URL"] + "/_control/records?type=supplier"
    deadline = time.monotonic() + _SANDBOX_WITHIN
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError as problem:
            if time.monotonic() > deadline:
                log = var / "log" / "sandboxes.log"
                raise Missing(f"The sandbox {name} does not answer ({problem}); see {log}") from None
        time.sleep(0.1)


def main() -> int:
    import django

    django.setup()
    try:
        prepare(Path(os.environ["MDM_VAR_DIR"]))
    except Missing as problem:
        say(str(problem))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
