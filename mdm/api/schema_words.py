"""Words of the OpenAPI document: what each status says, the headers of answers, and parts of addresses."""

from __future__ import annotations

from typing import Any

SAYS = {
    200: "Done.",
    201: "Made and in force already.",
    202: "Accepted: it takes effect once it is approved, or the work is done.",
    204: "Done; there is nothing to show.",
    304: "You hold this version already.",
    400: "A value, a parameter or the JSON itself needs correction; `errors` say which.",
    401: "No token, or one that is unknown, revoked or expired.",
    403: "The caller lacks the scope or the right; `code` says which.",
    404: "There is no such thing, or not for you.",
    409: "Not possible now: `code` says whether to read again, to wait, or that it was done before.",
    412: "If-Match names another version than the current one.",
    413: "The body is larger than this call takes.",
    415: "The body is in a media type this call does not take.",
    422: "This Idempotency-Key was used for another request.",
    428: "If-Match is missing.",
    429: "Too many calls: wait as long as Retry-After says.",
    503: "The hub or its database does not answer now; nothing was changed.",
}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Correlation-ID": {
        "description": "Follows this call to events, deliveries and targets.",
        "schema": {"type": "string"},
    },
    "RateLimit": {"description": "Calls left and seconds until the window ends.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "Calls per window.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "ETag": {"description": "The version, for If-Match and If-None-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Address of what was made.", "schema": {"type": "string", "format": "uri-reference"}},
    "Link": {
        "description": '`rel="successor-version"` leads from a merged record to its survivor.',
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "`true` when this is the stored first answer.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "The Bearer challenge.", "schema": {"type": "string"}},
    "Allow": {"description": "Methods this address knows.", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "A file name.", "schema": {"type": "string"}},
}
TOO_LONG = {
    "description": "The address is longer than the web server takes (8190 bytes); it answers for itself, in HTML.",
    "content": {"text/html": {"schema": {"type": "string"}}},
}
ALWAYS = ("X-Correlation-ID", "RateLimit", "RateLimit-Policy")


PATH_WORDS: dict[str, dict[str, Any]] = {
    "uid": {"description": "uid of the thing; for records also `code:<code>`."},
    "other_uid": {"description": "uid of the other record, or `code:<code>`."},
}
