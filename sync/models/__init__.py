"""Tables of sync, one module per concern."""

from sync.models.delivery import Attempt, AttemptResult, Delivery
from sync.models.drift import DriftFinding, DriftObservation, DriftRun
from sync.models.exception import ExceptionItem
from sync.models.job import PushJob, PushRow
from sync.models.lane import DispatchCursor, Lane
from sync.models.target import QuotaUse, Subscription, Target, TargetAlert, ValueMapRow

__all__ = [
    "Attempt",
    "AttemptResult",
    "Delivery",
    "DispatchCursor",
    "DriftFinding",
    "DriftObservation",
    "DriftRun",
    "ExceptionItem",
    "Lane",
    "PushJob",
    "PushRow",
    "QuotaUse",
    "Subscription",
    "Target",
    "TargetAlert",
    "ValueMapRow",
]
