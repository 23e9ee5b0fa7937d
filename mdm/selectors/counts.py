"""The numbers of the rail that the kernel itself knows: what waits for a person, pairs to judge, rows to correct."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm.models import QuarantinedRow
from mdm.permissions import actor_of, roles_of
from mdm.selectors import duplicates, worklist

MOST = 10_000  # beyond that nobody reads the number, so nobody pays for counting


def of(user: Any) -> Mapping[str, int]:
    if not roles_of(user):
        return {}
    return {
        "inbox": worklist.mine(actor_of(user)).order_by()[:MOST].count(),
        "duplicates": duplicates.visible(actor_of(user)).filter(state="open").order_by()[:MOST].count(),
        "imports": QuarantinedRow.objects.filter(state="open").order_by()[:MOST].count(),
    }
