"""Undoing merges over REST: preview, proposal, and the blocks that keep records apart afterwards."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import crypto, permissions, registry
from mdm.api import documents, unmerge_shapes
from mdm.api.change_requests import ChangeView
from mdm.api.change_shapes import ChangeRequestBody
from mdm.api.decisions import require_sight
from mdm.api.operations import Answer, Page, operation
from mdm.api.records import RecordView
from mdm.api.survivorship import answer_request
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotFound
from mdm.models import ChangeRequest, MergeBlock
from mdm.services import merge_blocks, merge_links, merging, taking_out, unmerging
from mdm.types import Problem

_PROPOSED = {202: Answer(ChangeRequestBody, "Proposed: waits for approval.", headers=("Location", "ETag"))}
_REFUSED = "Where a later merge built on it, 409 `wrong_state`; `blocker` is the number of the request to undo first."


class UnmergeView(ChangeView):
    def named(self, uid: str) -> dict[str, Any]:
        merge = self.find(uid)
        require_sight(merge, self.entities)
        return {
            "merge": merge,
            "members": [str(one) for one in self.body.members],
            "holders": {path: str(one) for path, one in self.body.holders.items()},
        }


class PreviewUnmerge(UnmergeView):
    @operation(
        "Preview the undoing of a merge",
        scope="propose",
        body=unmerge_shapes.UnmergeInput,
        answers={200: unmerge_shapes.UnmergePreview},
        notes=f"`uid` is the applied merge request, or its number. {_REFUSED}",
    )
    def post(self, request: Request, uid: str) -> Response:
        return Response(crypto.mask_tree(unmerging.preview(**self.named(uid))))


class Unmerge(UnmergeView):
    @operation(
        "Propose the undoing of a merge",
        scope="propose",
        body=unmerge_shapes.UnmergeProposal,
        answers=_PROPOSED,
        notes=f"All records it merged, or only `members`. {_REFUSED}",
    )
    def post(self, request: Request, uid: str) -> Response:
        return self.show(unmerging.propose(**self.named(uid), reason=self.body.reason, by=self.actor), 202)


class UnmergeRecord(RecordView):
    @operation(
        "Propose to take a merged record, or source records, out of this {type}",
        scope="propose:{type}",
        body=unmerge_shapes.UnmergeRecordInput,
        answers={202: Answer(ChangeRequestBody, "Proposed: waits for approval.", headers=("Location",))},
        id="{type}_unmerge",
        notes=f"Give either `merged_uid` or `source_records`. Without a merge to undo, a `reason` is needed. {_REFUSED}",
    )
    def post(self, request: Request, uid: str) -> Response:
        survivor = str(documents.find_uid(self.kind, uid, self.entities))
        if (self.body.merged_uid is None) == (not self.body.source_records):
            text = "Give either `merged_uid` or `source_records`."
            raise CorrectInput(text, problems=[Problem("merged_uid", "missing", text)])
        return answer_request(self, self._of_record(survivor) if self.body.merged_uid else self._of_sources(survivor))

    def _of_record(self, survivor: str) -> ChangeRequest:
        gone = str(self.body.merged_uid)
        merge = unmerging.merge_of(self.kind, gone)
        if merge is None or merge_links.head_of(list(merge.items.all())).detail["survivor"] != survivor:
            text = f"This record is not part of that {self.kind.noun}."
            raise CorrectInput(text, problems=[Problem("merged_uid", "not_merged", text)])
        require_sight(merge, self.entities)
        return unmerging.propose(
            merge=merge, members=[gone], holders=self._holders(), reason=self.body.reason, by=self.actor
        )

    def _of_sources(self, survivor: str) -> ChangeRequest:
        named = [(one.system, one.key) for one in self.body.source_records]
        merge = taking_out.way(kind=self.kind, uid=survivor, sources=named).merge
        if merge:
            require_sight(merge, self.entities)
        return taking_out.propose(
            kind=self.kind, uid=survivor, sources=named, holders=self._holders(), reason=self.body.reason,
            by=self.actor, origin="api",
        )  # fmt: skip

    def _holders(self) -> dict[str, str]:
        return {path: str(one) for path, one in self.body.holders.items()}


class MergeBlockView(HubView):
    def visible(self) -> QuerySet[MergeBlock]:
        readable = [k.key for k in registry.all_types() if permissions.allows(self.scopes, f"read:{k.path}")]
        return MergeBlock.objects.filter(type__in=readable).select_related("change")


def _block(block: MergeBlock) -> dict[str, Any]:
    return {
        **merging.block_as_json(block),
        "type": block.type,
        "lifted_at": block.lifted_at,
        "lifted_by": block.lifted_by_name,
        "lift_reason": block.lift_reason,
    }


class MergeBlocks(MergeBlockView):
    @operation(
        "List records that are kept apart",
        scope="read",
        query=unmerge_shapes.MergeBlockQuery,
        answers={200: Page[unmerge_shapes.MergeBlockShown]},
        notes="An undone merge keeps its records apart until a steward lifts that.",
    )
    def get(self, request: Request) -> Response:
        rows = self.visible().filter(lifted_at__isnull=not self.query.lifted)
        if self.query.record:
            uid = documents.lookup_uid(self.query.record, "record")["uid"]
            rows = rows.filter(Q(left=uid) | Q(right=uid))
        return self.page(rows, present=_block, order=("-blocked_at",))


class LiftMergeBlock(MergeBlockView):
    @operation(
        "Let records be merged again",
        scope="steward",
        body=unmerge_shapes.LiftBlockInput,
        answers={200: unmerge_shapes.MergeBlockShown},
        notes="Their pair returns to the queue with your reason.",
    )
    def post(self, request: Request, uid: str) -> Response:
        block = self.visible().filter(**documents.lookup_uid(uid)).first()
        if block is None:
            raise NotFound("There is no such block.")
        return Response(_block(merge_blocks.lift(block=block, reason=self.body.reason, by=self.actor)))
