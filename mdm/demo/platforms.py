"""Owns which platforms the demo has: every connector that says in a `demo.yaml` of its folder how it is shown.

    extract         what its sandbox starts out with, below suppliers/demo/extracts
    system          title, mark, tone and rank of the system that its keys belong to
    rate_per_s      requests a second
    options         settings of the connector
    values          rows of its value maps: {map: {ours: theirs}}
    subscriptions   {type: {filter, all}}: what it is sent from the start on; `all`: what is there already as well
    drift           field and value that somebody changes inside the platform

A connector without one is not in the demo; nothing else names them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, kw_only=True)
class Platform:
    name: str
    extract: str
    system: dict[str, Any]
    rate_per_s: float
    options: dict[str, Any] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    subscriptions: dict[str, dict[str, Any]]
    drift: dict[str, str]

    @property
    def seed(self) -> Path:
        return ROOT / "suppliers" / "demo" / "extracts" / self.extract


@lru_cache
def all_platforms() -> tuple[Platform, ...]:
    """In the order of their ranks."""
    files = (ROOT / "sync" / "connectors").glob("*/demo.yaml")
    found = [Platform(name=file.parent.name, **yaml.safe_load(file.read_text("utf-8"))) for file in files]
    return tuple(sorted(found, key=lambda platform: platform.system["rank"]))
