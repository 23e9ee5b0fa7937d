"""The account the servers run under, and a folder it can reach, without touching anybody's permissions.

PostgreSQL refuses to run as root. Started by root, the servers run as an unprivileged user; when that user
cannot reach var/ (a checkout below a closed home folder), their files live in a folder below /var/tmp.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdm.embedded import state
from mdm.embedded.missing import Missing

_CANDIDATES = ("postgres", "nobody", "daemon")
_LOCATION = "location.json"


@dataclass(frozen=True)
class Account:
    """`uid` None means: whoever started us."""

    uid: int | None = None
    gid: int | None = None

    def switch(self) -> dict[str, Any]:
        """Keyword arguments for subprocess that make the child this account, with no further groups."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        return self._succeeds('cd "$1"', path)

    def executes(self, path: Path) -> bool:
        return self._succeeds('"$1" --version', path)

    def _succeeds(self, script: str, path: Path) -> bool:
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", script, "sh", str(path)],
                cwd="/",
                capture_output=True,
                check=False,
                **self.switch(),
            )
        except (PermissionError, subprocess.SubprocessError) as problem:
            raise Missing(
                "PostgreSQL does not run as root, and this machine does not let root become another user: "
                "start as an ordinary user, or set DATABASE_URL and REDIS_URL."
            ) from problem
        return done.returncode == 0


@dataclass(frozen=True)
class Home:
    """Where the servers keep their files, and as whom."""

    path: Path
    account: Account


def find_home(var: Path, say: Callable[[str], None]) -> Home:
    """var/pg, or the folder remembered in var/pg/location.json; the owner of the data decides who runs it."""
    local = var / "pg"
    state.make_folder(local, 0o711)
    remembered = state.read(local / _LOCATION)
    if remembered:
        return _verified(Path(remembered["path"]))
    if os.geteuid() != 0:
        return _mine(local)
    if (local / "data").exists():  # started by an ordinary user before: stay with that user
        return Home(local, _account_of((local / "data").stat().st_uid))
    account = _choose()
    if account.reaches(local):
        return Home(local, account)
    path = Path(tempfile.mkdtemp(prefix="mdm-pg-", dir="/var/tmp"))  # mode 0700
    account.give(path)
    name = pwd.getpwuid(account.uid or 0).pw_name
    say(f"{var} is closed to the user {name}, as whom PostgreSQL runs: its data is in {path}")
    state.write(local / _LOCATION, {"path": str(path)})
    return Home(path, account)


def forget_home(var: Path) -> None:
    """Delete the servers' files, wherever they are."""
    local = var / "pg"
    remembered = state.read(local / _LOCATION)
    if remembered:
        elsewhere = Path(remembered["path"])
        if elsewhere.parent == Path("/var/tmp") and elsewhere.name.startswith("mdm-pg-"):
            shutil.rmtree(elsewhere, ignore_errors=True)
    shutil.rmtree(local, ignore_errors=True)


def _mine(local: Path) -> Home:
    data = local / "data"
    if data.exists() and data.stat().st_uid != os.geteuid():
        owner = pwd.getpwuid(data.stat().st_uid).pw_name
        raise Missing(f"{data} belongs to {owner} because the first start was by root: start as root again.")
    return Home(local, Account())


def _verified(path: Path) -> Home:
    if not path.is_dir() or path.is_symlink():
        raise Missing(f"The database folder {path} is gone; `make demo-reset` starts afresh.")
    data = path / "data"
    owner = (data if data.exists() else path).stat().st_uid
    if os.geteuid() == 0:
        return Home(path, _account_of(owner) if owner else _choose())
    if owner not in (os.geteuid(), 0):
        name = pwd.getpwuid(owner).pw_name
        raise Missing(f"{path} belongs to {name} because the first start was by root: start as root again.")
    return Home(path, Account())


def _account_of(uid: int) -> Account:
    try:
        return Account(uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:  # a folder mounted into a container; PostgreSQL wants a user with a name
        raise Missing(f"The database folder belongs to user id {uid}, which this machine does not know.") from None


def _choose() -> Account:
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return Account(entry.pw_uid, entry.pw_gid)
    raise Missing("PostgreSQL does not run as root and there is no user `nobody`: start as an ordinary user.")
