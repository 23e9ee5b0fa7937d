"""Owns what people do around a fault run: set targets up, let poisoned lanes go on, repeat dead letters, wait."""

from __future__ import annotations

import time

from django.contrib.auth.models import Group, User
from django.db import Error, connection

from mdm.services import tokens
from mdm.types import Actor
from sync.models import Delivery, Subscription, Target
from sync.models.states import DEAD, OPEN
from sync.services import exceptions, replay
from tests.faults import platforms
from tests.faults.weather import SLOWEST_S
from tests.sync import world

BY = Actor.system("operator")
TIMEOUT_S = 0.7  # less than the slowest answer takes
# A request of a machine that is busy with everything else may be late by more than the sandbox was told to be.
MAX_INFLIGHT_S = 2 * SLOWEST_S + 1.2
_PACE = {"coupa": 24.0}  # requests a second it lets through; the others have no limit
_ONLY = {"coupa": {"group": platforms.GROUPS[0]}}  # so that the slowest does not hold the others up


def prepare(urls: dict[str, str]) -> tuple[dict[str, Target], str]:
    """Targets at the sandboxes, and a token for those who propose over HTTP."""
    world.allow_everything()
    platforms.company()
    targets = {
        name: platforms.target_at(
            name, url, timeout_s=TIMEOUT_S, max_inflight_s=MAX_INFLIGHT_S, retry_scale=0.0005, max_attempts=500,
            probe_every_s=0.3, concurrency=6, rate_per_s=_PACE.get(name, 1000.0), burst=20,
        )
        for name, url in urls.items()
    }  # fmt: skip
    for name, only in _ONLY.items():
        Subscription.objects.filter(target=targets[name]).update(filter=only)
    requester = User.objects.create_user("faults-requester")
    requester.groups.add(*(Group.objects.get_or_create(name=role)[0] for role in ("requester", "integrator")))
    return targets, tokens.issue(owner=requester, name="faults", scopes=["propose:*", "read:*"])[1]


def posted(before: int) -> int:
    """Pushes that ended well so far; the number from before while PostgreSQL is away."""
    try:
        return Delivery.objects.filter(state="posted").count()
    except Error:
        connection.close()
        return before


def standing_still(before: set[str]) -> set[str]:
    """Targets whose breaker is not closed; those from before while PostgreSQL is away."""
    try:
        return set(Target.objects.exclude(breaker="closed").values_list("code", flat=True))
    except Error:
        connection.close()
        return before


def release_poison() -> int:
    """Three kills in a row that hit the same delivery make it poison; the runbook is to look, and to let it go on."""
    released = 0
    try:
        for delivery in Delivery.objects.filter(state="poison").select_related("target", "lane"):
            exceptions.retry_poison(delivery, by=BY)
            released += 1
    except Error:
        connection.close()
    return released


def repeat_dead_letters() -> int:
    """What was refused and never followed by another version is sent again."""
    job = replay.replay(filter={"state": [state for state in DEAD if state != "poison"]}, dry_run=False, by=BY)
    return int(job.counts.get("queued", 0))


def wait_for_rest(seconds: float) -> float:
    """Until no delivery is under way; how long that took, at most `seconds`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            if not Delivery.objects.filter(state__in=OPEN).exists():
                break
        except Error:
            connection.close()
        time.sleep(0.2)
    return time.monotonic() - began
