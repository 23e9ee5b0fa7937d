"""Loads the fixtures; settings and services: tests/settings.py, which pytest-django imports before this."""

import pytest

from tests import database

pytest_plugins = [
    "tests.fixtures_database",
    "tests.fixtures_processes",
    "tests.fixtures_browser",
    "tests.fixtures_story",
]


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # not in an xdist worker: those end before their controller
        database.leave_services()
