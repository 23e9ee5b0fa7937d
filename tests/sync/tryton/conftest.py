"""The real Tryton, one for the whole session; its tests run only when asked for: `pytest -m tryton`, or `make tryton`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.auth import forget_tokens
from sync.mapping import load
from sync.sandbox import serving
from tests.sync.sandboxes import Platform, extract, folder
from tests.sync.tryton import server
from tests.sync.tryton.proxy import TrytonProxy
from tests.sync.tryton.server import Tryton

HERE = Path(__file__).parent
PATIENCE = 6.0  # a whole ERP on a busy machine: what a sandbox answers within a second may take it five


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "tryton: against the real Tryton ERP, which is installed for it; only with -m tryton"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker("tryton")
    if "tryton" not in config.getoption("markexpr"):
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


@pytest.fixture(scope="session")
def tryton() -> Iterator[Tryton]:
    with server.running() as running:
        yield running


@pytest.fixture
def target(tryton: Tryton, tmp_path: Path) -> Iterator[Platform]:
    """Tryton with the parties of the small extract, behind the proxy."""
    forget_tokens()
    with serving(TrytonProxy(tryton, tmp_path / "proxy.sqlite", Path(extract("tryton")))) as running:
        mapping = load(folder("tryton") / "mapping.yaml", "supplier")
        yield Platform("tryton", running.url, mapping, running, patience=PATIENCE)
