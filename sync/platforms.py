"""Finds connectors and their mapping files by name, and lends open sessions to one thread at a time."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from django.conf import settings

from sync import connectors, mapping
from sync.errors import NotSupported
from sync.protocol import Bulk, Config, Connector, Readable

if TYPE_CHECKING:
    from sync.models import Target

_idle: dict[tuple[str, str], list[Connector]] = defaultdict(list)
_lock = threading.Lock()
_KEPT = 16  # idle sessions kept per target


def names() -> list[str]:
    """The connectors this installation has."""
    return sorted(found.name for found in pkgutil.iter_modules(connectors.__path__) if found.ispkg)


@lru_cache(maxsize=32)
def connector_class(name: str) -> type[Connector]:
    if name not in names():
        raise NotSupported(f"There is no connector “{name}”; there are: {', '.join(names())}.")
    return cast(type[Connector], importlib.import_module(f"sync.connectors.{name}.connector").connector)


def _installed(name: str) -> type[Connector] | None:
    """None when this installation has no such connector: one target must not stop the others."""
    try:
        return connector_class(name)
    except NotSupported:
        return None


def takes(connector: str, type: str) -> bool:
    kind = _installed(connector)
    return kind is not None and type in kind.types


def readable(connector: str) -> bool:
    """Can it be asked what it holds: else there is neither read-back nor drift."""
    kind = _installed(connector)
    return kind is not None and issubclass(kind, Readable)


def bulk(connector: str) -> type[Bulk] | None:
    """Does it make several records in one request: then first loads go so."""
    kind = _installed(connector)
    return cast(type[Bulk], kind) if hasattr(kind, "push_many") else None


def as_readable(target: Target, connector: Connector) -> Readable:
    """The same connector, as one that can be asked; NotSupported when its platform shows nothing."""
    if not isinstance(connector, Readable):
        raise NotSupported(f"{target.title} cannot be asked what it holds.")
    return connector


def mapping_of(connector: str, type: str) -> mapping.Mapping:
    """The declared mapping of one record type; NotSupported when the platform does not take it."""
    if type not in connector_class(connector).types:
        raise NotSupported(f"{connector_class(connector).title} takes no {type.replace('_', ' ')} from the hub.")
    return mapping.load(Path(next(iter(connectors.__path__))) / connector / "mapping.yaml", type)


def why_not(connector: str, type: str) -> str:
    """Why a platform takes no records of a type, a sentence; "" when nothing more is known than that it does not."""
    if connector not in names():
        return ""
    return mapping.not_pushable(Path(next(iter(connectors.__path__))) / connector / "mapping.yaml").get(type, "")


def load_all() -> None:
    """Connectors and mapping files into memory, before a worker forks: else every process of its pool reads them anew."""
    for name in names():
        for type in connector_class(name).types:
            mapping_of(name, type)


def max_inflight(target: Target) -> float:
    """The longest a request we gave up on may still be applied there."""
    own = target.max_inflight_s
    return own if own is not None else connector_class(target.connector).max_inflight_s


def credential_options(connector: str) -> tuple[str, ...]:
    """Options that belong to the credential, and are replaced and brought back with it: keys, tokens, a key's id."""
    return getattr(_installed(connector), "credential_options", ())


def signs_with_both(connector: str) -> bool:
    """After a rotation, does it sign with the secret before as well, while that is kept?"""
    return getattr(_installed(connector), "signs_with_both", False)


def config_of(target: Target) -> Config:
    return Config(
        base_url=target.base_url,
        client_id=target.client_id,
        secret=target.secret,
        token_url=target.token_url,
        timeout=target.timeout_s,
        options=target.all_options,
        private_hosts=settings.PRIVATE_TARGETS,
        previous_secret=target.previous_secret if signs_with_both(target.connector) else "",
    )


@contextmanager
def session(target: Target) -> Iterator[Connector]:
    """A connector nobody else uses meanwhile; kept open for the next, so that tokens and connections are reused."""
    config = config_of(target)
    key = (target.code, _fingerprint(config))
    with _lock:
        for other in [kept for kept in _idle if kept[0] == target.code and kept != key]:
            del _idle[other]  # of settings before, and of credentials that are wiped
        connector = _idle[key].pop() if _idle[key] else None
    connector = connector or connector_class(target.connector)(config)
    yield connector  # after an exception it is not kept: its state is unknown
    with _lock:
        if len(_idle[key]) < _KEPT:
            _idle[key].append(connector)


def forget_sessions() -> None:
    """After a fork, or when a target's settings changed under a long-lived process."""
    with _lock:
        _idle.clear()


def _fingerprint(config: Config) -> str:
    parts = (
        config.base_url,
        config.client_id,
        config.secret,
        config.previous_secret,
        config.token_url,
        config.timeout,
        sorted(config.options.items()),
        config.private_hosts,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()
