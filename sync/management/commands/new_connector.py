"""Makes the folder of a new connector: one that passes the contract tests at once, to be changed file by file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

ROOT = Path(__file__).resolve().parents[3]
_SCAFFOLD = ROOT / "sync" / "connector_scaffold"
_EXTRACT = "suppliers.csv"


class Command(BaseCommand):
    help = "Make sync/connectors/NAME and its small extract; adding or removing a platform touches nothing else."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("name", help="lower case letters, digits and _: the folder, and the word in Targets")
        parser.add_argument("--title", default="", help="as people call it; made from the name when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        name: str = options["name"]
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
            raise CommandError("Give a name of lower case letters, digits and _, such as “acme_erp”.")
        folder = ROOT / "sync" / "connectors" / name
        if folder.exists():
            raise CommandError(f"There is a connector “{name}” already.")
        title = " ".join(options["title"].split()) or name.replace("_", " ").title()
        if not title.isprintable() or '"' in title or "\\" in title:
            raise CommandError("Give a title without quotation marks and backslashes.")
        folder.mkdir()
        for file in sorted(_SCAFFOLD.iterdir()):
            if file.is_file() and file.name != _EXTRACT:
                (folder / file.name).write_text(_renamed(file.read_text("utf-8"), name, title), "utf-8")
        extract = ROOT / "suppliers" / "demo" / "extracts" / "small" / f"{name}_{_EXTRACT}"
        extract.write_bytes((_SCAFFOLD / _EXTRACT).read_bytes())
        for made in (folder, extract):
            self.stdout.write(f"made {made.relative_to(ROOT)}")
        self.stdout.write(f"next: python -m pytest -n 0 tests/contracts/test_connectors.py -k {name}")


def _renamed(text: str, name: str, title: str) -> str:
    camel = "".join(word.capitalize() for word in name.split("_"))
    package = f"sync.connectors.{name}"
    renamed = {"sync.connector_scaffold": package, "new_platform": name, "NewPlatform": camel, "New Platform": title}
    for ours, theirs in renamed.items():
        text = text.replace(ours, theirs)
    return text
