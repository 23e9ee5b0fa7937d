"""The contract of every connector, held against the real Tryton instead of a sandbox of ours."""

from __future__ import annotations

import pytest

from tests.contracts.test_connectors import *  # noqa: F403

# About files and about the sandbox as a process: nothing of Tryton.
del test_the_folder_is_complete, test_nothing_forbidden_is_imported  # noqa: F821
del test_the_sandbox_survives_a_kill, test_the_sandbox_keeps_its_state_and_can_be_reset  # noqa: F821
# About receivers that cannot be read.
del test_told_once_for_every_key, test_told_again_under_another_key, test_told_to_block  # noqa: F821
del test_told_once_whatever_was_lost, test_told_once_under_random_faults  # noqa: F821
del test_told_without_bank_numbers_or_secrets_in_the_evidence  # noqa: F821
del test_a_receiver_that_does_not_know_us_is_told_nothing, test_a_receiver_remembers_what_it_was_told  # noqa: F821


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("name", ["tryton"])


@pytest.fixture
def anyone(target: object) -> object:
    return target


@pytest.fixture
def target(name: str, target: object) -> object:
    """Ours, not the one that came along with the tests."""
    return target
