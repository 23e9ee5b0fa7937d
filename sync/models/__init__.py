"""Tables of sync, one module per concern."""

from sync.models.alert import AlertRoute, Notification, TargetAlert
from sync.models.delivery import Attempt, AttemptResult, Delivery
from sync.models.drift import DriftFinding, DriftObservation, DriftRun
from sync.models.exception import ExceptionItem
from sync.models.freeze import FreezeWindow
from sync.models.job import PushJob, PushRow
from sync.models.lane import DispatchCursor, Lane
from sync.models.mapping import FieldRule, MappingVersion, ValueMapRow
from sync.models.rule import ExceptionOwner, OutcomeRule
from sync.models.target import QuotaUse, Subscription, Target

__all__ = [
    "AlertRoute",
    "Attempt",
    "AttemptResult",
    "Delivery",
    "DispatchCursor",
    "DriftFinding",
    "DriftObservation",
    "DriftRun",
    "ExceptionItem",
    "ExceptionOwner",
    "FieldRule",
    "FreezeWindow",
    "Lane",
    "MappingVersion",
    "Notification",
    "OutcomeRule",
    "PushJob",
    "PushRow",
    "QuotaUse",
    "Subscription",
    "Target",
    "TargetAlert",
    "ValueMapRow",
]
