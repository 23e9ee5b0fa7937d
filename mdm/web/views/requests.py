"""One request: reading it, deciding on it, talking about it, settling its conflicts."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from mdm.errors import CorrectInput, HubError, NotAllowed
from mdm.models import ChangeRequest
from mdm.selectors import request_items
from mdm.services import changes
from mdm.services.deciding import NOT_REVERTED
from mdm.types import Actor
from mdm.web import visitor
from mdm.web.review import approval, words
from mdm.web.review import page as review_page
from mdm.web.review.head import head
from mdm.web.values import day

Verdict = Callable[[ChangeRequest, Actor, str, str], ChangeRequest]


def _find(request: HttpRequest, number: int) -> ChangeRequest:
    return request_items.find(visitor.requests_seen(request), number)


@visitor.page
def show(request: HttpRequest, number: int) -> HttpResponse:
    return _answer(request, _find(request, number))


def _answer(
    request: HttpRequest, change: ChangeRequest, *, error: HubError | None = None, comment: str = ""
) -> HttpResponse:
    """The page; after a refusal the same page, saying why, with what was written still in its place."""
    message = error.message if error else ""
    review = review_page.review(request, change, error=message, comment=comment)
    context = {"page": head(change, review), "review": review, "me": request.user}
    return render(request, "web/request.html", context, status=visitor.status_of(error) if error else 200)


def _redirect(request: HttpRequest, number: int) -> HttpResponse:
    return redirect(visitor.onward(request, reverse("web:request", args=[number])))


# --- deciding -------------------------------------------------------------------------------------------------


def _approve(change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> ChangeRequest:
    return changes.approve(change=change, by=by, content_hash=content_hash, comment=comment)


def _reject(change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> ChangeRequest:
    return changes.reject(change=change, by=by, content_hash=content_hash, comment=comment)


def _return(change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> ChangeRequest:
    return changes.send_back(change=change, by=by, content_hash=content_hash, comment=comment)


def _withdraw(change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> ChangeRequest:
    return changes.withdraw(change=change, by=by, comment=comment)


def _submit(change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> ChangeRequest:
    return changes.submit_request(change=change, by=by)


def _revert(change: ChangeRequest, by: Actor, content_hash: str, comment: str) -> ChangeRequest:
    if not comment.strip():
        raise CorrectInput("Say why it is undone.")
    return changes.revert(change=change, by=by, reason=comment)


VERDICTS: dict[str, Verdict] = {
    "approve": _approve,
    "reject": _reject,
    "return": _return,
    "withdraw": _withdraw,
    "submit": _submit,
    "revert": _revert,
}


@require_POST
@visitor.page
def decide(request: HttpRequest, number: int) -> HttpResponse:
    change = _find(request, number)
    name, comment = request.POST.get("decision", ""), request.POST.get("comment", "")
    try:
        if name not in VERDICTS:
            raise CorrectInput("Choose what to do with this request.")
        _require_sight(request, change, name)
        done = VERDICTS[name](change, visitor.actor(request), request.POST.get("content_hash", ""), comment)
    except HubError as error:
        return _answer(request, _find(request, number), error=error, comment=comment)
    if name == "revert":
        messages.success(request, f"{done.number} asks to put the values of before back.")
        return redirect("web:request", request_items.number_of(done))
    messages.success(request, _said(name, done), extra_tags=_undo(name, done))
    return _redirect(request, number)


def _require_sight(request: HttpRequest, change: ChangeRequest, name: str) -> None:
    if name not in ("withdraw", "submit") and not request_items.sees_all(change, visitor.entities(request)):
        raise NotAllowed(approval.SEES_NOT)


def _said(name: str, change: ChangeRequest) -> str:
    """What became of it, in one line."""
    if name != "approve" and name != "submit":
        words_ = {"reject": "Rejected", "return": f"Returned to {change.requester_name}", "withdraw": "Withdrawn"}
        return f"{words_[name]}: {change.title}"
    if change.state == "in_review":
        roles = {words.role_title(step.role) for step in change.steps.all() if step.state == "open"}
        onward = " and ".join(sorted(roles))
        return f"Approved, waits for {onward}" if name == "approve" else f"Sent for approval to {onward}"
    if change.state == "scheduled":
        return f"Approved: it holds from {day(change.effective_on)}"
    if change.state == "conflicted":
        return "Approved, but others changed the same fields: somebody chooses what holds"
    return f"Applied: {change.title}"


def _undo(name: str, change: ChangeRequest) -> str:
    if name != "approve" or change.state != "applied" or change.kind in NOT_REVERTED:
        return ""
    return f"undo:{reverse('web:request-undo', args=[request_items.number_of(change)])}"


@require_POST
@visitor.page
def undo(request: HttpRequest, number: int) -> HttpResponse:
    """What was applied is taken back by a request of its own: nothing is erased."""
    change = _find(request, number)
    try:
        _require_sight(request, change, "revert")
        inverse = changes.revert(
            change=change, by=visitor.actor(request), reason="Taken back right after it was applied."
        )
    except HubError as error:
        return _answer(request, change, error=error)
    messages.success(request, f"{inverse.number} asks to put the values of before back.")
    return redirect("web:request", request_items.number_of(inverse))


# --- conflicts and discussion ---------------------------------------------------------------------------------


@require_POST
@visitor.page
def resolve(request: HttpRequest, number: int) -> HttpResponse:
    change = _find(request, number)
    choices = {
        name.removeprefix("choice-"): str(value) for name, value in request.POST.items() if name.startswith("choice-")
    }
    try:
        _require_sight(request, change, "resolve")
        done = changes.resolve(change=change, by=visitor.actor(request), choices=choices)
    except HubError as error:
        return _answer(request, _find(request, number), error=error)
    messages.success(request, _said("submit", done))
    return _redirect(request, number)


@require_POST
@visitor.page
def comment(request: HttpRequest, number: int) -> HttpResponse:
    change = _find(request, number)
    try:
        changes.comment(change=change, by=visitor.actor(request), text=request.POST.get("text", ""))
    except HubError as error:
        return _answer(request, change, error=error, comment=request.POST.get("text", ""))
    return redirect(f"{reverse('web:request', args=[number])}#discussion")
