"""Addresses of the API's kernel. Those of record types are derived: one set per registered type."""

from __future__ import annotations

from django.urls import URLPattern, path

from mdm import registry
from mdm.api import (
    audit,
    bulk,
    change_requests,
    crosswalks,
    decisions,
    docs,
    duplicates,
    events,
    exports,
    imports,
    match_quality,
    match_runs,
    matching,
    record_reads,
    records,
    survivorship,
    tokens,
    unmerging,
)
from mdm.registry import RecordType

app_name = "api"


def record_urls(kind: RecordType) -> list[URLPattern]:
    """Everything API.md gives a record type; words come before uids, so that no uid hides one."""
    root, one = kind.path, f"{kind.path}/<str:uid>"
    collection: dict[str, type[records.RecordView] | type[bulk.Bulk]] = {
        "export": exports.Export,
        "schema": record_reads.DocumentSchema,
        "bulk": bulk.Bulk,
    }
    single: dict[str, type[records.RecordView]] = {
        "history": record_reads.History,
        "provenance": record_reads.ProvenanceView,
        "crosswalk": record_reads.RecordCrosswalk,
        "where-used": record_reads.WhereUsed,
        "deliveries": record_reads.Deliveries,
        "pins": survivorship.Pins,
        "detach": survivorship.Detach,
        **{action: records.action_view(action) for action in ("block", "unblock", "retire")},
    }
    urls = [path(f"{root}/", records.Records.as_view(kind=kind), name=f"{root}-list")]
    if kind.match:
        collection |= {
            "match": matching.Match,
            "match/compare": matching.Compare,
            "merge/preview": matching.PreviewMerge,
            "merge": matching.Merge,
        }
        single["cluster"] = duplicates.Cluster
        urls.append(path(f"{one}/why/<str:other_uid>/", matching.Why.as_view(kind=kind), name=f"{root}-why"))
        single["unmerge"] = unmerging.UnmergeRecord
    urls += [
        path(f"{root}/{word}/", view.as_view(kind=kind), name=f"{root}-{word}") for word, view in collection.items()
    ]
    urls.append(
        path(f"{one}/pins/<str:pin_uid>/lift/", survivorship.LiftPin.as_view(kind=kind), name=f"{root}-lift-pin")
    )
    urls.append(path(f"{one}/", records.Record.as_view(kind=kind), name=f"{root}-record"))
    return urls + [
        path(f"{one}/{word}/", view.as_view(kind=kind), name=f"{root}-{word}") for word, view in single.items()
    ]


urlpatterns = [
    path("schema/", docs.schema, name="schema"),
    path("docs/", docs.pages, name="docs"),
    *(url for kind in registry.all_types() for url in record_urls(kind)),
    path("change-requests/", change_requests.ChangeRequests.as_view(), name="change-requests"),
    path("change-requests/bulk-decision/", decisions.BulkDecision.as_view(), name="change-requests-bulk-decision"),
    path("change-requests/<str:uid>/", change_requests.ChangeRequestView.as_view(), name="change-request"),
    path("change-requests/<str:uid>/items/", change_requests.ChangeRequestItems.as_view(), name="change-request-items"),
    *(
        path(
            f"change-requests/<str:uid>/{verdict}/",
            decisions.verdict_view(verdict).as_view(),
            name=f"change-request-{verdict}",
        )
        for verdict in decisions.VERDICTS
    ),
    path("change-requests/<str:uid>/submit/", decisions.Submit.as_view(), name="change-request-submit"),
    path("change-requests/<str:uid>/withdraw/", decisions.Withdraw.as_view(), name="change-request-withdraw"),
    path("change-requests/<str:uid>/resolve/", decisions.Resolve.as_view(), name="change-request-resolve"),
    path("change-requests/<str:uid>/comment/", decisions.Comment.as_view(), name="change-request-comment"),
    path("change-requests/<str:uid>/revert/", decisions.Revert.as_view(), name="change-request-revert"),
    path(
        "change-requests/<str:uid>/unmerge/preview/",
        unmerging.PreviewUnmerge.as_view(),
        name="change-request-unmerge-preview",
    ),
    path("change-requests/<str:uid>/unmerge/", unmerging.Unmerge.as_view(), name="change-request-unmerge"),
    path("inbox/", change_requests.Inbox.as_view(), name="inbox"),
    path("duplicates/", duplicates.Duplicates.as_view(), name="duplicates"),
    path("duplicates/counts/", duplicates.Counts.as_view(), name="duplicates-counts"),
    path("duplicates/decide/", duplicates.DecideMany.as_view(), name="duplicates-decide"),
    path("duplicates/<str:uid>/", duplicates.Duplicate.as_view(), name="duplicate"),
    path("duplicates/<str:uid>/decide/", duplicates.Decide.as_view(), name="duplicate-decide"),
    path("duplicates/<str:uid>/undo/", duplicates.Undo.as_view(), name="duplicate-undo"),
    path("duplicates/<str:uid>/assign/", duplicates.Assign.as_view(), name="duplicate-assign"),
    path("match-runs/", match_runs.MatchRuns.as_view(), name="match-runs"),
    path("match-runs/<str:uid>/", match_runs.OneMatchRun.as_view(), name="match-run"),
    path("match-runs/<str:uid>/cancel/", match_runs.CancelMatchRun.as_view(), name="match-run-cancel"),
    path("matching/quality/", match_quality.Quality.as_view(), name="matching-quality"),
    path("matching/models/", match_quality.Models.as_view(), name="matching-models"),
    path("matching/models/<str:uid>/", match_quality.OneModel.as_view(), name="matching-model"),
    path("matching/models/<str:uid>/flips/", match_quality.Flips.as_view(), name="matching-flips"),
    path("matching/snapshots/", match_quality.Snapshots.as_view(), name="matching-snapshots"),
    path("merge-blocks/", unmerging.MergeBlocks.as_view(), name="merge-blocks"),
    path("merge-blocks/<str:uid>/lift/", unmerging.LiftMergeBlock.as_view(), name="merge-block-lift"),
    path("crosswalks/", crosswalks.Crosswalks.as_view(), name="crosswalks"),
    path("crosswalks/resolve/", crosswalks.ResolveKeys.as_view(), name="crosswalks-resolve"),
    path("survivorship-rules/", survivorship.SurvivorshipRules.as_view(), name="survivorship-rules"),
    path("rule-changes/", survivorship.RuleChanges.as_view(), name="rule-changes"),
    path("rule-changes/<str:uid>/", survivorship.OneRuleChange.as_view(), name="rule-change"),
    path("rule-changes/<str:uid>/effects/", survivorship.RuleEffects.as_view(), name="rule-change-effects"),
    path("imports/", imports.Imports.as_view(), name="imports"),
    path("imports/<str:uid>/", imports.Import.as_view(), name="import"),
    path("imports/<str:uid>/cancel/", imports.CancelImport.as_view(), name="import-cancel"),
    path("imports/<str:uid>/problems/", imports.RefusedRows.as_view(), name="import-problems"),
    path(
        "imports/<str:uid>/problems/<str:row_uid>/resubmit/",
        imports.ResubmitRow.as_view(),
        name="import-problem-resubmit",
    ),
    path(
        "imports/<str:uid>/problems/<str:row_uid>/dismiss/", imports.DismissRow.as_view(), name="import-problem-dismiss"
    ),
    path("events/", events.Events.as_view(), name="events"),
    path("tokens/", tokens.Tokens.as_view(), name="tokens"),
    path("tokens/<str:uid>/", tokens.Token.as_view(), name="token"),
    path("tokens/<str:uid>/revoke/", tokens.RevokeToken.as_view(), name="token-revoke"),
    path("audit/", audit.Audit.as_view(), name="audit"),
    path("audit/verify/", audit.VerifyAudit.as_view(), name="audit-verify"),
]
