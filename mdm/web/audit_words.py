"""What entries of the audit log say in words: verb, look, and where what they are about can be seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from mdm import registry
from mdm.models import AuditEntry, DuplicatePair
from mdm.selectors import records
from mdm.web.page import Tone
from mdm.web.visitor import link, record_url


class Said(NamedTuple):
    words: str
    icon: str = "info"
    tone: Tone = ""


SAID: dict[str, Said] = {
    "request.proposed": Said("proposed", "plus", "blue"),
    "request.submitted": Said("sent for approval", "send", "blue"),
    "request.auto_approved": Said("approved by policy", "check", "green"),
    "request.approved": Said("approved", "check", "green"),
    "request.rejected": Said("rejected", "no", "red"),
    "request.returned": Said("sent back", "undo", "amber"),
    "request.withdrawn": Said("withdrew", "minus", "grey"),
    "request.edited": Said("edited", "pencil", "blue"),
    "request.resolved": Said("settled the conflicts of", "check", "blue"),
    "request.scheduled": Said("scheduled", "future", "purple"),
    "request.applied": Said("applied", "ok", "green"),
    "request.conflicted": Said("found conflicts in", "alert", "amber"),
    "request.commented": Said("commented on", "comment", "grey"),
    "record.created": Said("created", "plus", "green"),
    "record.updated": Said("changed", "pencil", "blue"),
    "record.blocked": Said("blocked", "lock", "red"),
    "record.unblocked": Said("unblocked", "ok", "green"),
    "record.retired": Said("retired", "minus", "grey"),
    "record.merged": Said("merged", "duplicate", "blue"),
    "record.unmerged": Said("took a merge back of", "undo", "blue"),
    "bank.revealed": Said("looked at the full bank numbers of", "eye", "amber"),
    "value.pinned": Said("pinned a value of", "pin", "blue"),
    "value.unpinned": Said("took a pin away from", "pin", "grey"),
    "value.pin_dropped": Said("dropped a pin that is needed no more of", "pin", "grey"),
    "value.pin_expired": Said("dropped a pin that came to its end of", "pin", "grey"),
    "survivorship.proposed": Said("proposed other rules:", "gear", "blue"),
    "survivorship.rehearsed": Said("rehearsed", "half", "blue"),
    "survivorship.signed": Said("signed", "check", "green"),
    "survivorship.applied": Said("applied", "ok", "green"),
    "survivorship.withdrawn": Said("withdrew", "minus", "grey"),
    "survivorship.failed": Said("stopped at", "alert", "red"),
    "mappings.rehearsal_exported": Said("exported what would change by", "download", "grey"),
    "records.exported": Said("exported", "download", "grey"),
    "import.received": Said("received a file", "upload", "blue"),
    "import.done": Said("finished an import", "ok", "green"),
    "import.failed": Said("stopped at an import", "alert", "red"),
    "import.cancelled": Said("stopped an import", "no", "grey"),
    "quarantine.resubmitted": Said("corrected a row of", "refresh", "blue"),
    "quarantine.dismissed": Said("left out a row of", "minus", "grey"),
    "pair.same": Said("judged the same", "ok", "green"),
    "pair.different": Said("judged different", "no", "grey"),
    "pair.related": Said("judged of the same group", "tree", "grey"),
    "pair.assigned": Said("assigned", "user", "grey"),
    "pair.unsure": Said("was unsure about", "info", "amber"),
    "pair.reopened": Said("took a judgement back about", "undo", "grey"),
    "match_model.proposed": Said("proposed", "plus", "blue"),
    "match_model.approved": Said("signed and put in force", "check", "green"),
    "match_model.rejected": Said("rejected", "no", "red"),
    "target.paused": Said("paused", "pause", "amber"),
    "target.resumed": Said("resumed", "play", "green"),
    "target.checked": Said("checked", "check", "grey"),
    "target.tried": Said("tried another connection of", "check", "grey"),
    "target.credentials_set": Said("entered the credentials of", "lock", "blue"),
    "target.credentials_replaced": Said("replaced the credentials of", "lock", "blue"),
    "target.credentials_restored": Said("went back to the previous credentials of", "undo", "amber"),
    "target.previous_wiped": Said("wiped the previous credentials of", "minus", "grey"),
    "target.pushed": Said("pushed to", "send", "blue"),
    "value_map.changed": Said("changed a value map of", "mapping", "blue"),
    "push_job.asked": Said("asked for the push job", "send", "blue"),
    "push_job.approved": Said("let go on the push job", "check", "green"),
    "push_job.refused": Said("refused the push job", "no", "red"),
    "push_job.paused": Said("paused the push job", "pause", "amber"),
    "push_job.resumed": Said("resumed the push job", "play", "blue"),
    "push_job.cancelled": Said("cancelled the push job", "no", "amber"),
    "delivery.poison_released": Said("released a line of", "refresh", "amber"),
    "alert.acknowledged": Said("looks after", "user", "amber"),
    "freeze.planned": Said("planned a freeze of", "lock", "purple"),
    "freeze.lifted": Said("lifted the freeze of", "undo", "green"),
    "exception.retried": Said("sent again", "refresh", "blue"),
    "exception.assigned": Said("assigned", "user", "grey"),
    "exception.cancelled": Said("stopped sending", "no", "grey"),
    "exception.resolved": Said("closed the exception of", "check", "green"),
    "drift.requested": Said("asked for a look at", "drift", "blue"),
    "drift.pushed": Said("pushed ours over drift of", "send", "blue"),
    "drift.adopted": Said("proposed to adopt theirs for", "pencil", "blue"),
    "drift.ignored": Said("ignored drift of", "clock", "grey"),
    "session.opened": Said("signed in", "user", "grey"),
    "session.paused": Said("paused the sign-in of", "lock", "amber"),
    "person.added": Said("gave an account to", "user", "blue"),
    "person.changed": Said("changed the account or the roles of", "user", "amber"),
    "configuration.added": Said("added a setting", "plus", "blue"),
    "configuration.changed": Said("changed a setting", "pencil", "blue"),
    "configuration.deleted": Said("took a setting away", "minus", "amber"),
    "token.issued": Said("issued a token", "key", "blue"),
    "token.revoked": Said("revoked a token", "key", "grey"),
}
# First part of an action -> words of the filter.
AREAS = (
    ("request.", "Requests"), ("record.", "Records"), ("bank.", "Bank numbers looked at"), ("value.", "Pins"),
    ("records.", "Exports"), ("import.", "Imports"), ("quarantine.", "Quarantine"), ("pair.", "Duplicates"),
    ("target.", "Targets"), ("delivery.", "Deliveries"), ("exception.", "Exceptions"),
    ("alert.", "Alerts"), ("freeze.", "Freezes"), ("drift.", "Drift"),
    ("survivorship.", "Survivorship rules"), ("value_map.", "Value maps"), ("configuration.", "Configuration"),
    ("session.", "Sign-in"), ("token.", "Tokens"), ("person.", "People and roles"), ("match_run.", "Looks for duplicates"),
    ("match_model.", "Matching model"), ("push_job.", "Push jobs"),
)  # fmt: skip


def said(action: str) -> Said:
    """An action nobody gave words to reads as its own name."""
    return SAID.get(action) or Said(action.replace(".", " ").replace("_", " "))


def urls(entries: Iterable[AuditEntry]) -> dict[int, tuple[str, str]]:
    """{entry: (label, address)} of what they are about; two queries for the names of pairs, whatever the number."""
    listed = list(entries)
    pairs = _pairs([entry.object_uid for entry in listed if entry.object_type == "duplicate_pair"])
    return {entry.pk: _about(entry, pairs) for entry in listed}


def _pairs(uids: list[str]) -> dict[str, str]:
    rows = list(DuplicatePair.objects.filter(uid__in=uids)) if uids else []
    names: dict[str, tuple[str, str]] = {}
    for key in {row.type for row in rows}:
        names |= records.names(key, {uid for row in rows if row.type == key for uid in (row.left, row.right)})
    return {
        str(row.uid): " and ".join(names.get(str(uid), ("", "a record"))[1] for uid in (row.left, row.right))
        for row in rows
    }


def _about(entry: AuditEntry, pairs: dict[str, str]) -> tuple[str, str]:
    label, uid = entry.object_label or entry.object_uid, entry.object_uid
    if kind := registry.find(entry.object_type):
        return label, record_url(kind, uid) if uid else ""
    if entry.object_type == "duplicate_pair":
        return (pairs[uid], link("web:duplicate", uid)) if uid in pairs else ("a pair", "")
    return label, _page(entry.object_type, label, uid)


def _page(object_type: str, label: str, uid: Any) -> str:
    if object_type == "change_request" and label.startswith("CR-") and label[3:].split()[0].isdigit():
        return link("web:request", int(label[3:].split()[0]))
    if object_type == "import" and uid:
        return link("web:import", uid)
    if object_type == "rule_change" and uid:
        return link("web:rule-change", uid)
    if object_type == "match_model" and uid:
        return link("web:match-model", uid)
    if object_type == "push_job" and uid:
        return link("sync:job", uid)
    return link("sync:targets") if object_type == "target" else ""
