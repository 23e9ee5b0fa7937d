"""What push jobs, their rows and their numbers are called on pages."""

from __future__ import annotations

from mdm.web.browsing import plural
from sync.models import PushJob

KINDS = {
    "replay": "Replay",
    "load": "Whole load",
    "delta": "What changed",
    "repeat": "Repeat of what failed",
    "plan": "Plan",
}
# why a row was left out or left → words for a count of them
_WHY = {
    "already_waiting": "on their way already",
    "not_for_target": "not for this target",
    "unknown": "no longer there",
    "repeated_before": "repeated before",
    "given_up": "given up",
    "plan_is_stale": "not applied: the plan was stale",
    "moved": "changed there meanwhile",
}
EFFECTS = {
    "create": "Would be created",
    "change": "Would change",
    "block": "Would be blocked",
    "unchanged": "Holds the same",
    "refused": "Would be refused",
    "not_for_target": "Not for it",
}
NOTES = {
    "building": "The records are being chosen",
    "planning": "Every record is looked up at the target; nothing is written",
    "queued": "Another job of this target is before it",
    "checking": "Does the target still hold what was planned on?",
    "running": "You can leave this page",
}


def why(code: str) -> str:
    return _WHY.get(code, code.replace("_", " "))


def title(job: PushJob) -> str:
    return f"{KINDS[job.kind]} {'for' if job.kind == 'plan' else 'to'} {job.target.title}"


def duration(seconds: float) -> str:
    if seconds < 60:
        return "a few seconds"
    minutes = seconds / 60
    return plural(round(minutes), "minute") if minutes < 120 else f"{minutes / 60:.0f} hours"
