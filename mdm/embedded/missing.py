"""The one error of this package: something a person has to install or set; its text says it all."""

from __future__ import annotations


class Missing(RuntimeError):
    """Read it to the person and stop; no traceback helps them."""
