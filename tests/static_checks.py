"""`make lint`: every check that needs no running hub, all of them even when one fails, and what failed at the end."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_PYTHON = [sys.executable, "-m"]
_MANAGE = [sys.executable, "manage.py"]


def production_like() -> dict[str, str]:
    """What `check --deploy` is to judge: the settings production starts with, on keys made for this one run."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return {
        "MDM_ENV": "production",
        "MDM_SECRET_KEY": secrets.token_urlsafe(60),
        "MDM_MASTER_KEYS": f"check:{key}",
        "MDM_INDEX_KEY": key,
        "MDM_ALLOWED_HOSTS": "hub.example.com",
    }


def checks() -> dict[str, tuple[list[str], dict[str, str]]]:
    """Title → command and extra environment."""
    packages = ["mdm", "dimensions", "suppliers", "sync", "tests", "manage.py"]
    return {
        "style": ([*_PYTHON, "ruff", "check", *packages], {}),
        "format": ([*_PYTHON, "ruff", "format", "--check", *packages], {}),
        "types": ([*_PYTHON, "mypy"], {}),
        "import rules": ([str(Path(sys.executable).with_name("lint-imports"))], {}),
        "migrations complete": ([*_MANAGE, "makemigrations", "--check", "--dry-run"], {}),
        "deployment": ([*_MANAGE, "check", "--deploy", "--fail-level", "WARNING"], production_like()),
        "OpenAPI": (
            [*_MANAGE, "spectacular", "--validate", "--fail-on-warn", "--file", os.devnull],
            {},
        ),
        "templates": ([*_PYTHON, "djlint", "templates", "--lint", "--quiet"], {}),
    }


def main() -> int:
    failed = []
    for title, (command, extra) in checks().items():
        began = time.monotonic()
        print(f"== {title} …", flush=True)
        # Without a database: no check may need one.
        environment = {"DJANGO_SETTINGS_MODULE": "mdm.settings"} | dict(os.environ) | extra
        code = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
        print(f"== {title}: {'ok' if code == 0 else 'FAILED'} ({time.monotonic() - began:.0f} s)", flush=True)
        if code:
            failed.append(title)
    print(f"static checks: {'all passed' if not failed else 'FAILED: ' + ', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
