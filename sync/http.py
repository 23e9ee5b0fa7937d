"""Owns outbound HTTP: the one place connectors speak through, where failures become `sync.errors`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol, runtime_checkable

import httpx

from sync import crash_points
from sync.deadline import ask_leave, count_write, deadline, make_transport
from sync.errors import Ambiguous, FieldProblem, NotSent, Refused, Stale, SyncError, Throttled, Unauthorised
from sync.protocol import Config, Exchange
from sync.redact import Redactor

MAX_BODY = 1024 * 1024
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
RETRY_FLOOR, RETRY_CEILING = 1.0, 3600.0
Problems = tuple[str, tuple[FieldProblem, ...]]


@dataclass(frozen=True)
class Response:
    """What came back; headers are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The parsed body; ValueError when it is not JSON (inside `Client.json` that is Ambiguous)."""
        return json.loads(self.body)


class Auth(Protocol):
    """How requests are signed; `renew` is called once after a 401, False when there is nothing to renew."""

    def headers(self) -> dict[str, str]: ...

    def renew(self) -> bool: ...


@runtime_checkable
class Signer(Protocol):
    """An `Auth` that must see the request: `sign` gives headers for this method and address, query included."""

    def sign(self, method: str, url: str) -> dict[str, str]: ...


class Client:
    """One session with one target: cookies are kept, redirects are not followed, everything said is recorded.
    Not for sharing between threads.

    `begin()` starts one push: from then on a failed *read* is NotSent while nothing was written, and
    Ambiguous once a write may have arrived.
    """

    def __init__(
        self,
        config: Config,
        *,
        auth: Auth | None = None,
        headers: Mapping[str, str] | None = None,
        explain: Callable[[Response], Problems] | None = None,
        sensitive: Iterable[str] = (),
        retry_floor: float = RETRY_FLOOR,
        keep_headers: Iterable[str] = (),  # of answers, for the evidence: what the vendor's support asks for
    ) -> None:
        self.config, self.auth = config, auth
        self.redactor = Redactor(sensitive)
        self._explain = explain
        self._floor = retry_floor
        self._keep_headers = tuple(name.lower() for name in keep_headers)
        self._written = False
        self._exchanges: list[Exchange] = []
        self._last_write: tuple[Exchange, str] | None = None  # and what is shown of its answer but the body
        self._standing: dict[str, str] = {"User-Agent": "finance-mdm-hub", **(headers or {})}
        self._extra: dict[str, str] = {}
        limit = httpx.Timeout(config.timeout, connect=min(config.timeout, 10.0))
        transport = make_transport(config.options.get("ca_file"), config.private_hosts)
        self._http = httpx.Client(transport=transport, timeout=limit, follow_redirects=False, trust_env=False)
        self.base_url = config.base_url.rstrip("/") + "/"  # some platforms name another one when one signs in

    def begin(self, *, correlation_id: str = "", conceal: Iterable[Any] = (), **headers: str) -> None:
        """A new push: forget what was said, remember what to hide, send these headers with every request."""
        self._written, self._last_write = False, None
        self._exchanges.clear()
        self.redactor.forget()
        self.redactor.conceal(conceal)
        self._extra = {"X-Correlation-ID": correlation_id} if correlation_id else {}
        self._extra.update({name.replace("_", "-"): value for name, value in headers.items() if value})

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (),
        writes: bool | None = None,
        auth: bool = True,
        max_body: int = MAX_BODY,
        secret: bool = False,
    ) -> Response:
        """Send, and answer a 2xx or a status listed in `accept`; anything else raises one of `sync.errors`.

        `writes` overrides what the method says (a token request is a POST that changes no record).
        `secret` keeps both bodies out of the evidence: signing in where its address does not end in `token`.
        """
        writes = method.upper() not in SAFE if writes is None else writes
        sent = {"params": params, "json": json, "data": data, "content": content}
        response = self._send(method, url, sent, headers, writes, auth, max_body, secret)
        if response.status == 401 and auth and self.auth and 401 not in accept and self.auth.renew():
            # A 401 was not applied: it is safe to repeat.
            response = self._send(method, url, sent, headers, writes, auth, max_body, secret)
        if 200 <= response.status < 300 or response.status in accept:
            return response
        raise self.failure(response)

    def json(self, method: str, url: str, **options: Any) -> Any:
        """The parsed body of the answer; an answer nobody can read is Ambiguous after a write."""
        response = self.request(method, url, **options)
        try:
            return response.json() if response.body else None
        except ValueError:
            raise self.unreadable(response) from None

    def unreadable(self, response: Response) -> SyncError:
        """The error to raise for a 2xx whose body makes no sense."""
        body = self.redactor.body(response.body)
        return self.lost("The target's answer cannot be read.", status=response.status, body=body)

    def undone(self) -> None:
        """The last write was answered with 2xx, and the body says that nothing was done."""
        count_write(-1)

    def url(self, path: str) -> str:
        """`path` below the base address; an absolute address is taken as it is."""
        return path if "://" in path else self.base_url + path.lstrip("/")

    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything said since the last call, redacted."""
        said, self._exchanges = tuple(self._exchanges), []
        return said

    def part(self, request: Any, answer: Any = None) -> tuple[Exchange, ...]:
        """The last write as one of several records in it sees it: its own piece of what was sent and of what was
        answered (None: nothing was said about it), as JSON and redacted; () when no write was made."""
        if self._last_write is None:
            return ()
        said, shown = self._last_write
        shown += "" if answer is None else self.redactor.body(json.dumps(answer, ensure_ascii=False))
        return (replace(said, request=self.redactor.body(json.dumps(request, ensure_ascii=False)), response=shown),)

    @property
    def written(self) -> bool:
        """True when a write of the current push may have reached the target."""
        return self._written

    def close(self) -> None:
        self._http.close()

    def _send(
        self,
        method: str,
        url: str,
        sent: dict[str, Any],
        headers: Mapping[str, str] | None,
        writes: bool,
        auth: bool,
        max_body: int,
        secret: bool,
    ) -> Response:
        address = httpx.URL(self.url(url))
        if auth and self.auth and _origin(address) != _origin(httpx.URL(self.base_url)):
            raise NotSent(f"The target points to another server ({address.host}); credentials stay here.")
        if address.userinfo:
            raise NotSent("The address holds credentials before an @; they have fields of their own.")
        signed = self.auth.headers() if auth and self.auth else {}  # may fetch a token, on a clock of its own
        merged = {**self._standing, **self._extra, **signed, **(headers or {})}
        request = self._http.build_request(method, address, headers=merged, **sent)
        if auth and isinstance(self.auth, Signer):
            request.headers.update(self.auth.sign(request.method, str(request.url)))
        if writes and crash_points.armed():
            request.extensions["trace"] = crash_points.on_wire
        started = time.monotonic()
        status: int | None = None
        body, note, kept = b"", "", ""
        try:
            with deadline(self.config.timeout):
                if writes:
                    ask_leave()
                answer = self._http.send(request, stream=True)
                status = answer.status_code
                try:
                    body = _read_capped(answer, max_body)
                finally:
                    answer.close()
            found = {name.lower(): value for name, value in answer.headers.items()}
            kept = "".join(f"{name}: {found[name]}\n" for name in self._keep_headers if name in found)
            self._written = self._written or (writes and not _says_not_done(status, found))
            if writes and 200 <= status < 300:
                count_write()
            return Response(status, found, body)
        except _NOT_SENT as error:
            note = f"not sent: {_words(error)}"
            if "CERTIFICATE" in note:
                raise Unauthorised(f"The target's certificate is not trusted: {_words(error)}.") from None
            raise NotSent(f"The target could not be reached: {_words(error)}.") from None
        except (httpx.HTTPError, httpx.StreamError, _TooLarge) as error:
            note = f"no usable answer: {_words(error)}"
            self._written = self._written or writes
            raise self.lost(f"No usable answer from the target: {_words(error)}.", status=status) from None
        finally:
            self._record(request, status, started, body, note, kept, secret, writes)

    def lost(self, message: str, *, status: int | None = None, body: str = "") -> SyncError:
        """What an unusable answer means: Ambiguous once a write may have arrived, else nothing happened."""
        kind = Ambiguous if self._written else NotSent
        return kind(message, status=status, body=body)

    def _record(
        self,
        request: httpx.Request,
        status: int | None,
        started: float,
        body: bytes,
        note: str,
        kept: str,
        secret: bool,
        writes: bool,
    ) -> None:
        redactor = self.redactor
        secret = secret or request.url.path.rstrip("/").endswith(
            "token"
        )  # a token exchange shows nothing of its bodies
        said = Exchange(
            method=request.method,
            url=redactor.text(str(request.url)),
            status=status,
            duration_ms=round((time.monotonic() - started) * 1000),
            request="…" if secret else redactor.body(request.content),
            response=kept + ("…" if secret and not note else note or redactor.body(body)),
        )
        self._exchanges.append(said)
        if writes:
            self._last_write = said, kept + note

    def failure(self, response: Response) -> SyncError:
        """The error a status means, in the target's own words."""
        status, body = response.status, self.redactor.body(response.body)
        words, problems = self._explain(response) if self._explain else ("", ())
        words = self.redactor.text(words) or f"The target answered {status}."
        problems = tuple(FieldProblem(p.field, p.code, self.redactor.text(p.message)) for p in problems)
        if status in (401, 403):
            return Unauthorised(words, status=status, body=body)
        if status in (412, 428):
            return Stale(words, status=status, body=body)
        if _busy(status, response.headers):
            wait = parse_retry_after(response.header("retry-after"), floor=self._floor)
            return Throttled(words, retry_after=wait, status=status, body=body)
        if _says_not_done(status, response.headers):
            return Refused(words, problems=problems, status=status, body=body)
        return self.lost(words, status=status, body=body)


def parse_retry_after(
    value: str, *, floor: float = RETRY_FLOOR, ceiling: float = RETRY_CEILING, now: datetime | None = None
) -> float:
    """Seconds to wait, from seconds or an HTTP date; never below `floor`, because some platforms send 0."""
    seconds = 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
            when = when if when.tzinfo else when.replace(tzinfo=UTC)
            seconds = (when - (now or datetime.now(UTC))).total_seconds()
        except (TypeError, ValueError):
            pass
    return min(max(seconds if seconds == seconds else 0.0, floor), ceiling)


_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)


class _TooLarge(Exception):
    pass


def _busy(status: int, headers: Mapping[str, str]) -> bool:
    """Statuses by which a target says: not done, come back later (423 is a lock held by somebody)."""
    return status in (423, 429) or (status == 503 and "retry-after" in headers)


def _says_not_done(status: int, headers: Mapping[str, str]) -> bool:
    return _busy(status, headers) or (400 <= status < 500 and status != 408)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _read_capped(answer: httpx.Response, limit: int) -> bytes:
    chunks, size = [], 0
    for chunk in answer.iter_bytes():
        size += len(chunk)
        if size > limit:
            raise _TooLarge(f"the answer is larger than {limit // 1024} KiB")
        chunks.append(chunk)
    return b"".join(chunks)


def _words(error: Exception) -> str:
    """What went wrong, without the number the operating system gives it."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
