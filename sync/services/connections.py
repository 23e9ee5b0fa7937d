"""Owns the credentials of targets: tried before they are stored, replaced, kept a while, brought back, wiped; never shown.

A credential is what one signs in with: client id, secret, and the options a connector names as `credential_options`.
It belongs to the servers it was given for: a target that is moved elsewhere takes none of it along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from mdm.errors import CorrectInput, NotAllowed, NotNow, Reload
from mdm.permissions import may
from mdm.services import audit
from mdm.types import Actor
from sync import auth, governors, hosts, platforms, redact
from sync.errors import SyncError
from sync.models import Target
from sync.models.target import SECRET_OPTIONS, SOON_DAYS
from sync.protocol import Config, Health

SECRET = "secret"
LONGEST_OVERLAP_H = 30 * 24
_FIELDS = (
    "client_id", "sealed_secret", "secret_expires_on", "secret_set_at", "secret_set_by", "options", "sealed_options",
    "sealed_previous", "previous_until", "connector", "base_url", "token_url",
)  # fmt: skip


@dataclass(frozen=True)
class Given:
    """What somebody typed: what is empty stays as it is stored, what is in `forget` goes."""

    secret: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    forget: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Credential:
    """Two are the same when one signs in alike with both."""

    client_id: str
    secret: str = field(repr=False)
    options: dict[str, Any] = field(repr=False)
    expires_on: str = field(default="", compare=False)


def credential_of(target: Target) -> Credential:
    secret = target.secret_options
    names = {*platforms.credential_options(target.connector), *secret}
    options = {name: value for name, value in {**target.options, **secret}.items() if name in names}
    ends = target.secret_expires_on
    return Credential(target.client_id, target.secret, options, ends.isoformat() if ends else "")


def stored_names(target: Target) -> list[str]:
    """What is stored sealed, by name: `secret` and options."""
    return [*([SECRET] if target.sealed_secret else []), *sorted(target.secret_options)]


# --- trying ---------------------------------------------------------------------------------------------------


def try_out(target: Target) -> Health:
    """Sign in anew and look what can be written, as the row says, saved or not; never inside a transaction.

    Where both secrets of a rotation sign, the new one has to do by itself, else both together; the words say which.
    """
    config = platforms.config_of(target)
    health = _check(target.connector, replace(config, previous_secret=""))
    if health.ok or not config.previous_secret:
        return health
    both = _check(target.connector, config)
    if not both.ok:
        return health
    words = f"{both.message} But the new secret alone is not taken yet ({health.message.rstrip('.')}): "
    return replace(both, message=words + "give it to the receiver while the previous one is kept and signs as well.")


def check_typed(typed: Target, stored: Target | None, *, by: Actor) -> Health:
    """Try what was typed; the result is kept with the target when that is what is stored."""
    require_admin(by)
    health = try_out(typed)
    if stored is not None and platforms.config_of(typed) == platforms.config_of(stored):
        note(stored, health, by=by)
    else:
        _log(typed, "tried", by, address=typed.base_url, ok=health.ok, message=health.message)
    return health


def note(target: Target, health: Health, *, by: Actor) -> None:
    """Keep what a look at the stored connection found."""
    with transaction.atomic():
        _keep(target, health)
        _log(target, "checked", by, ok=health.ok, message=health.message)


def _keep(target: Target, health: Health) -> None:
    values: dict[str, Any] = {"checked_at": Now(), "check_ok": health.ok, "check_message": health.message}
    if health.ok:
        values |= {"pushable": dict(health.pushable), "missing": list(health.missing)}
    Target.objects.filter(pk=target.pk).update(**values)
    if health.ok:
        governors.close_alerts(target, "check_failed")
    else:
        governors.alert(target, "check_failed", health.message)


def _check(connector: str, config: Config) -> Health:
    try:
        with auth.anew():
            health = platforms.connector_class(connector)(config).check()
    except SyncError as error:
        health = Health(ok=False, message=error.message)
    except Exception as error:
        health = Health(ok=False, message=f"The connector broke: {type(error).__name__}.")
    return replace(health, message=redact.without(health.message, _secrets(config), config.client_id))


def _secrets(config: Config) -> list[str]:
    options = [str(config.options.get(name) or "") for name in SECRET_OPTIONS]
    lines = [line for text in options for line in text.splitlines()]
    parts = [part for text in options for part in text.split(":")]
    return [config.secret, config.previous_secret, *options, *lines, *parts]


# --- storing --------------------------------------------------------------------------------------------------


def enter(typed: Target, stored: Target | None, given: Given, *, keep_h: float) -> bool:
    """Put what was typed on a row that is not saved yet; True when it signs in otherwise than what is stored.

    A target that moves to another server, or to another connector, needs all its credentials typed again: else whoever
    may set an address could have them sent to a server of theirs.
    """
    moved = stored is not None and _place(stored) != _place(typed)
    if stored is not None and moved:
        left = [n for n in stored_names(stored) if n not in given.forget and n not in given.options]
        if left := [name for name in left if name != SECRET or not given.secret]:
            words = "The stored credentials are for another server and stay here. Enter them again"
            raise CorrectInput(f"{words}, or let them be forgotten: {', '.join(left)}.")
    kept = {name: value for name, value in typed.secret_options.items() if name not in given.forget}
    typed.set_secret_options({**kept, **given.options})
    if given.secret or SECRET in given.forget:
        typed.set_secret(given.secret)
    if stored is None:
        return True
    was = credential_of(stored)
    other = moved or credential_of(typed) != was
    if other:
        typed.set_previous(asdict(was) if keep_h and not moved else None)
        if typed.secret_expires_on == stored.secret_expires_on:
            typed.secret_expires_on = None  # that was the end of the one before
    return other


def store(
    typed: Target, stored: Target | None, *, health: Health, keep_h: float = 0, reason: str = "", by: Actor
) -> None:
    """Save the credential that was entered and tried; the one before is kept for `keep_h` hours, by the database's clock.

    `health`: what trying it found; a bad one needs a reason. `stored`: the row it was tried beside. When that changed
    meanwhile, nothing is stored (Reload), unless what it changed to is this very credential.
    """
    require_admin(by)
    if not health.ok and not reason.strip():
        raise CorrectInput("These credentials do not work. To use them all the same, say why.")
    with transaction.atomic():
        if stored is not None:
            held = Target.objects.select_for_update(no_key=True).get(pk=stored.pk)
            if credential_of(held) == credential_of(typed) and _place(held) == _place(typed):
                return  # the same form sent twice
            if credential_of(held) != credential_of(stored) or _place(held) != _place(stored):
                raise Reload("Somebody else replaced these credentials meanwhile. Look at the target again.")
        typed.secret_set_at, typed.secret_set_by = Now(), by.name[:200]
        typed.previous_until = Now() + timedelta(hours=keep_h) if typed.sealed_previous else None
        typed.save(update_fields=_FIELDS if stored is not None else None)
        _keep(typed, health)
        if health.ok:
            Target.objects.filter(pk=typed.pk).exclude(breaker="closed").update(breaker_probe_at=Now())
        detail: dict[str, Any] = {"names": stored_names(typed), "ok": health.ok, "message": health.message}
        if not health.ok:
            detail["used_anyway"] = reason.strip()
        if typed.sealed_previous:
            detail["previous_kept_h"] = keep_h
        _log(typed, "credentials_replaced" if stored is not None else "credentials_set", by, **detail)
        typed.refresh_from_db(fields=_FIELDS)


# --- the credential before ------------------------------------------------------------------------------------


def state_of(target: Target) -> str:
    """Names the present credential, to tell whether a page that was shown still holds."""
    return target.secret_set_at.isoformat() if target.secret_set_at else ""


@transaction.atomic
def go_back(target: Target, *, seen: str, by: Actor) -> Target:
    """Bring the previous credential back; the present one is kept in its place, for as long as that would have been.

    `seen`: the state the person saw, so that a second click does not take the first one back. Try it afterwards.
    """
    require_admin(by)
    row = Target.objects.select_for_update(no_key=True).get(pk=target.pk)
    if state_of(row) != seen:
        raise Reload("These credentials were changed meanwhile. Look at the target again.")
    if not Target.objects.filter(pk=row.pk, previous_until__gt=Now()).exists():
        raise NotNow("The previous credential is not kept any more: enter one.")
    present, before = credential_of(row), Credential(**row.previous)
    row.client_id = before.client_id
    row.set_secret(before.secret)
    plain = {name: value for name, value in row.options.items() if name not in present.options}
    row.options = plain | {name: value for name, value in before.options.items() if name not in SECRET_OPTIONS}
    row.set_secret_options({name: value for name, value in before.options.items() if name in SECRET_OPTIONS})
    row.secret_expires_on = date.fromisoformat(before.expires_on) if before.expires_on else None
    row.set_previous(asdict(present))
    row.secret_set_at, row.secret_set_by = Now(), by.name[:200]
    row.save(update_fields=_FIELDS)
    _log(row, "credentials_restored", by)
    row.refresh_from_db()
    return row


@transaction.atomic
def wipe_previous(target: Target, *, by: Actor) -> None:
    """Now instead of at its end: it cannot be brought back, and signs no more."""
    require_admin(by)
    row = Target.objects.select_for_update(no_key=True).get(pk=target.pk)
    if row.sealed_previous is None:
        raise NotNow("The previous credential is not kept any more.")
    _wipe(row, by)


@transaction.atomic
def wipe_overdue() -> int:
    """Wipe every previous credential whose time is over; how many. Part of the dispatcher's round."""
    rows = Target.objects.select_for_update(skip_locked=True, no_key=True).filter(previous_until__lte=Now())
    overdue = list(rows)
    for row in overdue:
        _wipe(row, Actor.system("dispatcher"))
    return len(overdue)


def _wipe(row: Target, by: Actor) -> None:
    Target.objects.filter(pk=row.pk).update(sealed_previous=None, previous_until=None)
    _log(row, "previous_wiped", by)


# --- words ----------------------------------------------------------------------------------------------------


def warnings(target: Target) -> list[str]:
    """What somebody should do about the credentials, in words; empty when nothing."""
    found, now = [], timezone.now()
    age = (now - target.secret_set_at).days if target.secret_set_at else 0
    if age >= settings.CREDENTIAL_MAX_AGE_DAYS:
        found.append(f"The credentials are {age} days old. Replace them.")
    if target.secret_expires_on:
        left = (target.secret_expires_on - now.date()).days
        if left < 0:
            found.append(f"The credentials ended on {target.secret_expires_on:%d %b %Y}. Replace them.")
        elif left <= SOON_DAYS:
            found.append(f"The credentials end on {target.secret_expires_on:%d %b %Y}. Replace them before.")
    return found


def require_admin(by: Actor) -> None:
    """Whoever may open the admin's governance pages: the scope, or a superuser."""
    if not may(by, "admin") and not (by.kind == "person" and by.user is not None and by.user.is_superuser):
        raise NotAllowed("Credentials of targets are for governance leads.")


def _place(target: Target) -> tuple[Any, ...]:
    return target.connector, hosts.origin(target.base_url), hosts.origin(target.token_url)


def _log(target: Target, action: str, by: Actor, **detail: Any) -> None:
    label = target.title or target.base_url
    audit.record(
        action=f"target.{action}",
        by=by,
        object_type="target",
        object_uid=target.code,
        object_label=label,
        detail=detail,
    )
