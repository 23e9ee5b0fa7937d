"""What a connector owes that makes several records in one request, held against the real Tryton."""

from __future__ import annotations

import pytest

from tests.contracts.test_bulk import *  # noqa: F403

del test_it_is_what_is_made_singly  # noqa: F821 - it needs a second platform of its own


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("name", ["tryton"])


@pytest.fixture
def target(name: str, target: object) -> object:
    """Ours, not the one that came along with the tests."""
    return target
