"""What a bench or a fault run stands on: a PostgreSQL and Redis of its own (or the ones given), one fresh database."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from mdm import embedded
from mdm.demo.child import Child
from mdm.embedded import processes

ROOT = Path(__file__).resolve().parents[2]
VAR = Path(os.environ.get("MDM_BENCH_VAR", ROOT / "var" / "bench")).absolute()
DATABASE = "mdm_bench"
CONNECTIONS = 16  # of the HTTP client, each with a token of its own: none of them meets the limit per client


@dataclass
class Ground:
    """The environment of every process of the bench; children end with the bench."""

    environment: dict[str, str]
    var: Path = VAR

    def child(self, name: str, *command: str, **environment: str) -> Child:
        log = self.var / "log" / f"{name}.log"
        log.unlink(missing_ok=True)
        return Child(
            name, [sys.executable, *command], environment={**self.environment, **environment}, log=log, folder=ROOT
        )

    def owner(self) -> psycopg.Connection:
        return psycopg.connect(self.environment["DATABASE_URL"], autocommit=True)

    def manage(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"manage.py {arguments[0]} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")


def prepare(var: Path = VAR, *, settings: str = "tests.bench.settings", attached: bool = False) -> Ground:
    """Services up, an empty migrated database, settings loaded in this process too."""
    var.mkdir(parents=True, exist_ok=True)
    given = embedded.given()
    environment = dict(os.environ) | embedded.start(var, owner_creates_databases=True, attached=attached)
    with psycopg.connect(_at(environment["DATABASE_URL"], "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    for name in ("DATABASE_URL", "DATABASE_APP_URL"):
        environment[name] = _at(environment[name], DATABASE)
    if "REDIS_URL" not in given:
        _flush(environment["REDIS_URL"])
    environment |= {"DJANGO_SETTINGS_MODULE": settings, "MDM_ENV": "test", "PYTHONUNBUFFERED": "1"}
    environment["MDM_BENCH_BODIES"] = str(var / "bodies")
    ground = Ground(environment, var)
    ground.manage("migrate", "--database", "owner", "--skip-checks", "--verbosity", "0")
    ground.manage("provision_role")
    os.environ.update(environment)
    return ground


def leave(var: Path = VAR) -> None:
    embedded.stop(var)


def _at(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def _flush(url: str) -> None:
    import redis

    with redis.Redis.from_url(url) as client:
        client.flushdb()


def populate() -> list[str]:
    """A policy that lets the bench's own proposals through, payment terms, a system; the tokens of the readers."""
    from django.contrib.auth.models import Group, User

    from mdm.models import ApprovalPolicy, System
    from mdm.services import tokens
    from tests.bench.invented import TERMS

    for origin in ("system", "import"):
        ApprovalPolicy.objects.create(name=f"bench: {origin}", origins=[origin], auto_approve=True)
    System.objects.create(code="bench", title="Bench", mark="BE", rank=50)
    for code in TERMS:
        change({"code": code, "name": code, "net_days": int(code[3:])}, type="payment_term")
    reader = User.objects.create_user("bench-reader")
    reader.groups.add(Group.objects.get_or_create(name="integrator")[0])
    return [tokens.issue(owner=reader, name=f"bench {n}", scopes=["read:*"])[1] for n in range(CONNECTIONS)]


def change(*patches: dict[str, object], type: str = "supplier", action: str = "create") -> None:
    """Propose and, by policy, apply; for an update each patch names its `uid`."""
    from mdm.services import changes
    from mdm.services.proposing import ProposedItem
    from mdm.types import Actor

    items = [
        ProposedItem(type=type, action=action, uid=str(patch["uid"]) if "uid" in patch else None,
                     patch={name: value for name, value in patch.items() if name != "uid"})
        for patch in patches
    ]  # fmt: skip
    made = changes.propose(items=items, by=Actor.system("bench"), origin="system", reason="bench")
    if made.state != "applied":
        raise SystemExit(f"The bench's own change was not applied: {made.state}.")


def machine() -> str:
    """Where the figures were measured."""
    return f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB, Python {sys.version.split()[0]}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        import platform

        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def run_measured(command: list[str], environment: dict[str, str]) -> tuple[str, float, int]:
    """Run to the end; (what it printed, seconds, peak resident memory in bytes of the biggest of its processes)."""
    import time

    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
        preexec_fn=processes.die_with_parent(15),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[1:4])} failed ({process.returncode}): {said[-2000:]}")
    kilobytes = usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss / 1024
    return said, time.monotonic() - began, int(kilobytes * 1024)
