"""How each platform's raw record shows that nothing may be bought from or paid to it."""

from __future__ import annotations

from typing import Any


def is_blocked(system: str, fields: dict[str, Any]) -> bool:
    if system == "s4hana":
        return bool(fields["A_Supplier.PostingIsBlocked"] and fields["A_Supplier.PurchasingIsBlocked"])
    return bool(fields["status"] == "inactive") if system == "coupa" else bool(fields["Approved"] == "N")
