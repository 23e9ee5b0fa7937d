"""Loads the fixtures; settings and services: tests/settings.py, which pytest-django imports before this."""

from collections import Counter
from itertools import zip_longest

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin early, else one process is still at such a file when the others have nothing left: those
    with slow tests, which mostly wait for processes of their own, in turns with those of many tests."""
    counts = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    lists = (sorted(slow), sorted(counts.keys() - slow, key=lambda path: (-counts[path], path)))
    place = {path: number for number, path in enumerate(path for pair in zip_longest(*lists) for path in pair if path)}
    items.sort(key=lambda item: place[item.path])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # not in an xdist worker: those end before their controller
        database.leave_services()
