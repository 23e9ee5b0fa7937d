"""`make demo-reset` deletes what the demo has made, and nothing else."""

from __future__ import annotations

from mdm.demo import wiping


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


def test_a_given_database_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/yours")
    said: list[str] = []
    wiping.wipe(tmp_path, said.append)
    assert "DATABASE_URL is set: that database is yours" in said[0]
