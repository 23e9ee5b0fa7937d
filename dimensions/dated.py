"""What the declarations of dated types share: their list of periods, the columns and the section about validity."""

from __future__ import annotations

from typing import Any

from mdm.registry import ChildType, Column, Section

PERIODS = "slices"
VALIDITY = Section("Validity", ("valid_from", "valid_to", "validity"))
COLUMNS = (
    Column("validity", "Validity", "text"),
    Column("valid_from", "Since", "day", default=False),
    Column("valid_to", "Until", "day", default=False),
    Column("status", "Status", "status"),
    Column("updated_at", "Changed", "date"),
)
FILTERS = {"validity": "validity", "status": "status", "code": "code"}
LABELS = {
    PERIODS: "Period",
    "valid_from": "Holds from",
    "valid_to": "Up to",
    f"{PERIODS}.valid_from": "From",
    f"{PERIODS}.valid_to": "Up to",
}


def periods(model: Any, document: Any, columns: tuple[str, ...]) -> ChildType:
    """`columns`: the values a table of periods shows."""
    return ChildType(
        name=PERIODS,
        title="Periods",
        model=model,
        document=document,
        identity=("valid_from",),
        columns=("valid_from", "valid_to", *columns),
    )
