"""Proposing a new record or a change: typing, checking while typing, looking at the diff, sending or keeping it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from mdm.dating import same_value
from mdm.errors import CorrectInput, HubError, NotFound, NotNow, Reload, StillUsed
from mdm.models import ChangeRequest
from mdm.registry import RecordType
from mdm.selectors import request_items
from mdm.services import changes
from mdm.types import Problem
from mdm.web import kept_forms, propose_fields, propose_form, propose_page, propose_subject, visitor
from mdm.web.propose_form import Draft
from mdm.web.propose_page import Said
from mdm.web.propose_subject import Assembled, Outlook, Subject
from mdm.web.values import show


@require_http_methods(["GET", "POST"])
@visitor.page
def propose(request: HttpRequest, type_path: str, uid: UUID | None = None) -> HttpResponse:
    kind = visitor.kind_at(request, type_path, "propose")
    subject = propose_subject.find(request, kind, uid)
    if request.GET.get("back") and uid is None:
        return _bring_back(request, subject)
    if request.method == "GET":
        draft = subject.draft()
        if subject.new and subject.change is None:
            _prefill(request, kind, draft)
            propose_page.starting(kind, draft)
        draft.reason = draft.reason or request.GET.get("reason", "")[:300]  # what led here, such as a refusal
        return _answer(request, subject, draft, Said())
    if request.POST.get("action") == "discard":
        return _discard(request, subject)
    draft = propose_form.read_post(kind, request.POST)
    if request.GET.get("check"):
        return _check_field(request, subject, draft)
    stale = _catch_up(request, subject, draft)
    if stale is not None:
        return _answer(request, subject, draft, stale, status=422)
    if request.POST.get("add") or request.POST.get("remove"):
        propose_form.add(kind, draft, request.POST.get("add", ""))
        propose_form.remove(draft, request.POST.get("remove", ""))
        return _answer(request, subject, draft, Said())
    return _take(request, subject, draft)


def _bring_back(request: HttpRequest, subject: Subject) -> HttpResponse:
    """What was just discarded, as if it had never been. A number shown masked has to be typed again: its request is gone."""
    kept = kept_forms.taken_aside(request, subject.kind.path)
    if kept is None:
        messages.info(request, "What was discarded can be brought back for half an hour. It is gone now.")
        return redirect("web:record-new", subject.kind.path)
    return _answer(request, subject, propose_form.read_post(subject.kind, kept), Said())


def _prefill(request: HttpRequest, kind: RecordType, draft: Draft) -> None:
    """`?legal_name=…`: what a search for something that is not there was about."""
    for name in draft.values:
        if name in request.GET:
            draft.values[name] = request.GET[name][:200]


def _answer(
    request: HttpRequest,
    subject: Subject,
    draft: Draft,
    said: Said,
    *,
    outlook: Outlook | None = None,
    status: int = 200,
) -> HttpResponse:
    decision = outlook.decision if outlook else propose_subject.plain_decision(subject)
    try:
        day = propose_subject.effective_day(draft)
    except CorrectInput:
        day = None
    context = propose_page.context(request, subject, draft, said, decision=decision, outlook=outlook, effective_on=day)
    if request.method == "GET" and not request.GET.get("back"):
        context["put_aside"] = propose_page.put_aside(request, subject)
    return render(request, "web/propose.html", context, status=status)


# --- taking it in ---------------------------------------------------------------------------------------------


def _take(request: HttpRequest, subject: Subject, draft: Draft) -> HttpResponse:
    """Preview, keep or send. Whatever is refused answers with the same page and everything that was typed."""
    action = request.POST.get("action", "preview")
    made, outlook = Assembled(), None
    try:
        propose_subject.assemble(subject, draft, made)
        outlook = propose_subject.look_ahead(subject, propose_subject.check(subject, made))
        propose_subject.effective_day(draft)
        if action != "save":
            _require_reason(outlook, draft)
        if action == "submit" and not subject.new and request.POST.get("previewed") != draft.digest():
            action = "preview"  # nothing is sent that was not seen as it is sent
        if action not in ("submit", "save"):
            return _answer(request, subject, draft, _offers(made), outlook=outlook)
        change = propose_subject.send(subject, draft, made, by=visitor.actor(request), submit=action == "submit")
    except HubError as error:
        if isinstance(error, StillUsed) and subject.current and _only_closes(subject, made):
            messages.warning(request, error.message)
            plan = {"on": made.patch.get("valid_to") or "", "reason": draft.reason}
            url = reverse("web:record-leave", args=[subject.kind.path, subject.current["uid"]])
            return redirect(f"{url}?{urlencode(plan)}")
        said = _refused(subject, draft, error, made)
        return _answer(request, subject, draft, said, status=422)
    kept_forms.drop_aside(request)
    _say(request, change)
    return redirect("web:request", request_items.number_of(change))


def _only_closes(subject: Subject, made: Assembled) -> bool:
    """Whether the form asks for nothing but another last day, which can be planned on a page of its own."""
    told = {name for name, value in made.patch.items() if not same_value(value, subject.source.get(name))}
    return told <= {"valid_from", "valid_to"}


def _require_reason(outlook: Outlook, draft: Draft) -> None:
    if outlook.decision.require_reason and not draft.reason:
        text = "Say why: this kind of change needs a reason."
        raise CorrectInput(text, problems=[Problem("reason", "missing", text)])


def _offers(made: Assembled) -> Said:
    return Said(offers=made.resolved.offers if made.resolved else {})


def _refused(subject: Subject, draft: Draft, error: HubError, made: Assembled) -> Said:
    problems = error.problems or (Problem("", error.code, error.message),)
    fields, summary = propose_fields.place_problems(subject.kind, draft, problems, made.places)
    return Said(errors=fields, summary=summary, offers=_offers(made).offers)


def _say(request: HttpRequest, change: ChangeRequest) -> None:
    text = {
        "draft": f"{change.number} is kept as a draft. Nobody sees it as a task until you send it.",
        "returned": f"{change.number} is saved. It is not sent yet.",
        "applied": f"Applied: {change.title}",
        "scheduled": f"Approved: {change.title}. It is applied on its date.",
    }.get(change.state, f"{change.number} is sent for approval: {change.title}")
    messages.success(request, text)


def _discard(request: HttpRequest, subject: Subject) -> HttpResponse:
    """A kept draft is withdrawn; what was never kept is simply left."""
    change, typed = subject.change, _has_typed(request, subject)
    if change is not None:
        if change.state != "draft":
            raise NotNow("Only a draft is discarded. Withdraw the request instead.")
        changes.withdraw(change=change, by=visitor.actor(request), comment="Discarded by its author.")
    if typed:
        kept_forms.put_aside(request, subject.kind.path)
    if typed or change is not None:
        back = f"undo:{reverse('web:record-new', args=[subject.kind.path])}?back=1" if typed else ""
        what = f"{change.number} is" if change else "What you typed is"
        messages.success(request, f"{what} discarded.", extra_tags=back)
    url = reverse("web:records", args=[subject.kind.path])
    return redirect(visitor.onward(request, url))


def _has_typed(request: HttpRequest, subject: Subject) -> bool:
    """Whether the form came along with anything in it, so that there is something to bring back."""
    return subject.new and any(propose_form.read_post(subject.kind, request.POST).values.values())


# --- the record moves while somebody types --------------------------------------------------------------------


def _catch_up(request: HttpRequest, subject: Subject, draft: Draft) -> Said | None:
    """None when the form is about what is there now. Else what was typed is carried over, and the page says so."""
    if subject.change is not None and request.POST.get("content_hash") != subject.change.content_hash:
        text = f"{subject.change.number} was changed by somebody else. Your values are below: compare, then send again."
        return Said(summary=[{"id": "", "text": text}])
    seen = request.POST.get("version", "")
    if subject.new or seen == str(subject.version):
        return None
    base = subject.source_at(int(seen)) if seen.isdigit() and len(seen) < 9 else None
    if base is None:
        raise Reload("The page does not say which version you saw. Open the record again.")
    now = subject.draft()
    clashes = propose_form.rebase(draft, subject.draft(base), now)
    text = f"Somebody changed this record while you were typing: it is at version {subject.version} now. "
    text += "Your changes are kept, all other fields show the new values. Look through them, then send."
    places = _places(draft)
    problems = [Problem(path, "changed", f"meanwhile set to “{_now(now, path)}”; yours is kept.") for path in clashes]
    fields, summary = propose_fields.place_problems(subject.kind, draft, problems, places)
    return Said(
        notes={name: f"Others: {words}" for name, words in fields.items()}, summary=[{"id": "", "text": text}, *summary]
    )


def _places(draft: Draft) -> dict[str, tuple[str, int]]:
    return {
        line.uid: (name, place) for name, lines in draft.lines.items() for place, line in enumerate(lines) if line.uid
    }


def _now(now: Draft, path: str) -> str:
    name, _, rest = path.partition("/")
    if not rest:
        return show(now.values.get(name))
    uid, _, key = rest.partition("/")
    line = next((line for line in now.lines.get(name, []) if line.uid == uid), None)
    return show(line.values.get(key) if line else None)


# --- while typing ---------------------------------------------------------------------------------------------


def _check_field(request: HttpRequest, subject: Subject, draft: Draft) -> HttpResponse:
    """One field as it is left: the same rules, the same words as when it is sent."""
    asked = request.headers.get("HX-Trigger-Name", "")
    control, place, spec = _find_spec(subject.kind, asked)
    if spec is None:
        raise NotFound("There is no such field.")
    made = Assembled()
    try:
        propose_subject.assemble(subject, draft, made)
        propose_subject.check(subject, made)
        said = _offers(made)
    except HubError as error:
        said = _refused(subject, draft, error, made)
    lines = draft.lines.get(control.name, []) if control else []
    shown = lines[place].values if control and place < len(lines) else draft.values
    field: Any = propose_page.controls(request, subject, said).field(
        spec, shown.get(spec.name, ""), child=control, place=place
    )
    return render(request, "components/field.html", {"field": field})


def _find_spec(kind: RecordType, name: str) -> tuple[Any, int, Any]:
    """(child, place, spec) of a field by its name on the form."""
    for child in kind.children:
        if name.startswith(f"{child.name}-"):
            place, _, column = name.removeprefix(f"{child.name}-").partition("-")
            spec = next((spec for spec in propose_form.specs(child.document) if spec.name == column), None)
            return (child, int(place), spec) if place.isdigit() and len(place) < 5 else (None, 0, None)
    return None, 0, next((spec for spec in propose_form.specs(kind.document) if spec.name == name), None)


@require_POST
@visitor.page
def similar(request: HttpRequest, type_path: str) -> HttpResponse:
    kind = visitor.kind_at(request, type_path, "propose")
    draft = propose_form.read_post(kind, request.POST)
    shown = propose_page.similar(kind, draft, visitor.entities(request), draft_url=_draft_url(request, kind))
    return render(request, "web/_similar.html", {"similar": shown})


def _draft_url(request: HttpRequest, kind: RecordType) -> str:
    """Where a kept draft is discarded, when the form is one: its number stands in the address of the form."""
    number = request.GET.get("request", "")
    return f"{reverse('web:record-new', args=[kind.path])}?request={number}" if number.isdigit() else ""
