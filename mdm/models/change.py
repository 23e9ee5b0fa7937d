"""Change requests: their states in one literal table, items, approval steps, and four eyes as a database rule."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import models

from mdm.models.record import text_list


@dataclass(frozen=True)
class State:
    """What a state means, what comes next in words, and which actions lead where (None = decided by the service)."""

    title: str
    tone: str
    next: str
    actions: dict[str, str | None]


STATES: dict[str, State] = {
    "draft": State(
        "Draft",
        "grey",
        "Submit it when it is complete.",
        {"edit": "draft", "submit": None, "withdraw": "withdrawn", "comment": "draft"},
    ),
    "in_review": State(
        "In review",
        "amber",
        "The people of the open step decide.",
        {
            "approve": None,
            "reject": "rejected",
            "return": "returned",
            "withdraw": "withdrawn",
            "edit": "in_review",
            "comment": "in_review",
        },
    ),
    "returned": State(
        "Returned",
        "amber",
        "Its requester changes it and submits it again.",
        {"edit": "returned", "submit": None, "withdraw": "withdrawn", "comment": "returned"},
    ),
    "approved": State("Approved", "blue", "It is being applied.", {"apply": None, "comment": "approved"}),
    "scheduled": State(
        "Scheduled",
        "purple",
        "It is applied on its date.",
        {"apply": None, "withdraw": "withdrawn", "comment": "scheduled"},
    ),
    "applied": State(
        "Applied",
        "green",
        "Nothing more: its versions are on their way.",
        {"revert": "applied", "unmerge": "applied", "comment": "applied"},
    ),
    "rejected": State("Rejected", "red", "Nothing more.", {"comment": "rejected"}),
    "withdrawn": State("Withdrawn", "grey", "Nothing more.", {"comment": "withdrawn"}),
    "conflicted": State(
        "Conflicted",
        "amber",
        "Somebody picks a value for each conflicting row.",
        {"resolve": None, "withdraw": "withdrawn", "comment": "conflicted"},
    ),
    "expired": State("Expired", "grey", "Nothing more.", {"comment": "expired"}),
}
OPEN_STATES = ("draft", "in_review", "returned", "approved", "scheduled", "conflicted")
ORIGINS = ("web", "api", "import", "survivorship", "merge", "drift", "system")
ACTIONS = ("create", "update", "block", "unblock", "retire", "merge", "unmerge", "detach")


class ChangeRequest(models.Model):
    """What somebody wants to be true of golden records; applied whole or not at all.

    `number` is for people (CR-10001), `content_hash` is what an approval signs, `edits` counts changes of content.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(max_length=300)
    reason = models.TextField(blank=True)
    kind = models.CharField(max_length=20, db_index=True)  # create · change · bank · merge · block · load · rules …
    origin = models.CharField(max_length=20, choices=[(o, o) for o in ORIGINS])
    state = models.CharField(max_length=12, choices=[(k, s.title) for k, s in STATES.items()], default="draft")
    priority = models.CharField(max_length=10, default="normal", choices=[("normal", "Normal"), ("urgent", "Urgent")])
    effective_on = models.DateField(null=True, blank=True)
    content_hash = models.CharField(max_length=64, blank=True)
    edits = models.PositiveIntegerField(default=0)
    risk_flags = models.JSONField(default=list)
    policies = models.JSONField(default=list)  # names of the policy rows that matched
    correlation_id = models.CharField(max_length=64, db_index=True)
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="change_requests"
    )
    requester_name = models.CharField(max_length=200)
    reverts = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reverted_by")
    import_job = models.ForeignKey(
        "mdm.ImportJob", null=True, blank=True, on_delete=models.PROTECT, related_name="change_requests"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["state", "due_at"], name="change_by_state"),
            models.Index(fields=["requester", "-created_at"], name="change_by_requester"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.title}"

    @property
    def number(self) -> str:
        return f"CR-{10000 + self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


class ChangeItem(models.Model):
    """One record's part of a request. `changes`: [{path, before, after}]; a new record's uid is given at proposal."""

    request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(default=0)
    type = models.CharField(max_length=40)
    uid = models.UUIDField()
    label = models.CharField(max_length=300)
    action = models.CharField(max_length=10, choices=[(a, a) for a in ACTIONS])
    base_version = models.PositiveIntegerField(null=True)
    result_version = models.PositiveIntegerField(null=True)
    changes = models.JSONField(default=list)
    conflicts = models.JSONField(default=list)
    detail = models.JSONField(default=dict)  # merge: losers, choices, drops; create: code
    # What applying a merge found and moved (keys, source records, provenance, pairs): what its undoing puts back.
    # Taken when it is applied, not when it was proposed, so it is no part of what an approval signs.
    pre_image = models.JSONField(default=dict, editable=False)

    class Meta:
        ordering = ["position", "id"]
        indexes = [models.Index(fields=["uid"], name="change_item_by_record")]

    def __str__(self) -> str:
        return f"{self.action} {self.label}"


class Participant(models.Model):
    """One person on one side of one request. The unique rule is four eyes: nobody is both maker and checker."""

    request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="participants")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=7, choices=[("maker", "Maker"), ("checker", "Checker")])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "person"], name="one_side_per_person"),
            models.UniqueConstraint(fields=["id", "side", "request"], name="participant_side"),
        ]

    def __str__(self) -> str:
        return f"{self.person} as {self.side}"


class ApprovalStep(models.Model):
    """One step of a request: `quorum` people of `role`; steps of one `order` run side by side."""

    request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="steps")
    order = models.PositiveSmallIntegerField()
    role = models.CharField(max_length=40)
    quorum = models.PositiveSmallIntegerField(default=1)
    sla_hours = models.PositiveIntegerField(default=48)
    state = models.CharField(
        max_length=8, default="waiting", choices=[("waiting", "Waiting"), ("open", "Open"), ("done", "Done")]
    )
    due_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["order", "id"]
        constraints = [models.UniqueConstraint(fields=["request", "order", "role"], name="one_step_per_role")]

    def __str__(self) -> str:
        return f"{self.order}. {self.role} × {self.quorum}"


class Approval(models.Model):
    """What one checker said of one content; `content_hash` is what was on the screen. Lapsed by a later edit."""

    request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="approvals")
    step = models.ForeignKey(ApprovalStep, on_delete=models.CASCADE, related_name="approvals")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="approvals")
    side = models.CharField(max_length=7, default="checker")
    verdict = models.CharField(
        max_length=8, choices=[("approve", "Approved"), ("reject", "Rejected"), ("return", "Returned")]
    )
    comment = models.TextField(blank=True)
    content_hash = models.CharField(max_length=64)
    at = models.DateTimeField(auto_now_add=True)
    lapsed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(side="checker"), name="only_checkers_approve"),
            models.UniqueConstraint(
                fields=["request", "participant"],
                condition=models.Q(lapsed_at=None, verdict="approve"),
                name="one_live_approval_per_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.participant.person}: {self.verdict}"


class Comment(models.Model):
    request = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text[:60]


class ApprovalPolicy(models.Model):
    """A rule who must approve what. Empty conditions match everything; matching rules add up, the strictest wins.

    `auto_approve` only counts when no matching rule asks for a person.
    """

    name = models.CharField(max_length=120, unique=True)
    active = models.BooleanField(default=True)
    types = text_list(help_text="Record type keys, such as supplier. Empty: all.")
    actions = text_list(
        help_text="create, update, block, unblock, retire, merge, unmerge, detach; rules: survivorship. Empty: all."
    )
    paths = text_list(help_text="Beginnings of changed paths, such as bank_accounts. Empty: any.")
    origins = text_list(help_text="web, api, import, survivorship, merge, drift, system. Empty: all.")
    systems = text_list(help_text="Codes of source systems, for imports. Empty: all.")
    countries = text_list(help_text="ISO country codes. Empty: all.")
    legal_entities = text_list(help_text="Codes of legal entities named by the change. Empty: all.")
    risk_flags = text_list(help_text="Codes of risk flags. Empty: whatever the risk.")
    require_reason = models.BooleanField(default=False)
    auto_approve = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "approval policies"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PolicyStep(models.Model):
    policy = models.ForeignKey(ApprovalPolicy, on_delete=models.CASCADE, related_name="steps")
    order = models.PositiveSmallIntegerField(default=1)
    role = models.CharField(max_length=40)
    quorum = models.PositiveSmallIntegerField(default=1)
    sla_hours = models.PositiveIntegerField(default=48)

    class Meta:
        ordering = ["order", "role"]
        constraints = [models.UniqueConstraint(fields=["policy", "order", "role"], name="policy_step_once")]

    def __str__(self) -> str:
        return f"{self.order}. {self.role} × {self.quorum}"
