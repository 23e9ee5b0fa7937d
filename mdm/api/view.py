"""HubView: every call of the API. Checks come first and in one order; methods find `self.body`, `self.query`, `self.actor`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from django.db.models import QuerySet
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from rest_framework.exceptions import NotAuthenticated
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mdm.api import auth, bodies, etag, idempotency, operations, paging, problems, throttling
from mdm.errors import NotFound
from mdm.registry import RecordType
from mdm.types import Actor, Problem


class Rendered(bytes):
    """An answer that is JSON already."""


class QuickJson(BaseRenderer):
    """JSON by pydantic's encoder, several times as fast as Python's; times in RFC 3339, uids and decimals as text."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        if data is None or isinstance(data, Rendered):
            return data or b""
        return to_json(data, fallback=str)


_RENDERER = QuickJson()


class HubView(APIView):
    """Size → who → how often → may they → query → body → the method itself."""

    kind: RecordType | None = None  # given by as_view(kind=…) where a view serves one record type
    renderer_classes = [QuickJson]
    http_method_names = ["get", "head", "post", "patch", "delete"]
    metadata_class = None
    query: Any = None
    body: Any = None

    def needed_scope(self, method: str | None) -> str | None:
        spec = operations.of(self, method)
        if spec is None or spec.scope is None:
            return None
        return spec.scope.replace("{type}", self.kind.path) if self.kind else spec.scope

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """One representation, whatever Accept says (RFC 9110 §12.1 allows it); exports choose theirs by `?format=`."""
        return _RENDERER, _RENDERER.media_type

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        spec = operations.of(self, request.method)
        bodies.check_size(request, spec.max_bytes if spec else None)
        self._admit(request, spec)
        if spec is None:
            return
        for value in kwargs.values():
            if isinstance(value, str) and ("\x00" in value or len(value) > 300):
                raise NotFound("There is no such thing.")
        self.query = self._read_query(request, spec)
        if isinstance(spec.body, operations.Upload):
            self.read_upload(request, spec)
        else:
            self.body = self._read_body(request, spec)

    def read_upload(self, request: Request, spec: operations.Operation) -> None:
        """Views that take files say how; they also leave `request._mdm_upload_digest` for the Idempotency-Key."""
        raise NotImplementedError

    def require_scope(self, needed: str) -> None:
        """For calls whose scope shows only once the thing is found."""
        if not auth.covers(self.scopes, needed):
            raise auth.MissingScope(f"This call needs the scope “{needed}”.", scope=needed)

    def _admit(self, request: Request, spec: operations.Operation | None) -> None:
        """Also calls that are refused for who makes them are counted."""
        if spec is not None and spec.public:
            return
        try:
            self.perform_authentication(request)
        except Exception:
            request.user, request.auth = None, None  # type: ignore[assignment]
            self.check_throttles(request)
            raise
        self.check_throttles(request)
        if request.user is None:
            raise NotAuthenticated("Send a token: Authorization: Bearer <token>.")
        self.check_permissions(request)

    def _read_query(self, request: Request, spec: operations.Operation) -> BaseModel | None:
        given: dict[str, str] = {}
        for name, values in request.query_params.lists():
            if len(values) > 1:
                raise problems.correct([Problem(name, "repeated", "Give this parameter once, values with commas.")])
            bodies.check_text(name, name)
            bodies.check_text(values[0], name)
            given[name] = values[0]
        shape = operations.shape_for(spec.query, self) or operations.Query
        try:
            return shape.model_validate(given)
        except ValidationError as error:
            found = [
                Problem(p.path, "unknown_parameter", "There is no such parameter or filter.")
                if p.code == "extra_forbidden"
                else p
                for p in problems.problems_of(error)
            ]
            raise problems.correct(found) from None

    def _read_body(self, request: Request, spec: operations.Operation) -> Any:
        if spec.body is None or isinstance(spec.body, operations.Upload):
            return None
        shape = None if isinstance(spec.body, operations.RawBody) else operations.shape_for(spec.body, self)
        if shape and getattr(shape, "closed", False) and (found := bodies.read_closed(request, spec, shape)):
            return found
        value = bodies.read_json(request, spec)
        if isinstance(spec.body, operations.RawBody):
            if value is None and not spec.body_required:
                return {}
            if not isinstance(value, dict):
                raise bodies.Malformed("Send a JSON object.")
            return value
        assert shape is not None
        try:
            return shape.model_validate({} if value is None else value)
        except ValidationError as error:
            raise problems.correct(problems.problems_of(error)) from None

    def perform(self, method: Callable[..., Response], request: Request, *args: Any, **kwargs: Any) -> Response:
        """Reading is just done; writing is one transaction, remembered under its Idempotency-Key."""
        if request.method in ("GET", "HEAD"):
            return method(self, request, *args, **kwargs)
        spec = operations.of(self, request.method)
        assert spec is not None
        call = partial(method, self, request, *args, **kwargs)
        return idempotency.once(request, call, sealed=spec.sealed, detached=spec.detached)

    @property
    def actor(self) -> Actor:
        return auth.actor_of(self.request)

    @property
    def scopes(self) -> frozenset[str]:
        return auth.scopes_of(self.request)

    @property
    def entities(self) -> frozenset[str] | None:
        """Legal entities the caller may see; None means all. Asked once per request."""
        if not hasattr(self, "_entities"):
            self._entities = auth.entities_of(self.request)
        return self._entities

    def page(
        self,
        rows: QuerySet[Any],
        *,
        present: Callable[[Any], Any] | None = None,
        present_all: Callable[[list[Any]], Iterable[Any]] | None = None,
        order: Sequence[str] = (),
        key: str = "pk",
        falling: bool = False,
    ) -> Response:
        """A page of a list, by the PageQuery the operation declares; `present_all` for what needs the page at once."""
        found, around = paging.cut(self.request, rows, self.query, order=order, key=key, falling=falling)
        shown = list(present_all(found)) if present_all else [present(row) if present else row for row in found]
        return Response({"results": shown, **around})

    def page_of_texts(
        self, rows: QuerySet[Any], *, present: Callable[[Any], str], order: Sequence[str] = ()
    ) -> Response:
        """The same for results that are JSON already."""
        found, around = paging.cut(self.request, rows, self.query, order=order)
        results = ",".join(present(row) for row in found)
        return Response(Rendered(f'{{"results":[{results}],'.encode() + to_json(around)[1:]))

    def tagged(self, data: Any, version: object, **more: Any) -> Response:
        """An answer with its ETag; 304 without a body when the reader holds this version already."""
        headers = {"ETag": etag.quote(version), **more.pop("headers", {})}
        if self.request.method in ("GET", "HEAD") and etag.unchanged(self.request, version):
            return Response(status=304, headers=headers)
        return Response(data, headers=headers, **more)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in throttling.headers(request).items():
            response[name] = value
        response.setdefault("Cache-Control", "private, no-cache")
        return response


class Unmatched(HubView):
    """Any address of the API that leads nowhere: a problem like every other, never a page."""

    schema = None  # no operation of its own
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    throttle_classes: list[Any] = []

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.args, self.kwargs = args, kwargs
        self.request = request = self.initialize_request(request, *args, **kwargs)
        self.headers: dict[str, str] = {}
        hint = "" if request.path.endswith("/") else " Addresses of the API end with a slash."
        error = problems.NoSuchCall(f"There is no call at this address.{hint}")
        return self.finalize_response(request, self.handle_exception(error), *args, **kwargs)
