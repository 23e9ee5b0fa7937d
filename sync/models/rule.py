"""What a platform's words mean to us, as data: rules for outcomes, and who owns the exceptions they make."""

from __future__ import annotations

from django.conf import settings
from django.db import models

BUSINESS, TECHNICAL, SELF_HEALING = "business", "technical", "self_healing"
CATEGORIES = (
    (BUSINESS, "Business: a steward puts the data right"),
    (TECHNICAL, "Technical: an operator is alerted, it is tried again"),
    (SELF_HEALING, "Heals by itself: tried again, then a steward"),
)
MATCHES = (
    ("code", "the code is"),
    ("contains", "the words contain"),
    ("starts", "the words begin with"),
    ("like", "the words are like (* stands for anything)"),
)


class OutcomeRule(models.Model):
    """Asked in the order of `position`; the first that fits an outcome decides, no other is asked.

    `tries` bounds how often the hub repeats by itself, all attempts counted; the waits grow from `min_wait_s` to
    `max_wait_s`. Of a technical rule 0 means: as often as the target's own limit says.
    """

    name = models.CharField(max_length=80, unique=True)
    active = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(
        default=50, help_text="Lower is asked first; the shipped ones are 100 on."
    )
    target = models.ForeignKey(
        "sync.Target", null=True, blank=True, on_delete=models.CASCADE, related_name="rules", help_text="Empty: any."
    )
    type = models.CharField(max_length=40, blank=True, help_text="Record type. Empty: any.")
    match = models.CharField(max_length=8, default="contains", choices=MATCHES)
    pattern = models.CharField(
        max_length=200, help_text="Upper and lower case are the same, and so is any stretch of blanks."
    )
    category = models.CharField(max_length=12, default=BUSINESS, choices=CATEGORIES, verbose_name="means")
    hint = models.TextField(blank=True, max_length=1000, help_text="For whoever puts it right: what to do, in words.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="Attempts in all before it is given up, at most 50.")
    min_wait_s = models.PositiveIntegerField(default=30, verbose_name="shortest wait in seconds")
    max_wait_s = models.PositiveIntegerField(default=900, verbose_name="longest wait in seconds")

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(condition=models.Q(max_wait_s__gte=models.F("min_wait_s")), name="rule_waits_grow"),
            models.CheckConstraint(condition=models.Q(tries__lte=50), name="rule_tries_bounded"),
            models.CheckConstraint(
                condition=~models.Q(category=SELF_HEALING) | models.Q(tries__gt=0), name="rule_healing_needs_tries"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ExceptionOwner(models.Model):
    """Who looks after exceptions, and within how many hours. The most particular row holds: rule, then company, then type."""

    rule = models.ForeignKey(OutcomeRule, null=True, blank=True, on_delete=models.CASCADE, related_name="owners")
    legal_entity = models.CharField(
        max_length=40, blank=True, help_text="Code of a company the record is used by. Empty: any."
    )
    type = models.CharField(max_length=40, blank=True, help_text="Record type. Empty: any.")
    role = models.CharField(max_length=40, blank=True)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="owned_exceptions",
        help_text="Exceptions are then assigned to this person at once.",
    )  # fmt: skip
    sla_hours = models.PositiveIntegerField(null=True, blank=True, help_text="Hours until it is overdue. Empty: never.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "legal_entity", "type"], nulls_distinct=False, name="one_owner_per_case"
            ),
            models.CheckConstraint(condition=~models.Q(role="", person=None), name="owner_is_somebody"),
        ]

    def __str__(self) -> str:
        case = [self.rule.name if self.rule else "", self.legal_entity, self.type]
        return f"{self.role or self.person}: {', '.join(part for part in case if part) or 'everything else'}"
