"""Matching over REST: search before create, why two records match or not, and merges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import crypto
from mdm.api import change_presenting, documents, match_shapes, problems
from mdm.api.change_shapes import ChangeRequestBody
from mdm.api.operations import Answer, operation
from mdm.api.records import RecordView
from mdm.errors import CorrectInput
from mdm.registry import RecordType
from mdm.selectors import visibility
from mdm.services import matching, merging
from mdm.types import Document, Problem


def _usable(kind: RecordType, document: Document, path: str) -> Document:
    """A partial document fit for comparing: types checked, numbers sealed; what is missing is simply unknown."""
    known = {name: value for name, value in document.items() if name in kind.document.model_fields}
    unknown = [name for name in document if name not in known and name not in documents.HEADER]
    if unknown:
        text = "There is no such field."
        raise problems.correct([Problem(f"{path}{name[:80]}", "extra_forbidden", text) for name in unknown])
    try:
        return kind.document.model_validate(known).model_dump(mode="json")
    except ValidationError as error:
        found = [p for p in problems.problems_of(error) if p.code != "missing"]
        if found:
            raise problems.correct([Problem(path + p.path, p.code, p.message) for p in found]) from None
    for child in kind.children:
        for row in known.get(child.name) or []:
            for name in child.sealed:
                if isinstance(row.get(name), str):
                    row[name] = crypto.seal(row[name])
    return known


def _candidate(match: matching.Match) -> dict[str, Any]:
    return {"uid": match.uid, "code": match.code, "legal_name": match.name, **matching.as_json(match.score)}


class Match(RecordView):
    @operation(
        "Find records that may be this {type}",
        scope="read:{type}",
        body=match_shapes.MatchInput,
        answers={200: match_shapes.MatchAnswer},
        id="{type}_match",
        notes="Stores nothing. Give one `document`, or up to 1000 `documents`.",
    )
    def post(self, request: Request) -> Response:
        body = self.body
        if (body.document is None) == (body.documents is None):
            raise CorrectInput(
                "Give either `document` or `documents`.", problems=[Problem("document", "missing", "Give one.")]
            )
        if body.document is not None:
            return Response({"candidates": self._search([_usable(self.kind, body.document, "document/")])[0]})
        batch = [_usable(self.kind, document, f"documents/{i}/") for i, document in enumerate(body.documents)]
        return Response({"results": [{"candidates": found} for found in self._search(batch)]})

    def _search(self, batch: Sequence[Document]) -> list[list[dict[str, Any]]]:
        found = matching.search_many(kind=self.kind, batch=batch, limit=self.body.limit, threshold=self.body.threshold)
        return [[_candidate(match) for match in matches] for matches in found]


class Why(RecordView):
    @operation(
        "Explain how alike two records are",
        scope="read:{type}",
        answers={200: match_shapes.WhyBody},
        id="{type}_why",
        notes="The score of any pair, and what would have to differ.",
    )
    def get(self, request: Request, uid: str, other_uid: str) -> Response:
        return _why(self, uid, other_uid)


class Compare(RecordView):
    @operation(
        "Explain how alike any two records are",
        scope="read:{type}",
        query=match_shapes.CompareQuery,
        answers={200: match_shapes.WhyBody},
        errors=(404,),
        id="{type}_compare",
        notes="The score of any pair, why and why not, and what would have to differ. `left` and `right` are uids, or "
        "`code:…`. Stores nothing.",
    )
    def get(self, request: Request) -> Response:
        return _why(self, self.query.left, self.query.right)


def _why(view: RecordView, left: str, right: str) -> Response:
    one = documents.find_uid(view.kind, left, view.entities)
    other = documents.find_uid(view.kind, right, view.entities)
    return Response(matching.why(kind=view.kind, left=str(one), right=str(other)))


# --- merging ------------------------------------------------------------------------------------------------------


class MergeView(RecordView):
    def named(self) -> dict[str, Any]:
        """The records of the body, each of them one the caller may see."""
        body = self.body
        wanted = [*filter(None, [body.survivor]), *body.losers]
        seen = set(documents.rows(self.kind, self.entities).filter(uid__in=wanted).values_list("uid", flat=True))
        if missing := [uid for uid in wanted if uid not in seen]:
            text = f"There is no such {self.kind.noun}."
            raise CorrectInput(text, problems=[Problem(str(uid), "unknown_record", text) for uid in missing])
        return {
            "kind": self.kind,
            "survivor": str(body.survivor) if body.survivor else None,
            "losers": [str(uid) for uid in body.losers],
            "choices": {path: str(uid) for path, uid in body.choices.items()},
            "drops": body.drops,
        }


class PreviewMerge(MergeView):
    @operation(
        "Preview a merge",
        scope="propose:{type}",
        body=match_shapes.MergeInput,
        answers={200: match_shapes.MergePreview},
        id="{type}_merge_preview",
    )
    def post(self, request: Request) -> Response:
        preview = merging.preview(**self.named())
        involved = [preview["survivor"], *preview["losers"], preview["result"]]
        hidden = visibility.hidden_paths(self.kind, preview["changes"], involved, self.entities)
        preview["changes"] = [change for change in preview["changes"] if change["path"] not in hidden]
        for name in ("survivor", "result"):
            preview[name] = visibility.strip(self.kind, preview[name], self.entities)
        preview["losers"] = [visibility.strip(self.kind, loser, self.entities) for loser in preview["losers"]]
        return Response(crypto.mask_tree(preview))


class Merge(MergeView):
    @operation(
        "Propose a merge",
        scope="propose:{type}",
        body=match_shapes.MergeProposal,
        answers={202: Answer(ChangeRequestBody, headers=("Location",))},
        id="{type}_merge",
        notes="Records that a person took apart before are refused with 409 `kept_apart`; `block` names what to lift.",
    )
    def post(self, request: Request) -> Response:
        change = merging.propose(**self.named(), reason=self.body.reason, by=self.actor)
        shown = change_presenting.present(change, by=self.actor, entities=self.entities)
        location = request.build_absolute_uri(change_presenting.address(change))
        return Response(shown, status=202, headers={"Location": location})
