"""The duplicate check through REST: against the hub served as tests/bench does, beside the GET of one record.

`python -m tests.bench.matching.rest FILE RECORDS QUERIES` imports the first RECORDS of FILE; prints JSON.
"""

from __future__ import annotations

import csv
import json
import socket
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench import ground, reading
from tests.bench.load import receive
from tests.bench.matching.data import rows_of
from tests.bench.matching.single import milliseconds
from tests.ports import free_port

MAPPING: dict[str, Any] = {
    "key": "record_id",
    "columns": {
        "name": "legal_name",
        "street": "addresses[registered].lines[0]",
        "postcode": "addresses[registered].postal_code",
        "city": "addresses[registered].city",
        "country": "country",
        "vat_id": "tax_registrations[VAT].number",
        "email": "contacts[accounts_receivable].email",
        "phone": "contacts[accounts_receivable].phone",
    },
}
_ROUNDS = 3


def main() -> int:
    file, records, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    here = ground.prepare()
    try:
        said = _measure(here, file, records, count)
    finally:
        ground.leave()
    print(json.dumps(said))
    return 0


def _measure(here: ground.Ground, file: Path, records: int, count: int) -> dict[str, Any]:
    import django

    django.setup()
    tokens = ground.populate()
    counts = imported(here, file, records)
    spoken = (row for row in rows_of(file)[1] if row["country"])
    bodies = [json.dumps({"document": _document(row)}).encode() for row in islice(spoken, 0, count * 7, 7)]
    uids = _uids(len(bodies))
    asked = max(_queries(body, tokens[0]) for body in bodies[:: max(1, len(bodies) // 20)])
    read = _queries_of_get(uids[0], tokens[0])
    port = free_port()
    server = reading.start(here, port)
    try:
        checks, gets = _turns(port, tokens, bodies, uids)
    finally:
        server.end(grace=5)
    return {
        "imported": counts, "queries": asked, "queries_of_get": read,
        "check": milliseconds(checks), "get": milliseconds(gets), "asked": len(checks),
    }  # fmt: skip


def imported(here: ground.Ground, file: Path, records: int) -> dict[str, int]:
    """The first records of a file in the hub; the counts of the import."""
    cut, mapping = ground.VAR / "first.csv", ground.VAR / "first-mapping.json"
    headers, rows = rows_of(file)
    with cut.open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, headers)
        writer.writeheader()
        writer.writerows(islice(rows, records))
    mapping.write_text(json.dumps(MAPPING))
    command = [sys.executable, "manage.py", "import_records", str(cut), "--system", "bench", "--type", "supplier"]
    printed, _, _ = ground.run_measured([*command, "--mapping", str(mapping)], here.environment)
    found: dict[str, int] = json.loads(printed.strip().splitlines()[0])["counts"]
    return found


def _document(row: dict[str, str]) -> dict[str, Any]:
    """What a buyer would type in before asking whether the supplier is known."""
    address = {
        "kind": "registered", "country": row["country"], "lines": [row["street"]], "city": row["city"],
        "postal_code": row["postcode"],
    }  # fmt: skip
    found: dict[str, Any] = {
        "legal_name": row["name"], "country": row["country"],
        "addresses": [{name: value for name, value in address.items() if value not in ("", [""])}],
    }  # fmt: skip
    if row["phone"]:
        found["contacts"] = [{"role": "accounts_receivable", "phone": row["phone"]}]
    if row["vat_id"]:
        found["tax_registrations"] = [{"scheme": "VAT", "country": row["country"], "number": row["vat_id"]}]
    return found


def _uids(count: int) -> list[str]:
    from mdm import registry

    model = registry.get("supplier").model
    return [str(uid) for uid in model._default_manager.order_by("uid").values_list("uid", flat=True)[:count]]


def _queries(body: bytes, token: str) -> int:
    return _counted(lambda client, headers: client.post(
        "/api/v1/suppliers/match/", body, content_type="application/json", headers=headers
    ), token)  # fmt: skip


def _queries_of_get(uid: str, token: str) -> int:
    return _counted(lambda client, headers: client.get(f"/api/v1/suppliers/{uid}/", headers=headers), token)


def _counted(ask: Any, token: str) -> int:
    from django.db import connections
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client, headers = Client(), {"authorization": f"Bearer {token}", "host": "127.0.0.1"}
    answer = ask(client, headers)  # the second one finds warm caches
    if answer.status_code != 200:
        raise SystemExit(f"The hub answers {answer.status_code}: {answer.content[:500]!r}")
    with CaptureQueriesContext(connections["default"]) as queries:
        ask(client, headers)
    return len(queries)


def _turns(port: int, tokens: list[str], bodies: list[bytes], uids: list[str]) -> tuple[list[float], list[float]]:
    """Seconds of each check and each GET, one at a time and in turns, over one connection."""
    checks, gets = [], []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(_ROUNDS):
            for turn, (body, uid) in enumerate(zip(bodies, uids, strict=False)):
                token = tokens[turn % len(tokens)]
                check = _timed(link, "POST", "/api/v1/suppliers/match/", token, body)
                get = _timed(link, "GET", f"/api/v1/suppliers/{uid}/", token)
                if number:  # the first round warms
                    checks.append(check)
                    gets.append(get)
    return checks, gets


def _timed(link: socket.socket, method: str, path: str, token: str, body: bytes = b"") -> float:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    began = time.perf_counter()
    link.sendall(head.encode() + b"\r\n" + body)
    answer = receive(link)
    seconds = time.perf_counter() - began
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"{method} {path} was refused: {answer[:300]!r}")
    return seconds


if __name__ == "__main__":
    raise SystemExit(main())
