"""The OpenAPI 3.1 document, built from what each operation declares: parameters, bodies, every answer and its headers."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

from drf_spectacular.drainage import warn
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from pydantic import BaseModel

from mdm.api import operations, problems
from mdm.api.operations import Answer, Operation, RawBody, Upload
from mdm.api.schema_names import suffixed, tidy, without_null
from mdm.api.schema_words import ALWAYS, HEADERS, PATH_WORDS, SAYS, TOO_LONG

_REF = "#/components/schemas/{model}"


class ProblemPart(BaseModel):
    path: str
    code: str
    message: str


class ProblemBody(BaseModel):
    """RFC 9457. Some problems carry more members, such as `current` or `scope`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[ProblemPart]
    correlation_id: str


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "mdm.api.auth.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A token of POST /api/v1/tokens/."}


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = "mdm.api.auth.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        from django.conf import settings

        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


class HubSchema(AutoSchema):
    """Reads the operation of the method at hand; a method without one is a mistake and says so."""

    spec: Operation
    view: Any

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Any:
        self.registry, self.path, self.path_regex = registry, path, path_regex
        self.path_prefix, self.method = path_prefix, method.upper()
        spec = operations.of(self.view, method)
        if spec is None:
            warn(f"{method} {path} declares no operation")
            return None
        self.spec = spec
        described: dict[str, Any] = {
            "operationId": spec.id.replace("{type}", self._type()) or self._derive_id(),
            "summary": spec.summary.replace("{type}", self._title()),
            "tags": [spec.tag or self._derive_tag()],
            "responses": self._answers(),
        }
        if text := self._describe():
            described["description"] = text
        if parameters := self._parameters():
            described["parameters"] = parameters
        if body := self._body():
            described["requestBody"] = body
        described["security"] = [{}] if spec.public else self.get_auth()
        return described

    def _type(self) -> str:
        return self.view.kind.path.replace("-", "_") if self.view.kind else ""

    def _title(self) -> str:
        return self.view.kind.noun if self.view.kind else ""

    def _derive_id(self) -> str:
        """`GET /api/v1/suppliers/{uid}/history/` → suppliers_uid_history_get: unique because addresses are."""
        words = re.findall(r"[a-z_]+", self.path.removeprefix("/api/v1").replace("-", "_"))
        return "_".join([*words, self.method.lower()])

    def _derive_tag(self) -> str:
        return self.path.removeprefix("/api/v1/").split("/")[0]

    def _describe(self) -> str:
        notes = [self.spec.notes]
        if needed := self.view.needed_scope(self.method):
            words = {"read": "a `read:` scope", "propose": "a `propose:` scope"}
            notes.append(f"Needs {words.get(needed) or f'the scope `{needed}`'}.")
        return " ".join(note for note in notes if note)

    # --- what goes in ---------------------------------------------------------------------------------------

    def _parameters(self) -> list[dict[str, Any]]:
        names = re.findall(r"{(\w+)}", self.path)
        found: list[dict[str, Any]] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, **PATH_WORDS.get(name, {})}
            for name in names
        ]
        if shape := operations.shape_for(self.spec.query, self.view):
            found += self._query_parameters(shape)
        if self.method == "POST":
            found.append(
                _header("Idempotency-Key", "Repeat the call safely: the first answer is replayed.", max_length=255)
            )
        if self.spec.if_match:
            found.append(_header("If-Match", "The ETag you read; 428 without it, 412 when it is not current."))
        if self.spec.tagged and self.method == "GET":
            found.append(_header("If-None-Match", "An ETag you hold; 304 when it is still current."))
        found.append(_header("X-Correlation-ID", "Your id for this piece of work; made up when absent."))
        return found

    def _query_parameters(self, shape: type[BaseModel]) -> Iterable[dict[str, Any]]:
        schema = shape.model_json_schema(ref_template=_REF, mode="validation")
        self._keep_parts(schema.pop("$defs", {}), "")
        for name, part in schema.get("properties", {}).items():
            plain = without_null(part)
            words = plain.pop("description", "")
            plain.pop("title", None)
            parameter = {"name": name, "in": "query", "schema": plain}
            if words:
                parameter["description"] = words
            if name in schema.get("required", []):
                parameter["required"] = True
            if plain.get("type") == "array":
                parameter |= {"style": "form", "explode": False}
            yield parameter

    def _body(self) -> dict[str, Any] | None:
        body = self.spec.body
        if body is None:
            return None
        if isinstance(body, Upload):
            return {"required": True, "content": self._upload(body)}
        if isinstance(body, RawBody):
            schema = self._raw(body)
        else:
            shape = operations.shape_for(body, self.view)
            assert shape is not None
            schema = self._ref(shape, "validation")
        content = {media: {"schema": schema} for media in self.spec.media()}
        return {"required": self.spec.body_required, "content": content}

    def _raw(self, body: RawBody) -> dict[str, Any]:
        schema = copy.deepcopy(body.schema(self.view.kind))
        self._keep_parts(schema.pop("$defs", {}), "Input")
        return self._keep(schema.pop("title"), schema)

    def _upload(self, upload: Upload) -> dict[str, Any]:
        content: dict[str, Any] = {media: {"schema": {"type": "string"}} for media in upload.streams}
        if upload.fields:
            schema = upload.fields.model_json_schema(mode="validation")
            schema["properties"]["file"] = {"type": "string", "format": "binary"}
            schema["required"] = [*schema.get("required", []), "file"]
            content[operations.MULTIPART] = {"schema": schema}
        return content

    # --- what comes out -------------------------------------------------------------------------------------

    def _answers(self) -> dict[str, Any]:
        found = {}
        for status, declared in sorted(self.spec.answers.items()):
            answer = declared if isinstance(declared, Answer) else Answer(declared)
            found[str(status)] = self._answer(status, answer)
        if self.spec.tagged and self.method == "GET":
            found["304"] = {"description": SAYS[304], "headers": self._headers(("ETag", *ALWAYS))}
        for status in sorted(self._errors()):
            found[str(status)] = self._problem(status)
        if self.spec.query is not None:
            found["414"] = TOO_LONG
        found["default"] = {
            "description": "Any other failure, in the same shape.",
            "headers": self._headers(("X-Correlation-ID",)),
            "content": {problems.MEDIA_TYPE: {"schema": self._ref(ProblemBody, "serialization")}},
        }
        return found

    def _errors(self) -> set[int]:
        statuses = {400, *self.spec.errors}
        if not self.spec.public:
            statuses |= {401, 403, 429}
        if "{" in self.path:
            statuses.add(404)
        if self.spec.body is not None:
            statuses |= {413, 415}
        if self.method == "POST":
            statuses |= {409, 422}
        if self.method in ("PATCH", "DELETE"):
            statuses.add(409)
        if self.spec.if_match:
            statuses |= {412, 428}
        return statuses | {503}

    def _answer(self, status: int, answer: Answer) -> dict[str, Any]:
        headers = [*answer.headers, *ALWAYS]
        if self.spec.tagged and "ETag" not in headers and status < 300:
            headers.append("ETag")
        if self.method == "POST":
            headers.append("Idempotent-Replayed")
        shown: dict[str, Any] = {
            "description": answer.says or SAYS.get(status, "Done."),
            "headers": self._headers(headers),
        }
        shape = operations.shape_for(answer.shape, self.view)
        if shape is not None:
            shown["content"] = {answer.media[0]: {"schema": self._ref(shape, "serialization")}}
        elif answer.media != (operations.JSON,):
            shown["content"] = {media: {"schema": {"type": "string"}} for media in answer.media}
        return shown

    def _problem(self, status: int) -> dict[str, Any]:
        headers = list(ALWAYS)
        if status in (409, 429, 503):
            headers.append("Retry-After")
        if status == 401:
            headers.append("WWW-Authenticate")
        content = {problems.MEDIA_TYPE: {"schema": self._ref(ProblemBody, "serialization")}}
        shown = {"description": SAYS.get(status, "Refused."), "headers": self._headers(headers), "content": content}
        kind = ResolvedComponent.RESPONSE
        component = ResolvedComponent(name=f"Problem{status}", type=kind, schema=shown, object=HubSchema)
        self.registry.register_on_missing(component)
        return component.ref

    # --- components -----------------------------------------------------------------------------------------

    def _ref(self, shape: type[BaseModel], mode: Any) -> dict[str, Any]:
        suffix = "Input" if mode == "validation" else ""
        schema = shape.model_json_schema(ref_template=_REF, mode=mode)
        self._keep_parts(schema.pop("$defs", {}), suffix)
        return self._keep(suffixed(shape.__name__, suffix), schema, suffix)

    def _headers(self, names: Iterable[str]) -> dict[str, Any]:
        refs = {}
        for name in dict.fromkeys(names):
            kind = ResolvedComponent.HEADER
            component = ResolvedComponent(name=name, type=kind, schema=HEADERS[name], object=HubSchema)
            self.registry.register_on_missing(component)
            refs[name] = component.ref
        return refs

    def _keep_parts(self, parts: dict[str, Any], suffix: str) -> None:
        for name, schema in parts.items():
            self._keep(suffixed(name, suffix), schema, suffix)

    def _keep(self, name: str, schema: dict[str, Any], suffix: str = "Input") -> dict[str, Any]:
        schema = tidy(schema, suffix)
        component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=HubSchema)
        if component in self.registry and self.registry[component].schema != schema:
            warn(f"two different shapes are called {name}")
        self.registry.register_on_missing(component)
        return component.ref


def _header(name: str, words: str, *, max_length: int | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if max_length:
        schema["maxLength"] = max_length
    return {"name": name, "in": "header", "description": words, "schema": schema}
