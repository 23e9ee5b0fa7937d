"""Targets: where golden records are sent, what each may get and how fast."""

from __future__ import annotations

import json
from typing import Any

from django.core.validators import URLValidator
from django.db import models

from mdm import crypto

BREAKERS = ("closed", "open", "half_open")
# Options that are credentials: taken out of `options` and sealed wherever a target is saved.
SECRET_OPTIONS = ("access_token", "api_key", "password", "private_key", "refresh_token")
SOON_DAYS = 30  # how long before their end credentials are warned about

SCHEMES = ("https", "http", "sftp")


class AddressField(models.URLField):
    """An address a connector can speak to. For the database it is what every URL is."""

    default_validators = [URLValidator(schemes=SCHEMES)]

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.URLField", args, kwargs


class Target(models.Model):
    """One platform we write to. `system` names its keys in the crosswalk.

    Governors live here so that all workers, and a worker after a Redis flush, agree: pause, breaker, `not_before`.
    The row is written only when one of them moves, never per delivery.
    """

    code = models.SlugField(max_length=40, unique=True)
    title = models.CharField(max_length=100)
    connector = models.CharField(max_length=40, help_text="Name of the package below sync/connectors.")
    system = models.ForeignKey("mdm.System", on_delete=models.PROTECT, related_name="targets")
    base_url = AddressField(max_length=300)
    token_url = models.URLField(max_length=300, blank=True)
    client_id = models.CharField(max_length=200, blank=True)
    sealed_secret = models.BinaryField(null=True, editable=False)
    secret_expires_on = models.DateField(
        null=True, blank=True, help_text="When the platform stops taking these credentials; the board warns before."
    )
    secret_set_at = models.DateTimeField(null=True, editable=False)
    secret_set_by = models.CharField(max_length=200, blank=True, editable=False)
    options = models.JSONField(
        default=dict,
        blank=True,
        help_text="Settings of the connector, as its README names them. Credentials have fields of their own.",
    )
    sealed_options = models.BinaryField(null=True, editable=False)
    sealed_previous = models.BinaryField(null=True, editable=False)  # the credential before, while it is kept
    previous_until = models.DateTimeField(null=True, editable=False)
    active = models.BooleanField(default=True)
    generation = models.PositiveIntegerField(default=1, help_text="Raised after a restore from backup.")

    timeout_s = models.FloatField(default=25, help_text="Hard deadline of one request; a lease is 2.4 times as long.")
    max_inflight_s = models.FloatField(
        null=True,
        blank=True,
        help_text="Longest time a lost request may still be applied. Empty: the platform's own.",
    )
    rate_per_s = models.FloatField(default=10)
    burst = models.PositiveIntegerField(default=20)
    concurrency = models.PositiveSmallIntegerField(default=4)
    daily_quota = models.PositiveIntegerField(null=True, blank=True)
    max_attempts = models.PositiveSmallIntegerField(default=12)
    max_age_h = models.FloatField(default=75)
    retry_scale = models.FloatField(default=1, help_text="Multiplies every wait between attempts.")
    grace_s = models.FloatField(default=60, help_text="How long after a push the target may still show the old value.")

    probe_every_s = models.FloatField(default=30, help_text="How often an open breaker lets one request through.")

    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_by = models.CharField(max_length=200, blank=True, editable=False)
    pause_reason = models.CharField(max_length=300, blank=True, editable=False)
    not_before = models.DateTimeField(null=True, blank=True, editable=False)
    breaker = models.CharField(max_length=9, default="closed", choices=[(b, b) for b in BREAKERS], editable=False)
    breaker_since = models.DateTimeField(null=True, editable=False)
    breaker_reason = models.CharField(max_length=300, blank=True, editable=False)
    breaker_probe_at = models.DateTimeField(null=True, editable=False)
    breaker_successes = models.PositiveSmallIntegerField(default=0, editable=False)

    checked_at = models.DateTimeField(null=True, editable=False)
    check_ok = models.BooleanField(null=True, editable=False)
    check_message = models.TextField(blank=True, editable=False)
    pushable = models.JSONField(default=dict, editable=False)  # part of the mapping -> can it be written there
    missing = models.JSONField(default=list, editable=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(options__has_any_keys=list(SECRET_OPTIONS)), name="no_credential_in_options"
            ),
            models.CheckConstraint(
                condition=models.Q(sealed_previous=None, previous_until=None)
                | models.Q(sealed_previous__isnull=False, previous_until__isnull=False),
                name="previous_credential_comes_to_an_end",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        self._seal_options()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._seal_options() and "options" in (kwargs.get("update_fields") or ()):
            kwargs["update_fields"] = {*kwargs["update_fields"], "sealed_options"}
        super().save(*args, **kwargs)

    def _seal_options(self) -> bool:
        """Credentials leave `options`; one that is not named keeps its value, an empty one is forgotten."""
        given = {name: self.options[name] for name in SECRET_OPTIONS if name in self.options}
        if given:
            self.options = {name: value for name, value in self.options.items() if name not in given}
            self.set_secret_options(self.secret_options | given)
        return bool(given)

    @property
    def secret_options(self) -> dict[str, Any]:
        """The credentials among the options: never shown, never logged."""
        return _opened(self.sealed_options)

    def set_secret_options(self, plain: dict[str, Any]) -> None:
        self.sealed_options = _sealed({name: value for name, value in plain.items() if value})

    @property
    def all_options(self) -> dict[str, Any]:
        """The options as the connector gets them, credentials among them: never shown, never logged."""
        return {**self.options, **self.secret_options}

    @property
    def lease_s(self) -> float:
        return self.timeout_s * 2.4

    @property
    def secret(self) -> str:
        return crypto.open_bytes(bytes(self.sealed_secret)).decode() if self.sealed_secret else ""

    def set_secret(self, plain: str) -> None:
        self.sealed_secret = crypto.seal_bytes(plain.encode()) if plain else None

    @property
    def previous(self) -> dict[str, Any]:
        """The credential before, as `services.connections` keeps it; empty when none is kept."""
        return _opened(self.sealed_previous)

    @property
    def previous_secret(self) -> str:
        return str(self.previous.get("secret", ""))

    def set_previous(self, plain: dict[str, Any] | None) -> None:
        self.sealed_previous = _sealed(plain or {})


def _sealed(plain: dict[str, Any]) -> bytes | None:
    return crypto.seal_bytes(json.dumps(plain).encode()) if plain else None


def _opened(sealed: bytes | memoryview | None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(crypto.open_bytes(sealed)) if sealed else {}
    return found


class Subscription(models.Model):
    """What of one record type a target gets.

    `filter`: {path: value or list of values} over the canonical document; children as `extensions.legal_entity`.
    Empty: every record. Events up to `from_seq` were before its time.
    """

    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="subscriptions")
    type = models.CharField(max_length=40)
    filter = models.JSONField(default=dict, blank=True)
    creates = models.BooleanField(default=True, help_text="Create records the target does not have yet.")
    from_seq = models.BigIntegerField(default=0)
    active = models.BooleanField(default=True)
    mapping_version = models.CharField(max_length=40, blank=True, editable=False)  # what was sent is up to date with
    remapped_to = models.BigIntegerField(null=True, editable=False)  # last lane looked at after the mapping changed

    class Meta:
        constraints = [models.UniqueConstraint(fields=["target", "type"], name="one_subscription_per_type")]

    def __str__(self) -> str:
        return f"{self.type} to {self.target.code}"


class QuotaUse(models.Model):
    """A day's requests at one target, taken in blocks so that a flushed Redis forgets nothing."""

    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="quota_use")
    day = models.DateField()
    used = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["target", "day"], name="one_quota_row_per_day")]

    def __str__(self) -> str:
        return f"{self.target_id} {self.day}: {self.used}"
