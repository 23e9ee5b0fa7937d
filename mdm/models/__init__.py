"""Tables of the kernel, one module per concern."""

from mdm.models.access import ApiToken, EntityScope, IdempotencyKey, Preference
from mdm.models.audit import AuditEntry
from mdm.models.change import (
    Approval,
    ApprovalPolicy,
    ApprovalStep,
    ChangeItem,
    ChangeRequest,
    Comment,
    Participant,
    PolicyStep,
)
from mdm.models.event import Event
from mdm.models.match import DuplicatePair, KeySnapshot, MatchDecision, MatchKey, MatchProfile, PendingComparison
from mdm.models.match_model import MatchFlip, MatchJob, MatchModel
from mdm.models.match_run import MatchRun, MatchRunPart
from mdm.models.merge_block import MergeBlock
from mdm.models.record import GoldenChild, GoldenRecord
from mdm.models.rule_change import PendingRebuild, RuleChange, RuleEffect
from mdm.models.running import Heartbeat
from mdm.models.source import (
    ColumnMapping,
    Crosswalk,
    ImportJob,
    QuarantinedRow,
    SourceRecord,
    SurvivorshipRule,
    System,
    UploadChunk,
)
from mdm.models.version import Pin, Provenance, RecordVersion

__all__ = [
    "ApiToken",
    "Approval",
    "ApprovalPolicy",
    "ApprovalStep",
    "AuditEntry",
    "ChangeItem",
    "ChangeRequest",
    "ColumnMapping",
    "Comment",
    "Crosswalk",
    "DuplicatePair",
    "EntityScope",
    "Event",
    "GoldenChild",
    "GoldenRecord",
    "Heartbeat",
    "IdempotencyKey",
    "ImportJob",
    "KeySnapshot",
    "MatchDecision",
    "MatchFlip",
    "MatchJob",
    "MatchKey",
    "MatchModel",
    "MatchProfile",
    "MatchRun",
    "MatchRunPart",
    "MergeBlock",
    "Participant",
    "PendingComparison",
    "PendingRebuild",
    "Pin",
    "PolicyStep",
    "Preference",
    "Provenance",
    "QuarantinedRow",
    "RecordVersion",
    "RuleChange",
    "RuleEffect",
    "SourceRecord",
    "SurvivorshipRule",
    "System",
    "UploadChunk",
]
