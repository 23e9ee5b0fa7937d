"""The states of a delivery and the moves between them, as one literal table; the database's trigger knows the same."""

from __future__ import annotations

from sync.errors import SyncError

MOVES: dict[str, frozenset[str]] = {
    # Waits in its lane; nothing was sent.
    "pending": frozenset({"in_flight", "superseded", "held", "cancelled"}),
    # A process holds the lane and prepares the request; still nothing was sent.
    "in_flight": frozenset(
        {
            "unknown",
            "pending",
            "retrying",
            "posted",
            "rejected",
            "failed",
            "poison",
            "superseded",
            "held",
            "cancelled",
        }
    ),
    # Written before the request leaves: from here on the target may have applied it. Only an answer or a read-back
    # ends it, which is why it can never be superseded, held or cancelled.
    "unknown": frozenset({"in_flight", "pending", "retrying", "posted", "rejected", "failed", "poison", "cancelled"}),
    # Known not to be applied; its turn comes again.
    "retrying": frozenset({"in_flight", "superseded", "held", "cancelled", "failed"}),
    "held": frozenset({"pending", "superseded", "cancelled"}),
    # Dead letters are kept: trying again is a new delivery of the version that is current then.
    "rejected": frozenset({"cancelled"}),
    "failed": frozenset({"cancelled"}),
    "poison": frozenset({"cancelled"}),
    "posted": frozenset(),
    "superseded": frozenset(),
    "cancelled": frozenset(),
}
STATES = tuple(MOVES)
OPEN = ("pending", "in_flight", "unknown", "retrying")  # the lane still has to do something about them
UNSENT = ("pending", "in_flight", "retrying")  # certainly not applied at the target
DEAD = ("rejected", "failed", "poison")  # a person decides

REASONS = ("event", "mapping_changed", "effective_date", "drift_repair", "replay", "manual")


class ForbiddenMove(SyncError):
    """A delivery was about to change its state in a way the table does not know: a bug, never a target's doing."""

    code = "forbidden_move"


def check(before: str, after: str) -> None:
    if after not in MOVES[before]:
        raise ForbiddenMove(f"A delivery cannot go from {before} to {after}.")
