"""Owns which platforms a fault run is about: those of the registry that have a sandbox, and one for each class."""

from __future__ import annotations

import importlib.util

from sync import platforms

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
