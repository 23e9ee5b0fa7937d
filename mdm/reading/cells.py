"""Guard against formulas in tables people open: an apostrophe before what a spreadsheet would run, taken
off again.
"""

from __future__ import annotations

import re

_RUNS = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guard(text: str) -> str:
    """`=1+1` becomes `'=1+1`. One more apostrophe also where some stand already, so that `unguard` gives
    the same back.
    """
    return f"'{text}" if _RUNS.match(text) else text


def unguard(text: str) -> str:
    return text[1:] if text.startswith("'") and _GUARDED.match(text) else text
