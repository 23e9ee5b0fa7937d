"""Rules of the house that no linter knows: names, who reads the environment, what services may import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.database import ROOT

PACKAGES = ("mdm", "dimensions", "suppliers", "sync")
JUNK_DRAWERS = {"utils", "helpers", "common", "base", "manager", "managers", "misc"}
# What runs before there is a Django, and what a process must be told before Django is set up.
READERS_OF_THE_ENVIRONMENT = {
    "mdm/settings.py",
    "mdm/celery.py",
    "mdm/asgi.py",
    "mdm/wsgi.py",
    "mdm/demo",
    "mdm/embedded",
}
HTTP = ("django.http", "django.views", "django.shortcuts", "rest_framework")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.parent.name != "migrations":
                yield path


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_junk_drawers():
    assert [_name(path) for path in modules() if path.stem in JUNK_DRAWERS] == []


def test_every_module_says_what_it_owns():
    assert [_name(path) for path in modules() if path.read_text().strip() and not _docstring(path)] == []


def test_services_know_no_http():
    wrong = [
        f"{_name(path)}: {imported}"
        for path in modules()
        if "/services/" in _name(path)
        for imported in _imports(path)
        if imported.startswith(HTTP)
    ]
    assert wrong == []


def test_only_settings_read_the_environment():
    wrong = [
        _name(path)
        for path in modules()
        if re.search(r"os\.environ|os\.getenv", path.read_text())
        and not any(_name(path).startswith(allowed) for allowed in READERS_OF_THE_ENVIRONMENT)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "reader", ["mdm/settings.py", "requirements/install", "tests/database.py", "tests/chromium.py"]
)
def test_every_variable_is_explained(reader):
    explained = (ROOT / "deploy" / "environment.md").read_text()
    read = set(re.findall(r"\b(?:MDM_[A-Z0-9_]+[A-Z0-9]|DATABASE_[A-Z_]*URL|REDIS_URL)\b", (ROOT / reader).read_text()))
    assert sorted(name for name in read - {"MDM_TEST_PROCESS", "MDM_TEST_GIVEN"} if f"`{name}`" not in explained) == []


def test_nothing_names_this_machine():
    """A newcomer has neither our folders nor our mirrors."""
    for path in (*modules(), *(ROOT / "requirements").iterdir(), ROOT / "Makefile", ROOT / "pyproject.toml"):
        assert not re.search(r"/(?:home|root|Users)/|https?://(?!docs\.)[^\s\"'/]*(?:pypi|mirror)", path.read_text()), (
            _name(path)
        )


def _docstring(path: Path) -> str | None:
    return ast.get_docstring(ast.parse(path.read_text()))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
