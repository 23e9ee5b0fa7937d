"""Log lines: with the correlation id, and without anything that looks like a bank number or a bearer token."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from mdm import correlation

_IBAN = re.compile(r"(?i)\b([A-Z]{2}\d{2})(?: |%20|\+)?(?:[A-Z0-9]{4}(?: |%20|\+)?){2,7}[A-Z0-9]{1,4}\b")
_BEARER = re.compile(r"(?i)(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")


def redact(text: str) -> str:
    return _BEARER.sub(r"\1 ***", _IBAN.sub(_hide, text))


def _hide(found: re.Match[str]) -> str:
    """In capitals whatever looks like one, mistyped or not; else only what adds up, so that ids stay readable."""
    marks = re.sub(r" |%20|\+", "", found[0])
    if not marks.isupper() and int("".join(str(int(mark, 36)) for mark in marks[4:] + marks[:4])) % 97 != 1:
        return found[0]
    return f"{found[1]}…"


class Redact(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        return True


class Correlate(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.correlation_id = correlation.current()
        return True


class LineFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname).1s %(name)s %(message)s")

    def formatException(self, ei: Any) -> str:
        return redact(super().formatException(ei))


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "correlation_id": getattr(record, "correlation_id", ""),
        }
        if record.exc_info:
            entry["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)
