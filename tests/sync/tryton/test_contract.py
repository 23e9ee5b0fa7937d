"""The contract of every connector, held against the real Tryton instead of a sandbox of ours."""

from __future__ import annotations

import pytest

from tests.contracts.test_connectors import *  # noqa: F403

pytestmark = pytest.mark.parametrize("name", ["tryton"])
# About files and about the sandbox as a process: nothing of Tryton.
del test_the_folder_is_complete, test_nothing_forbidden_is_imported  # noqa: F821
del test_the_sandbox_survives_a_kill, test_the_sandbox_keeps_its_state_and_can_be_reset  # noqa: F821


@pytest.fixture
def target(name: str, target: object) -> object:
    """Ours, not the one that came along with the tests."""
    return target
