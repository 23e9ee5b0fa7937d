"""Loads the fixtures; settings and services: tests/settings.py, which pytest-django imports before this."""

import pytest
from hypothesis import HealthCheck, settings

from tests import database, network

# Speed is measured by `make bench`: a busy machine must not make a rule look broken.
settings.register_profile("hub", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hub")

network.forbid_inside_transactions()

pytest_plugins = [
    "tests.fixtures_database",
    "tests.fixtures_processes",
    "tests.fixtures_browser",
    "tests.fixtures_story",
]


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # not in an xdist worker: those end before their controller
        database.leave_services()
