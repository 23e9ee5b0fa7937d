"""The head of a request's page: title, state, the line under it, and what can be done besides deciding."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from mdm import registry
from mdm.models import ChangeRequest
from mdm.selectors import request_items
from mdm.web import visitor
from mdm.web.page import Action, Badge, Confirm, Link, Meta, Page
from mdm.web.review import words


def head(change: ChangeRequest, shown: dict[str, Any]) -> Page:
    meta = [Meta(kind="id", text=change.number)]
    if shown["record"]:
        meta.append(Meta(kind="link", text=shown["record"].label, url=shown["record"].url))
    meta.append(Meta(kind="person", text=shown["by"], at=shown["at"]))
    meta.append(Meta(text=words.ORIGINS.get(change.origin, change.origin)))
    if shown["due"]:
        at = shown["due"].text
        meta.append(Meta(kind="due", text=at if "late" in at else f"due {at}", tone=shown["due"].tone))
    return Page(
        title=change.title,
        crumbs=[Link("Inbox", reverse("web:inbox")), Link(change.number, "")],
        badges=[Badge(state=shown["state"], domain="request")],
        meta=meta,
        menu=_menu(change, shown),
    )


def _menu(change: ChangeRequest, shown: dict[str, Any]) -> list[Action]:
    permits, menu = shown["permits"], []
    number = request_items.number_of(change)
    decide = reverse("web:request-decide", args=[number])
    edit = _edit_url(change, number)
    if edit and change.state in ("draft", "returned", "in_review"):
        allowed, why_not = permits["edit"]
        menu.append(Action(label="Change what is asked for", url=edit, icon="pencil", allowed=allowed, why_not=why_not))
    if permits["withdraw"][0] and change.state == "in_review":
        confirm = Confirm(
            title="Withdraw this request", body="Nobody decides on it any more, and nothing changes.",
            button="Withdraw request", reason_label="Why?", reason_name="comment", reason_required=False, danger=True,
        )  # fmt: skip
        fields = {"decision": "withdraw", "content_hash": change.content_hash}
        menu.append(
            Action(
                label="Withdraw", name="withdraw", url=decide, icon="x", method="post", fields=fields, confirm=confirm
            )
        )
    if change.state == "applied" and change.kind == "merge":
        allowed, why_not = permits["unmerge"]
        url = reverse("web:unmerge", args=[number])
        menu.append(Action(label="Undo this merge", url=url, icon="undo", allowed=allowed, why_not=why_not))
    elif change.state == "applied":
        allowed, why_not = permits["revert"]
        confirm = Confirm(
            title="Undo this change", body="A new request is made that puts the values of before back. Nothing is erased.",
            button="Propose undo", reason_label="Why?", reason_name="comment",
        )  # fmt: skip
        fields = {"decision": "revert", "content_hash": change.content_hash}
        menu.append(
            Action(label="Undo it", name="revert", url=decide, icon="undo", method="post", fields=fields,
                   confirm=confirm, allowed=allowed, why_not=why_not)
        )  # fmt: skip
    return menu


def _edit_url(change: ChangeRequest, number: int) -> str:
    """Requests about the values of one record are edited in the form they were made with."""
    items = list(change.items.all()[:2])
    if len(items) != 1 or items[0].action not in ("create", "update"):
        return ""
    kind = registry.get(items[0].type)
    if items[0].action == "create":
        return f"{visitor.link('web:record-new', kind.path)}?request={number}"
    return f"{visitor.record_url(kind, items[0].uid, 'edit')}?request={number}"
