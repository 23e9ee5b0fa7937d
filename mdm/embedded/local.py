"""Start, stop, look at and throw away the local services of one var/ folder; given URLs are used as given."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from mdm.embedded import account, state
from mdm.embedded.postgres import APP, DATABASE, OWNER, Cluster
from mdm.embedded.redis_server import RedisServer

Say = Callable[[str], None]
_SHOWN = (
    "DATABASE_URL",
    "DATABASE_APP_URL",
    "REDIS_URL",
    "MDM_SECRET_KEY",
    "MDM_MASTER_KEYS",
    "MDM_INDEX_KEY",
)
_URLS = _SHOWN[:3]


def start(
    var: Path,
    *,
    say: Say = print,
    durable: bool = True,
    attached: bool = False,
    owner_creates_databases: bool = False,
) -> dict[str, str]:
    """Bring PostgreSQL and Redis up (a second call finds them running); returns the environment of the hub.

    `attached`: they end with this process, even when it is killed.
    `durable=False` (tests): faster, and not safe against a crash of the machine.
    """
    var = var.absolute()
    state.make_folder(var, 0o755)
    state.make_folder(var / "log", 0o755)
    with state.locked(var):
        secrets = state.load_secrets(var)
        urls = given()
        if "DATABASE_URL" not in urls or "REDIS_URL" not in urls:
            home = account.find_home(var, say)
            if "DATABASE_URL" not in urls:
                cluster = Cluster(var, home, secrets, say, durable, attached, owner_creates_databases)
                urls |= _database_urls(cluster.start(), secrets)
            if "REDIS_URL" not in urls:
                server = RedisServer(var, home, secrets["redis_password"], say, attached)
                urls["REDIS_URL"] = f"redis://:{quote(secrets['redis_password'])}@127.0.0.1:{server.start()}/0"
        _remember(var, secrets, urls)
        return environment(var)


def stop(var: Path, *, say: Say = print) -> bool:
    """Stop what runs here; what was committed is kept. True when something ran."""
    var = var.absolute()
    if not (var / state.SECRETS).exists():
        return False
    with state.locked(var):
        if not (var / "pg").exists():
            return False
        cluster, server = _local(var, say)
        stopped = [server.stop(), cluster.stop()]
        return any(stopped)


def is_running(var: Path) -> bool:
    """Whether every service that is ours to run is alive; a look at two pids, cheap enough to repeat."""
    var = var.absolute()
    ours = [name for name in ("DATABASE_URL", "REDIS_URL") if name not in given()]
    if not ours:
        return True
    cluster, server = _local(var, lambda _: None)
    running = {"DATABASE_URL": cluster.running, "REDIS_URL": server.running}
    return all(running[name]() for name in ours)


def status(var: Path) -> dict[str, str]:
    """One line per service, in words."""
    var = var.absolute()
    said = {f"{name} (given)": "as set in the environment" for name in given()}
    if (var / "pg").exists() and (var / state.SECRETS).exists():
        cluster, server = _local(var, lambda _: None)
        for name, running in (("PostgreSQL", cluster.running()), ("Redis", server.running())):
            said[name] = f"runs at 127.0.0.1:{running[1]} (pid {running[0]})" if running else "stopped"
        said["data"] = str(cluster.data)
    return said or {"PostgreSQL and Redis": "never started here"}


def environment(var: Path) -> dict[str, str]:
    """Every variable the hub needs to use these services."""
    var = var.absolute()
    stored = state.read(var / state.SECRETS)
    wanted = {name: os.environ.get(name) or stored.get(name, "") for name in _SHOWN}
    if "DATABASE_URL" in given() and "DATABASE_APP_URL" not in os.environ:
        wanted["DATABASE_APP_URL"] = wanted["DATABASE_URL"]
    return {name: value for name, value in wanted.items() if value} | {"MDM_VAR_DIR": str(var)}


def reset(var: Path, *, say: Say = print) -> None:
    """Stop, then delete the servers' files and the secrets made for them; given databases stay."""
    var = var.absolute()
    stop(var, say=say)
    sockets = state.read(var / "pg" / "sockets.json").get("path", "")
    if sockets.startswith("/tmp/mdm-run-"):
        shutil.rmtree(sockets, ignore_errors=True)
    account.forget_home(var)
    for name in (state.SECRETS, "embedded.lock"):
        (var / name).unlink(missing_ok=True)


def given() -> dict[str, str]:
    """The URLs somebody set in the environment."""
    return {name: os.environ[name] for name in _URLS if os.environ.get(name)}


def _database_urls(port: int, secrets: dict[str, str]) -> dict[str, str]:
    where = f"127.0.0.1:{port}/{DATABASE}"
    return {
        "DATABASE_URL": f"postgresql://{OWNER}:{quote(secrets['owner_password'])}@{where}",
        "DATABASE_APP_URL": f"postgresql://{APP}:{quote(secrets['app_password'])}@{where}",
    }


def _remember(var: Path, secrets: dict[str, str], urls: dict[str, str]) -> None:
    """mdm.settings reads them there, so manage.py works beside a running demo; given URLs are not stored."""
    content = {name: value for name, value in secrets.items() if name not in _URLS}
    content |= {name: value for name, value in urls.items() if name not in given()}
    if content != secrets:
        state.write(var / state.SECRETS, content)


def _local(var: Path, say: Say) -> tuple[Cluster, RedisServer]:
    secrets, home = state.load_secrets(var), account.find_home(var, say)
    return Cluster(var, home, secrets, say), RedisServer(var, home, secrets["redis_password"], say)
