"""Owns which platforms a fault run is about: those of the registry that have a sandbox, and one for each class."""

from __future__ import annotations

import importlib.util
from typing import Any

from sync import platforms
from sync.models import Target
from tests.sync import world
from tests.sync.sandboxes import sandbox_class
from tests.sync.world import Side

PROMISED = "ABCD"  # class E, a blind target, promises something else: at most once, then a person


def with_sandbox() -> list[str]:
    """Every connector that promises one effect and can be tried here; a new folder joins by itself."""
    return [
        name
        for name in platforms.names()
        if platforms.connector_class(name).capability in PROMISED
        and importlib.util.find_spec(f"sync.connectors.{name}.sandbox")
    ]


def with_bulk() -> list[str]:
    """Those that make several records in one request."""
    return [name for name in with_sandbox() if platforms.bulk(name)]


def one_of_each_class() -> list[str]:
    """For each class of the registry the connector whose name comes last: C is Coupa, whose writes have parts."""
    return sorted({platforms.connector_class(name).capability: name for name in with_sandbox()}.values())


GROUPS = ("north", "south")  # every supplier of a storm is in one of them
COMPANY = "NH10"  # some platforms keep a supplier per company, and take none without one
_OPTIONS = {"sftp_csv": {"busy_s": 1}}  # as long as the others ask for when they have too much to do


def company() -> None:
    """The legal entity that every supplier of a fault run has an extension for."""
    world.propose("legal_entity", {"code": COMPANY, "name": "Nordhaven GmbH", "country": "DE", "currency": "EUR"})


def target_at(name: str, url: str, **settings: Any) -> Target:
    """A target of that platform at its sandbox, with the address, secret and options the sandbox asks for."""
    kind = sandbox_class(name)
    options = Side(f"{url}/_control")._call("GET", "options")["options"] | _OPTIONS.get(name, {})
    return world.target(name, kind.address(url), secret=kind.default_secret, options=options, **settings)
