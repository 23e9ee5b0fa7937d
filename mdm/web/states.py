"""The one table from a state to its colour, icon and words; colour means state and nothing else."""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    tone: str
    icon: str
    label: str


# The same word can mean different things to a request and to a delivery, hence one list per domain.
LOOKS: dict[str, dict[str, Look]] = {
    "request": {
        "draft": Look("grey", "draft", "Draft"),
        "submitted": Look("blue", "half", "Submitted"),
        "in_review": Look("blue", "half", "In review"),
        "needs_you": Look("amber", "half", "Needs you"),
        "approved": Look("green", "check", "Approved"),
        "scheduled": Look("purple", "future", "Scheduled"),
        "applied": Look("green", "ok", "Applied"),
        "returned": Look("amber", "undo", "Returned"),
        "rejected": Look("red", "no", "Rejected"),
        "withdrawn": Look("grey", "minus", "Withdrawn"),
        "conflicted": Look("amber", "alert", "In conflict"),
        "expired": Look("grey", "clock", "Expired"),
    },
    "record": {
        "draft": Look("grey", "draft", "Draft"),
        "active": Look("green", "ok", "Active"),
        "blocked": Look("red", "lock", "Blocked"),
        "retired": Look("grey", "minus", "Retired"),
        "merged": Look("grey", "duplicate", "Merged"),
    },
    "delivery": {
        "pending": Look("blue", "clock", "Waiting"),
        "in_flight": Look("blue", "send", "Being sent"),
        "unknown": Look("amber", "info", "Answer unknown"),
        "retrying": Look("blue", "refresh", "Trying again"),
        "posted": Look("green", "ok", "Posted"),
        "rejected": Look("red", "no", "Refused"),
        "failed": Look("red", "alert", "Failed"),
        "poison": Look("red", "alert", "Set aside"),
        "superseded": Look("grey", "minus", "Superseded"),
        "held": Look("purple", "lock", "Held"),
        "cancelled": Look("grey", "no", "Cancelled"),
        "corrected": Look("green", "check", "Corrected"),
    },
    "sync": {
        "in_sync": Look("green", "ok", "In sync"),
        "acknowledged": Look("green", "ok", "Acknowledged"),
        "told": Look("grey", "send", "Sent, not verified"),
        "behind": Look("blue", "clock", "Behind"),
        "sending": Look("blue", "clock", "Sending"),
        "refused": Look("red", "no", "Refused"),
        "failed": Look("red", "alert", "Failing"),
        "in_part": Look("red", "half", "Applied in part"),
        "held": Look("purple", "lock", "Held"),
        "unknown": Look("amber", "info", "Answer unknown"),
        "not_sent": Look("grey", "draft", "Not sent yet"),
        "not_pushable": Look("grey", "no", "Not pushable here"),
        "blocked": Look("grey", "lock", "Blocked there"),
        "drift": Look("amber", "drift", "Drift"),
    },
    "job": {
        "building": Look("blue", "half", "Being put together"),
        "planning": Look("blue", "eye", "Being looked up"),
        "waiting": Look("amber", "half", "Waits for a decision"),
        "queued": Look("blue", "clock", "Waits for its turn"),
        "checking": Look("blue", "eye", "Being checked"),
        "running": Look("blue", "send", "Running"),
        "paused": Look("grey", "pause", "Paused"),
        "done": Look("green", "ok", "Done"),
        "stale": Look("amber", "drift", "Out of date"),
        "refused": Look("grey", "no", "Refused"),
        "cancelled": Look("grey", "minus", "Cancelled"),
        "failed": Look("red", "alert", "Stopped"),
    },
    "push_row": {
        "waiting": Look("grey", "clock", "To come"),
        "queued": Look("blue", "send", "Queued"),
        "posted": Look("green", "ok", "Posted"),
        "unchanged": Look("green", "check", "Held it already"),
        "refused": Look("red", "no", "Refused"),
        "failed": Look("red", "alert", "Failed"),
        "overtaken": Look("grey", "minus", "Overtaken by a newer version"),
        "cancelled": Look("grey", "no", "Cancelled"),
        "left": Look("grey", "minus", "Left alone"),
        "moved": Look("amber", "drift", "Changed there meanwhile"),
    },
    "effect": {
        "create": Look("blue", "plus", "Would be created"),
        "change": Look("blue", "pencil", "Would change"),
        "block": Look("purple", "lock", "Would be blocked"),
        "unchanged": Look("grey", "check", "Holds the same"),
        "refused": Look("red", "no", "Would be refused"),
        "not_for_target": Look("grey", "minus", "Not for it"),
    },
    "target": {
        "healthy": Look("green", "ok", "Healthy"),
        "degraded": Look("amber", "alert", "Some answers fail"),
        "paused": Look("grey", "pause", "Paused"),
        "down": Look("red", "no", "Not reachable"),
        "frozen": Look("purple", "lock", "Frozen"),
        "unknown": Look("grey", "info", "Not checked yet"),
        "disabled": Look("grey", "minus", "Switched off"),
    },
    "breaker": {
        "closed": Look("green", "ok", "Closed"),
        "half_open": Look("amber", "half", "Trying one"),
        "open": Look("red", "pause", "Open"),
    },
    "import": {
        "draft": Look("grey", "draft", "Not started"),
        "queued": Look("blue", "clock", "Queued"),
        "running": Look("blue", "half", "Running"),
        "done": Look("green", "ok", "Done"),
        "failed": Look("red", "alert", "Stopped"),
        "cancelled": Look("grey", "no", "Cancelled"),
        "quarantine": Look("amber", "alert", "Rows in quarantine"),
    },
    "rules": {
        "rehearsing": Look("blue", "half", "Rehearsing"),
        "ready": Look("amber", "half", "Rehearsed"),
        "applying": Look("blue", "half", "Being applied"),
        "applied": Look("green", "ok", "Applied"),
        "closed": Look("grey", "minus", "Not applied"),
        "failed": Look("red", "alert", "Stopped"),
    },
    "model": {
        "draft": Look("blue", "half", "Being rehearsed"),
        "rehearsed": Look("amber", "half", "Waits for a signature"),
        "active": Look("green", "ok", "In force"),
        "retired": Look("grey", "history", "Replaced"),
        "rejected": Look("grey", "no", "Not used"),
    },
    "rule": {"on": Look("green", "ok", "On"), "off": Look("grey", "minus", "Off")},
    "row": {
        "linked": Look("green", "link", "Linked"),
        "new": Look("green", "plus", "New"),
        "updated": Look("blue", "pencil", "Changed"),
        "unchanged": Look("grey", "minus", "Same"),
        "candidate": Look("amber", "duplicate", "Candidate"),
        "quarantined": Look("red", "alert", "Quarantine"),
    },
    "pair": {
        "open": Look("amber", "half", "Needs a person"),
        "same": Look("green", "ok", "Same"),
        "different": Look("grey", "no", "Different"),
        "unsure": Look("amber", "info", "Unsure"),
        "related": Look("grey", "tree", "Same group"),
        "follows": Look("grey", "link", "Follows from others"),
        "gone": Look("grey", "minus", "A record is gone"),
        "merged": Look("green", "duplicate", "Merged"),
        "linked": Look("green", "link", "Linked"),
        "stale": Look("grey", "history", "Out of date"),
        "link": Look("green", "ok", "Same"),
        "review": Look("amber", "half", "Perhaps the same"),
        "none": Look("grey", "no", "Distinct"),
    },
    "verdict": {
        "agrees": Look("green", "ok", "Agrees"),
        "nearly": Look("green", "ok", "Agrees nearly"),
        "conflicts": Look("red", "no", "Conflicts"),
        "unknown": Look("", "", "Unknown"),
        "common": Look("", "", "Agrees, too common to count"),
    },
    "verification": {
        "verified": Look("green", "ok", "Verified"),
        "pending": Look("amber", "half", "Not verified yet"),
        "unverified": Look("grey", "draft", "Not verified"),
        "failed": Look("red", "no", "Refused"),
        "expired": Look("amber", "clock", "Expired"),
    },
    "drift": {
        "queued": Look("blue", "clock", "Queued"),
        "running": Look("blue", "half", "Running"),
        "done": Look("green", "ok", "Done"),
        "clean": Look("green", "ok", "No difference"),
        "found": Look("amber", "drift", "Differences"),
        "failed": Look("red", "alert", "Stopped"),
        "cancelled": Look("grey", "no", "Cancelled"),
    },
    "finding": {
        "open": Look("amber", "drift", "Open"),
        "pushing": Look("blue", "send", "Being pushed"),
        "pushed": Look("blue", "send", "Pushed"),
        "adopting": Look("blue", "half", "Proposed"),
        "adopted": Look("blue", "half", "Proposed"),
        "ignored": Look("grey", "clock", "Ignored"),
        "resolved": Look("green", "ok", "Resolved"),
        "gone": Look("green", "ok", "Gone"),
    },
    "kind": {
        "missing": Look("amber", "minus", "Missing there"),
        "extra": Look("amber", "plus", "Extra there"),
        "different": Look("amber", "drift", "Different"),
        "duplicate_key": Look("amber", "duplicate", "Duplicate key"),
        "unmapped": Look("amber", "mapping", "No mapping"),
    },
    "exception": {
        "open": Look("red", "no", "Open"),
        "retrying": Look("blue", "refresh", "Trying again"),
        "resolved": Look("green", "ok", "Resolved"),
        "corrected": Look("green", "check", "Corrected"),
        "repeated": Look("grey", "history", "Refused again"),
        "cancelled": Look("grey", "no", "Cancelled"),
    },
    "alert": {
        "open": Look("red", "alert", "Open"),
        "acknowledged": Look("amber", "user", "Looked after"),
        "resolved": Look("green", "ok", "Over"),
    },
    "freeze": {
        "coming": Look("purple", "future", "To come"),
        "open": Look("purple", "lock", "Frozen"),
        "over": Look("grey", "minus", "Over"),
        "lifted": Look("grey", "undo", "Lifted"),
    },
    "accepts": {
        "yes": Look("green", "ok", "Yes"),
        "no": Look("red", "no", "No"),
        "unknown": Look("grey", "info", "Not known before it is sent"),
        "none": Look("", "", "Not concerned"),
    },
    "step": {
        "done": Look("green", "check", "Done"),
        "now": Look("amber", "half", "Now"),
        "refused": Look("red", "no", "Refused"),
        "lapsed": Look("grey", "undo", "Lapsed"),
        "open": Look("grey", "draft", "Later"),
    },
}


# What nearly every row of a list is in: said quietly, so that the others stand out.
USUAL = {
    ("record", "active"),
    ("delivery", "posted"),
    ("push_row", "posted"),
    ("push_row", "unchanged"),
    ("job", "done"),
    ("import", "done"),
    ("request", "applied"),
    ("sync", "in_sync"),
}


def look(state: str, domain: str = "") -> Look:
    """The look of a state. An unknown one reads as its own name in grey: no page fails over a new state."""
    known = LOOKS.get(domain, {}).get(str(state))
    return known or Look("grey", "draft", str(state).replace("_", " ").capitalize())
