"""What a call declares about itself: scope, query, body, answers. Checking, OpenAPI and contract tests derive from it.

class Targets(HubView):
    @operation("List targets", scope="sync:read", query=PageQuery, answers={200: Page[TargetBody]})
    def get(self, request): return self.page(Target.objects.all(), present=target_as_json, ordering=("id",))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
MULTIPART = "multipart/form-data"

Shape = type[BaseModel]
ShapeOf = Shape | Callable[[Any], Shape]
"""A pydantic model, or a function of the view's record type that gives one."""


def _to_utc(value: datetime) -> datetime:
    """PostgreSQL knows fewer offsets than RFC 3339; UTC is the same moment."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("out_of_range", "This time is out of range.") from None


Moment = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A point in time that comes in: with its zone, kept as UTC."""


class Query(BaseModel):
    """Query parameters of a call; one that is not declared is an error."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Body(BaseModel):
    """A JSON body; a field that is not declared is an error. `closed`: no part of it takes just any value, and texts and
    numbers have limits, so that its shape alone says whether it is right."""

    closed: ClassVar[bool] = False
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Shown(BaseModel):
    """Base of answers: documentation of what a call sends, checked by the contract tests."""


@dataclass(frozen=True)
class Answer:
    """One status a call answers with. `shape` None is an answer without a body, `media` names other forms than JSON."""

    shape: ShapeOf | None = None
    says: str = ""
    headers: tuple[str, ...] = ()
    media: tuple[str, ...] = (JSON,)


@dataclass(frozen=True)
class RawBody:
    """A JSON object taken as it is: the service that gets it checks it. `schema` describes it for OpenAPI."""

    schema: Callable[[Any], dict[str, Any]]
    required: bool = True


@dataclass(frozen=True)
class Upload:
    """A file: as a multipart part named `file` beside the fields of `fields`, or as the whole body in another type."""

    fields: Shape | None = None
    streams: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    summary: str
    scope: str | None
    answers: Mapping[int, ShapeOf | Answer | None]
    query: ShapeOf | None = None
    body: ShapeOf | RawBody | Upload | None = None
    body_required: bool = True
    errors: tuple[int, ...] = ()
    public: bool = False
    if_match: bool = False
    tagged: bool = False  # answers carry an ETag; GET honours If-None-Match
    sealed: bool = False  # a stored first answer holds a secret and is kept sealed
    detached: bool = False  # runs outside a transaction, because it talks to others
    max_bytes: int | None = None
    id: str = ""
    tag: str = ""
    notes: str = ""

    def media(self) -> tuple[str, ...]:
        if isinstance(self.body, Upload):
            return ((MULTIPART,) if self.body.fields else ()) + self.body.streams
        if self.body is None:
            return ()
        return (JSON, MERGE_PATCH) if self.if_match else (JSON,)


def operation(summary: str, **declared: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a method of a HubView. Writing methods run in one transaction, with their Idempotency-Key."""
    spec = Operation(summary, **declared)

    def decorate(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def handle(view: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            return view.perform(method, request, *args, **kwargs)

        handle.operation = spec  # type: ignore[attr-defined]
        return handle

    return decorate


def of(view: Any, method: str | None) -> Operation | None:
    handler = getattr(view, (method or "").lower(), None)
    return getattr(handler, "operation", None)


def shape_for(spec: ShapeOf | None, view: Any) -> Shape | None:
    """The model itself; functions of the record type are asked with the view's."""
    if spec is None or isinstance(spec, type):
        return spec
    return spec(view.kind)


class PageQuery(Query):
    """Every list takes these."""

    page_size: int = Field(100, ge=1, le=1000, description="How many results at most.")
    cursor: str | None = Field(
        None,
        max_length=1500,
        json_schema_extra={"pattern": r"^[A-Za-z0-9_-]*$"},
        description="From `next` or `previous` of another page.",
    )
    count: bool = Field(False, description="Also count all results (may take long).")


T = TypeVar("T")


class Page(Shown, Generic[T]):
    """A page of a list; `next` and `previous` are whole addresses, null at the ends."""

    results: list[T]
    next: str | None
    previous: str | None
    count: int | None = Field(None, description="Only with `?count=true`.")
