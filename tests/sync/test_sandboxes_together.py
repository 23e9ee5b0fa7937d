"""Several sandboxes by one process: each at its own port, with its own records, which outlive the process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sync.sandboxes import Served
from tests import database
from tests.ports import free_port

EXTRACT = database.ROOT / "suppliers" / "demo" / "extracts" / "coupa_suppliers.xlsx"


@contextmanager
def together(folder: Path, *served: Served) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "sync.sandboxes", "--state", str(folder), *(one.written() for one in served)]
    process = subprocess.Popen(command, cwd=database.ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for one in served:
            assert f":{one.port} " in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()


def records(port: int) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_control/records?type=supplier", timeout=10) as answer:
        return list(json.load(answer)["records"])


def test_each_has_its_own_port_and_records_that_outlive_it(tmp_path: Path) -> None:
    coupa, webhook = Served("coupa", free_port(), str(EXTRACT)), Served("webhook", free_port(), "")
    with together(tmp_path, coupa, webhook) as process:
        held = records(coupa.port)
        assert held and records(webhook.port) == []
        body = json.dumps({"key": held[0]["key"], "field": "name", "value": "Changed there"}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{coupa.port}/_control/mutate", body, timeout=10).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert sorted(file.name for file in tmp_path.glob("*.sqlite3")) == ["coupa.sqlite3", "webhook.sqlite3"]
    with together(tmp_path, coupa):
        names = {one["key"]: one["fields"]["name"] for one in records(coupa.port)}
        assert names[held[0]["key"]] == "Changed there" and len(names) == len(held)


def test_how_one_is_written_reads_back() -> None:
    for one in (Served("coupa", 8102, "a=b.xlsx"), Served("webhook", 8109, "")):
        assert Served.read(one.written()) == one
