"""`manage.py new_connector`: in a copy of the tree, what it makes passes the contract tests and the checks at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import database

COPIED = ("mdm", "dimensions", "suppliers", "sync", "tests", "templates", "deploy", "requirements")
MODULE = [sys.executable, "-m"]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("copy") / "hub"
    root.mkdir()
    for name in COPIED:
        shutil.copytree(database.ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("manage.py", "pyproject.toml"):
        shutil.copy(database.ROOT / name, root / name)
    yield root
    shutil.rmtree(root)


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """With services of ours, and nothing of this process's own settings."""
    left = {name: text for name, text in os.environ.items() if not name.startswith(("MDM_TEST", "DJANGO", "PYTEST"))}
    environment = left | {"MDM_TEST_VAR": str(database.VAR)}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def new(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(copy, sys.executable, "manage.py", "new_connector", *arguments)


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not {"__pycache__", "var"} & set(path.parts) and ".pyc" not in path.name
    }


@pytest.mark.slow
def test_a_new_connector_passes_the_contract_tests_and_touches_nothing_else(copy: Path) -> None:
    before = tree(copy)
    made = new(copy, "acme_erp", "--title", "Acme ERP")
    assert made.returncode == 0, made.stderr
    after = tree(copy)
    added = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert all(
        name.startswith(("sync/connectors/acme_erp/", "suppliers/demo/extracts/small/acme_erp_")) for name in added
    )
    text = "".join(after[name].decode() for name in added)
    assert "Acme ERP" in text and "class AcmeErpConnector" in text
    assert not any(left in text for left in ("new_platform", "New Platform", "NewPlatform", "scaffold"))

    contract = ("tests/contracts/test_connectors.py", "-k", "acme_erp", "-n", "0", "-q", "-p", "no:cacheprovider")
    tested = run(copy, *MODULE, "pytest", *contract)
    assert tested.returncode == 0, tested.stdout[-3000:]
    assert "passed" in tested.stdout and "skipped" not in tested.stdout
    folder = "sync/connectors/acme_erp"
    for check in (["ruff", "check", folder], ["ruff", "format", "--check", folder]):
        done = run(copy, *MODULE, *check)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["coupa"], "already"),
        (["Acme"], "lower case"),
        (["../acme"], "lower case"),
        (["acme", "--title", 'A"B'], "quotation"),
    ],
)
def test_a_name_that_cannot_be_one_makes_nothing(copy: Path, arguments: list[str], words: str) -> None:
    before = tree(copy)
    refused = new(copy, *arguments)
    assert refused.returncode != 0 and words in refused.stderr
    assert tree(copy) == before
