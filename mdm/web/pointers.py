"""Where one page points to another: requests, records by their type, systems as marks."""

from __future__ import annotations

from typing import Any

from mdm import registry
from mdm.models import ChangeRequest, System
from mdm.web.page import Source
from mdm.web.visitor import link, record_url


def request_url(change: ChangeRequest) -> str:
    """The address people read out: the number without its letters."""
    return link("web:request", int(change.number.partition("-")[2]))


def record(type_key: str, uid: Any, part: str = "") -> str:
    """The page of a golden record; "" for a type this installation does not have."""
    kind = registry.find(type_key)
    return record_url(kind, uid, part) if kind and uid else ""


def source(system: System) -> Source:
    return Source(mark=system.mark, slot=system.tone, title=system.title)
