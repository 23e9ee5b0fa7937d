"""Matching's memory: features and keys of every record, pairs that may be one thing, and what people decided."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models


class MatchProfile(models.Model):
    """The normalised features of one golden record, computed once when it is written."""

    type = models.CharField(max_length=40)
    uid = models.UUIDField(unique=True)
    features = models.JSONField()
    tokens = ArrayField(models.BigIntegerField(), default=list)  # keys of its words, counted and never searched

    class Meta:
        indexes = [models.Index(fields=["type", "id"], name="match_profile_walk")]

    def __str__(self) -> str:
        return f"{self.type}/{self.uid}"


class PendingComparison(models.Model):
    """A record that was written and is not compared with the others yet: worked off by whoever comes first."""

    type = models.CharField(max_length=40)
    uid = models.UUIDField(unique=True)
    taken_at = models.DateTimeField(null=True)  # by whoever compares it now

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.type}/{self.uid}"


class MatchKey(models.Model):
    """Inverted index: a hashed key (salted by record type) and the profile that has it."""

    key = models.BigIntegerField()
    kind = models.SmallIntegerField()  # place in mdm.matching.keys.KINDS
    profile = models.ForeignKey(MatchProfile, on_delete=models.CASCADE, related_name="keys")

    class Meta:
        indexes = [models.Index(fields=["key"], include=["profile"], name="match_key_lookup")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"


class KeySnapshot(models.Model):
    """Frozen counts of keys and words of one record type: what is rare. The newest one is in force.

    Two arrays as bytes, little-endian: `hashes` int64 ascending, `held` int32; keys held once are left out.
    """

    type = models.CharField(max_length=40)
    total = models.IntegerField()
    hashes = models.BinaryField()
    held = models.BinaryField()
    taken_at = models.DateTimeField(auto_now_add=True)
    cause = models.CharField(max_length=20)  # grown, asked, look
    report = models.JSONField(
        default=dict
    )  # what these counts flip among the known pairs; told before they are in force
    job = models.ForeignKey("mdm.ImportJob", null=True, on_delete=models.SET_NULL, related_name="snapshots")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["type", "-id"], name="key_snapshot_newest")]

    def __str__(self) -> str:
        return f"{self.type}, {self.total} records, {self.taken_at:%Y-%m-%d %H:%M}"


class DuplicatePair(models.Model):
    """Two golden records that may be one thing (`left` < `right`), waiting for or holding people's judgement.

    `kind` "account": no duplicate, but one bank account under two names, for those who may see such warnings.
    `state` is derived from the judgements that stand, or "follows" where other judgements leave no other answer;
    `dispute`: "people" judged it differently, or "logic": it is part of judgements that contradict one another.
    """

    STATES = ("open", "same", "different", "related", "unsure", "follows", "merged", "gone")
    KINDS = ("duplicate", "account")

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40)
    kind = models.CharField(max_length=10, default="duplicate", choices=[(k, k) for k in KINDS])
    left = models.UUIDField()
    right = models.UUIDField()
    score = models.FloatField()
    probability = models.FloatField()
    band = models.CharField(max_length=10)
    explanation = models.JSONField(default=list)
    flags = models.JSONField(default=list)
    risk = models.FloatField(default=0)
    rank = models.FloatField(default=0)  # risk × confidence × use: the order of the queue
    ranking = models.JSONField(default=dict)  # what the rank is made of, in words: see mdm.services.ranking
    ranked_at = models.DateTimeField(null=True)
    evidence_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, default="open", choices=[(s, s) for s in STATES])
    follows = models.CharField(max_length=10, blank=True)  # with state "follows": same or different
    dispute = models.CharField(max_length=10, blank=True)
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    reopened_at = models.DateTimeField(null=True)
    job = models.ForeignKey("mdm.ImportJob", null=True, on_delete=models.SET_NULL, related_name="pairs")
    found_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["left", "right"], name="pair_once"),
            models.CheckConstraint(condition=models.Q(left__lt=models.F("right")), name="pair_ordered"),
        ]
        indexes = [
            models.Index(fields=["state", "-rank", "-id"], name="pair_queue"),
            models.Index(fields=["right"], name="pair_by_right"),
            models.Index(fields=["dispute", "-rank"], condition=~models.Q(dispute=""), name="pair_disputes"),
            models.Index(fields=["ranked_at"], condition=models.Q(state="open"), name="pair_to_rank"),
        ]

    def __str__(self) -> str:
        return f"{self.left} ~ {self.right}"


class MatchDecision(models.Model):
    """One judgement of one person: when, why, and on which evidence. Never changed.

    A person's newer judgement replaces the older one, "open" takes it back; "open" by nobody means that the evidence
    changed, and every earlier judgement lapsed. `settles`: a lead steward decided between others, whose judgements
    lapse. `evidence`: {feature: blind index of the compared values}. `relation`: what the left record is to the right.
    """

    JUDGEMENTS = (
        ("same", "Same"),
        ("different", "Different"),
        ("related", "Same group, another legal entity"),
        ("unsure", "Unsure"),
        ("open", "Reopened"),
    )
    RELATIONS = (("parent", "parent of"), ("child", "child of"), ("sibling", "sibling of"))

    pair = models.ForeignKey(DuplicatePair, on_delete=models.PROTECT, related_name="decisions")
    judgement = models.CharField(max_length=10, choices=JUDGEMENTS)
    relation = models.CharField(max_length=10, blank=True, choices=RELATIONS)
    reason = models.TextField(blank=True)
    evidence_hash = models.CharField(max_length=64)
    evidence = models.JSONField(default=dict)
    settles = models.BooleanField(default=False)
    change = models.ForeignKey("mdm.ChangeRequest", null=True, on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_by_name = models.CharField(max_length=200)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["decided_by", "-id"], name="decisions_of_person")]

    def __str__(self) -> str:
        return f"{self.judgement} by {self.decided_by_name}"
