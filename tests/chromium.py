"""Where Chromium is, and the one command that installs it; without it `make test` fails, it never skips."""

from __future__ import annotations

import os
import shutil
import sys

INSTALL = "apt-get update && apt-get install -y chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find() -> str | None:
    for name in (
        os.environ.get("MDM_CHROMIUM", ""),
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ):
        if name and (path := shutil.which(name)):
            return path
    return None


def complaint() -> str:
    sudo = "" if os.geteuid() == 0 else "sudo "
    command = INSTALL.replace("apt-get", sudo + "apt-get")
    return f"The browser tests need Chromium. Install it with:\n\n    {command}\n"


if __name__ == "__main__":
    if not find():
        print(complaint(), file=sys.stderr)
        sys.exit(1)
