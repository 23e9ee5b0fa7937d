"""Errors of the kernel, named for what the caller must do next. Every one carries a stable `code` for machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mdm.types import Problem


class HubError(Exception):
    """Base: `code` is stable, `status` is what REST answers, `message` is for people."""

    code = "error"
    status = 400

    def __init__(self, message: str, *, problems: Iterable[Problem] = (), **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)
        self.extra = extra


class OutsideWritePath(HubError):
    """Golden data was about to be saved directly: propose a change request instead."""

    code, status = "outside_write_path", 500


class CorrectInput(HubError):
    """The document breaks its schema or a rule; `problems` say where."""

    code, status = "invalid", 400


class StillUsed(CorrectInput):
    """Other records refer to what is retired or closed: `problems` name the first of them, `used` says how many there are.
    It needs a plan: `replace_with` another record, or `keep` with a reason."""

    code, status = "still_used", 409


class NotFound(HubError):
    code, status = "not_found", 404


class NotAllowed(HubError):
    """The person lacks the right."""

    code, status = "not_allowed", 403


class FourEyes(NotAllowed):
    """Somebody else must do this: the person made, edited or requested the change."""

    code = "four_eyes"


class Reload(HubError):
    """What the caller saw is no longer what is there: read again and decide again."""

    code, status = "content_changed", 409


class StaleVersion(HubError):
    """If-Match does not name the current version."""

    code, status = "stale_version", 412


class NotNow(HubError):
    """The state of the thing does not admit this action; the message says why and what would."""

    code, status = "wrong_state", 409


class AlreadyDone(NotNow):
    code = "already_done"


class KeptApart(NotNow):
    """A person took these records apart: lift the block (`block`: its uid), saying why, before they are merged."""

    code = "kept_apart"


class Conflict(HubError):
    """Others changed the same paths meanwhile; a person picks per row."""

    code, status = "conflict", 409


class TooLarge(HubError):
    code, status = "too_large", 413
