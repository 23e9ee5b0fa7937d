"""What is remembered under var/: passwords and keys (secrets.json), ports (ports.json), and one lock."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import random
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECRETS, PORTS = "secrets.json", "ports.json"
# Below the range from which the kernel takes ports for outgoing connections: a remembered port stays free.
_PORT_RANGE = (20_000, 32_000)


def make_folder(path: Path, mode: int) -> None:
    """Create with exactly this mode; a folder that is already there keeps its own."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir()
        path.chmod(mode)


def read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}


def write(path: Path, content: dict[str, Any]) -> None:
    """Atomic, and on disk before it returns: no kill may lose the password of a new database."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


@contextmanager
def locked(var: Path) -> Iterator[None]:
    """One start or stop at a time per var/; the kernel frees the lock when its holder dies."""
    with (var / "embedded.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _generate() -> dict[str, str]:
    def key() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    return {
        "MDM_SECRET_KEY": secrets.token_urlsafe(50),
        "MDM_MASTER_KEYS": f"k1:{key()}",
        "MDM_INDEX_KEY": key(),
        "superuser_password": secrets.token_urlsafe(24),
        "owner_password": secrets.token_urlsafe(24),
        "app_password": secrets.token_urlsafe(24),
        "redis_password": secrets.token_urlsafe(24),
    }


def load_secrets(var: Path) -> dict[str, str]:
    """Read var/secrets.json; what is missing is generated and stored at once."""
    stored = read(var / SECRETS)
    wanted = _generate() | stored
    if wanted != stored:
        write(var / SECRETS, wanted)
    return wanted


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_for(var: Path, name: str) -> int:
    """The port `name` had last time if that is free, else a new one, remembered: addresses stay the same."""
    ports = read(var / PORTS)
    if name in ports and is_free(ports[name]):
        return int(ports[name])
    taken = set(ports.values())
    while True:
        port = random.randrange(*_PORT_RANGE)
        if port not in taken and is_free(port):
            break
    write(var / PORTS, ports | {name: port})
    return port
