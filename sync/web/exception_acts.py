"""What people do about exceptions in the browser: one, the selected ones, or all of one cause."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from mdm.errors import CorrectInput
from mdm.web import people, visitor
from mdm.web.browsing import plural
from sync.models import ExceptionItem, Target
from sync.selectors import exception_views
from sync.services import exceptions
from sync.services.exceptions import Decided
from sync.web import doors
from sync.web.exception_groups import MOST, same
from sync.web.findings import is_uid

# button → (what the service calls it, where its reason stands, words for what was done)
BULK = {
    "retry": ("retry", "", "queued again"),
    "take": ("assign", "", "yours"),
    "assign": ("assign", "", "assigned to {who}"),
    "close": ("resolve", "close_reason", "closed"),
    "cancel": ("cancel", "cancel_reason", "not sent until they change"),
}


@require_POST
@visitor.page
def retry(request: HttpRequest, uid: Any) -> HttpResponse:
    item = exception_views.find(uid, visitor.entities(request))

    def do() -> str:
        exceptions.retry(item, by=visitor.actor(request))
        return f"{item.label} is queued again for {item.target.title}"

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def retry_many(request: HttpRequest) -> HttpResponse:
    """Everything open of one cause."""
    target = get_object_or_404(Target, code=request.POST.get("target", ""))
    cause = {name: request.POST.get(name, "") for name in ("field", "words", "table", "value")}

    def do() -> str:
        items = list(same(exception_views.items(visitor.entities(request)), target, cause).order_by("pk")[:MOST])
        if not items:
            raise CorrectInput("None of these is open any more.")
        decided = exceptions.decide(items, "retry", by=visitor.actor(request))
        return f"{plural(decided.done, 'record')} queued again for {target.title}{_left(decided)}"

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def decide(request: HttpRequest) -> HttpResponse:
    """The same for the selected ones."""
    uids = [uid for uid in request.POST.getlist("uid")[:MOST] if uid and is_uid(uid)]
    what = request.GET.get("do", "")

    def do() -> str:
        if what not in BULK:
            raise CorrectInput("Nothing like that can be done with an exception.")
        if not uids:
            raise CorrectInput("Choose at least one exception.")
        action, reason, words = BULK[what]
        user = _person(request, request.POST.get("user", "") if what == "assign" else "")
        found: list[ExceptionItem] = list(
            exception_views.items(visitor.entities(request)).filter(uid__in=uids).order_by("pk")
        )
        why = request.POST.get(reason, "") if reason else ""
        decided = exceptions.decide(found, action, by=visitor.actor(request), reason=why, user=user)
        done = words.format(who=people.name_of(user))
        return f"{plural(decided.done, 'exception')} {done}{_left(decided)}"

    return doors.act(request, do, reverse("sync:exceptions"))


def _left(decided: Decided) -> str:
    """Why some were left, the most frequent reason first."""
    if not decided.left:
        return ""
    reasons = Counter(why for _, why in decided.left).most_common(2)
    return f"; {len(decided.left)} not: {' '.join(why for why, _ in reasons)}"


@require_POST
@visitor.page
def cancel(request: HttpRequest, uid: Any) -> HttpResponse:
    item = exception_views.find(uid, visitor.entities(request))

    def do() -> str:
        exceptions.cancel(item, reason=request.POST.get("reason", ""), by=visitor.actor(request))
        return f"{item.label} is not sent to {item.target.title} until it changes"

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def close(request: HttpRequest, uid: Any) -> HttpResponse:
    item = exception_views.find(uid, visitor.entities(request))

    def do() -> str:
        exceptions.resolve(item, note=request.POST.get("reason", ""), by=visitor.actor(request))
        return f"The exception of {item.label} is closed"

    return doors.act(request, do, reverse("sync:exceptions"))


@require_POST
@visitor.page
def take(request: HttpRequest, uid: Any) -> HttpResponse:
    """For oneself, or for whom the form names."""
    item = exception_views.find(uid, visitor.entities(request))

    def do() -> str:
        user = _person(request, request.POST.get("user", ""))
        exceptions.assign(item, user=user, by=visitor.actor(request))
        return (
            f"{item.label} is yours" if user == request.user else f"{item.label} is assigned to {people.name_of(user)}"
        )

    return doors.act(request, do, reverse("sync:exceptions"))


def _person(request: HttpRequest, named: str) -> Any:
    user = User.objects.filter(username=named, is_active=True).first() if named else request.user
    if user is None:
        raise CorrectInput("There is no such person.")
    return user


@require_POST
@visitor.page
def map_value(request: HttpRequest, code: str) -> HttpResponse:
    """Add the missing row to the target's value map; everything that waited for it is sent again."""
    target = get_object_or_404(Target, code=code)
    form = request.POST

    def do() -> str:
        _, queued = exceptions.map_value(
            target,
            table=form.get("table", ""),
            ours=form.get("ours", ""),
            theirs=form.get("theirs", ""),
            by=visitor.actor(request),
        )
        words = f"“{form.get('ours')}” reads “{form.get('theirs')}” at {target.title} from now on"
        return f"{words}; {plural(queued, 'record')} queued"

    return doors.act(request, do, reverse("sync:exceptions"))
