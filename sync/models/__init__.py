"""Tables of sync, one module per concern."""

from sync.models.delivery import Attempt, AttemptResult, Delivery, ReplayJob
from sync.models.drift import DriftFinding, DriftObservation, DriftRun
from sync.models.exception import ExceptionItem
from sync.models.lane import DispatchCursor, Lane
from sync.models.mapping import FieldRule, MappingVersion, ValueMapRow
from sync.models.target import QuotaUse, Subscription, Target, TargetAlert

__all__ = [
    "Attempt",
    "AttemptResult",
    "Delivery",
    "DispatchCursor",
    "DriftFinding",
    "DriftObservation",
    "DriftRun",
    "ExceptionItem",
    "FieldRule",
    "Lane",
    "MappingVersion",
    "QuotaUse",
    "ReplayJob",
    "Subscription",
    "Target",
    "TargetAlert",
    "ValueMapRow",
]
