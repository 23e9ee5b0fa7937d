"""`make demo-reset` deletes what the demo has made, and nothing else."""

from __future__ import annotations

import pytest
from django.db import connection

from mdm.demo import wiping
from mdm.embedded.missing import Missing


def test_only_what_the_demo_made_is_deleted(tmp_path, monkeypatch):
    for name in ("DATABASE_URL", "DATABASE_APP_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("demo.json", "demo_users.json", "beat-schedule.dat", "secrets.json", "my notes.txt", "ports.json"):
        (tmp_path / name).write_text("{}")
    for name in ("sandboxes", "static", "log", "pg", "test", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    wiping.wipe(tmp_path, lambda text: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "my notes.txt", "ports.json", "test"]


@pytest.fixture
def var(tmp_path):
    for name in ("secrets.json", "demo_users.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def given(name: str) -> str:
    """The address of another database of the server the tests run on."""
    here = connection.settings_dict
    return f"postgresql://{here['USER']}:{here['PASSWORD']}@{here['HOST']}:{here['PORT']}/{name}"


def wipe_with(url: str, var, monkeypatch) -> list[str]:
    monkeypatch.setenv("DATABASE_URL", url)
    said: list[str] = []
    wiping.wipe(var, said.append)
    return said


@pytest.mark.django_db
def test_a_given_database_with_a_hub_in_it_is_left_alone_with_its_keys(var, monkeypatch):
    """Without secrets.json nobody could ever read its bank numbers again."""
    with pytest.raises(Missing, match="stays as it is, and so do the keys"):
        wipe_with(given(connection.settings_dict["NAME"]), var, monkeypatch)
    assert sorted(path.name for path in var.iterdir()) == ["demo_users.json", "secrets.json"]


@pytest.mark.django_db
def test_an_empty_given_database_is_started_afresh(var, monkeypatch):
    assert wipe_with(given("template1"), var, monkeypatch) == ["the demo's data is gone; starting afresh"]
    assert not (var / "demo_users.json").exists()


def test_a_given_database_that_does_not_answer_is_named(var, monkeypatch):
    with pytest.raises(Missing, match="does not answer"):
        wipe_with("postgresql://nobody@127.0.0.1:1/yours", var, monkeypatch)
    assert (var / "secrets.json").exists()
