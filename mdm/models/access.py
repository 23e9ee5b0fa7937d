"""Who may come in by which door: API tokens, legal-entity scope, stored answers of repeated calls, preferences."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from mdm.models.record import text_list


class ApiToken(models.Model):
    """A bearer token: shown once, stored as SHA-256. It acts for its owner and counts as that person."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    prefix = models.CharField(max_length=12)
    hash = models.CharField(max_length=64, unique=True)
    scopes = text_list()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_on = models.DateField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class EntityScope(models.Model):
    """A person's legal entities. No row at all means every entity."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="entity_scopes")
    legal_entity = models.CharField(max_length=40, help_text="Code of the legal entity.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "legal_entity"], name="entity_scope_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.legal_entity}"


class IdempotencyKey(models.Model):
    """The first answer to a call, committed with its effect, replayed for the same key and body."""

    client = models.CharField(max_length=80)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.JSONField(null=True)  # as shown to the client: numbers already masked
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "key"], name="idempotency_once")]

    def __str__(self) -> str:
        return self.key


class Preference(models.Model):
    """A person's choice for a page: columns, sort, saved views."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences")
    name = models.CharField(max_length=60)
    value = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="preference_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"
