"""The demo's platforms: a target at every sandbox, first deliveries, and drift."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Max
from django.db.models.functions import Now

from mdm import registry
from mdm.demo import clock
from mdm.demo.platforms import Platform, all_platforms
from mdm.models import Event, System
from mdm.permissions import actor_of
from mdm.services import audit, events
from mdm.types import Actor
from sync.models import Delivery, DriftFinding, DriftRun, Subscription, Target
from sync.services import dispatch, drain, drift, job_work, lanes, mappings, resolving, targets

Say = Callable[[str], None]
CLIENT, SECRET = "mdm", "mdm-sandbox-secret"  # what every sandbox accepts; no secret of anybody
MAX_INFLIGHT_S = 20.0  # a sandbox applies nothing so late, and nobody wants to wait longer in a demo


def load_targets(say: Say, types: Collection[str] | None = None) -> None:
    """A target per sandbox, subscribed from now on: what was loaded from the platforms is not sent back to them.

    types: only subscribe to these; else to all that the platforms are shown with.
    """
    if not Target.objects.exists():
        clock.at(15, 14)
    while events.seal():
        pass
    now = Event.objects.aggregate(last=Max("seq"))["last"] or 0
    for platform in all_platforms():
        code = platform.name
        url = settings.SANDBOX_URLS.get(code)
        if not url:
            say(f"{code}: no sandbox is running (MDM_SANDBOX_{code.upper()}_URL is not set), so no target")
            continue
        system = System.objects.get(code=code)
        target, created = Target.objects.get_or_create(
            code=code, defaults={"title": system.title, "connector": code, "system": system, "base_url": url}
        )
        target.base_url, target.client_id = url, CLIENT
        if created:
            target.rate_per_s, target.options = platform.rate_per_s, platform.options
            target.max_inflight_s = MAX_INFLIGHT_S
            target.secret_set_at, target.secret_set_by = Now(), person("aiko").name
        target.set_secret(SECRET)
        target.save()
        health = targets.check(target, by=person("samir"))
        _subscribe(platform, target, now, types)
        say(f"{target.title}: {health.message}")


def _subscribe(platform: Platform, target: Target, now: int, types: Collection[str] | None) -> None:
    rows = {(table, ours): theirs for table, row in platform.values.items() for ours, theirs in row.items()}
    mappings.change(target, rows, by=person("mara"), note="Codes of this installation.")
    shown = {type: wanted for type, wanted in platform.subscriptions.items() if types is None or type in types}
    for type, wanted in shown.items():
        values = {"from_seq": now, "filter": wanted.get("filter", {})}
        _, created = Subscription.objects.get_or_create(target=target, type=type, defaults=values)
        if created and wanted.get("all"):
            kept = registry.get(type).model._default_manager.exclude(status="merged")
            for name, given in wanted.get("filter", {}).items():  # the demo's filters name columns
                kept = kept.filter(**{f"{name}__in": given if isinstance(given, list) else [given]})
            uids = kept.values_list("uid", flat=True)
            targets.push(target, by=person("samir"), type=type, uids=[str(uid) for uid in uids])


def person(username: str) -> Actor:
    return actor_of(User.objects.get(username=username))


def send() -> None:
    """What the demo's requests changed goes out."""
    while events.seal():
        pass
    dispatch.dispatch_all()
    while job_work.go_on():
        pass
    with ThreadPoolExecutor() as pool:  # each target has a pace of its own
        for sent in [pool.submit(_drain, target.pk) for target in lanes.targets_with_work()]:
            sent.result()


def _drain(target: int) -> None:
    """Until nothing came of it for a second: what waits for the target's pace, or for a record before it, comes later."""
    nothing = 0
    try:
        while nothing < 5:
            nothing = 0 if drain.drain(target, budget_s=60) else nothing + 1
            time.sleep(0.2)
    finally:
        connection.close()


def load_deliveries(say: Say) -> None:
    """What is still to send; then, in the present, each platform drifts a little and is looked at."""
    if not Target.objects.exists():
        say("no targets, nothing to send")
        return
    if DriftFinding.objects.filter(state="ignored").exists():
        say("deliveries and drift are there already")
        return
    clock.back()
    send()
    states = Counter(Delivery.objects.order_by("state").values_list("state", flat=True))
    say("deliveries: " + ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in states.items()))
    _drift(say)
    while audit.seal():
        pass


def _control(code: str, verb: str, content: dict[str, object]) -> None:
    """Tell a sandbox to misbehave; only ever a server of the demo on this machine."""
    url = f"{settings.SANDBOX_URLS[code]}/_control/{verb}"
    request = Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as answer:
        answer.read()


def _drift(say: Say) -> None:
    """Somebody changes values inside the platforms; a look at each finds them; one finding is ignored with a reason."""
    for platform in all_platforms():
        target = Target.objects.filter(code=platform.name).first()
        if target is None:
            continue
        targets.check(target, by=person("samir"))
        posted = (
            Delivery.objects.filter(target=target, type="supplier", state="posted")
            .exclude(target_key="")
            .order_by("-pk")[:3]
        )
        for delivery in posted:
            _control(platform.name, "mutate", {"key": delivery.target_key, **platform.drift})
        run = _look(target)
        say(f"{target.title}: drift run {run.state}, {json.dumps(run.counts)}")
    finding = DriftFinding.objects.filter(state="open", kind="different").first()
    if finding:
        resolving.ignore([finding], by=person("mara"), reason="Agreed with accounting until the year end.")


def _look(target: Target) -> DriftRun:
    run = drift.request(target, by=person("samir"))
    drift.run(run.uid)
    run.refresh_from_db()
    return run
