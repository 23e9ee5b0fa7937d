"""A cluster as a page shows it: the graph where it can be read, the table always, the groups that could be merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any

from django.db.models import F

from mdm.models import DuplicatePair
from mdm.registry import RecordType
from mdm.selectors import duplicates
from mdm.services.clusters import Cluster
from mdm.web import pair_page
from mdm.web.browsing import plural
from mdm.web.charts import r1
from mdm.web.page import Badge, Tone
from mdm.web.pointers import source
from mdm.web.tables import Cell, Column, Row, Table
from mdm.web.visitor import link, record_url

_NAMED = 12  # records whose names fit beside their codes
DRAWN = 30  # records a graph shows; beyond that only the table can be read
_TONES = {"same": "green", "different": "red", "related": "grey", "unsure": "amber", "open": "amber", "follows": "grey"}
_GROUPS: tuple[Tone, ...] = ("blue", "green", "purple", "amber", "red", "grey")


@dataclass(frozen=True)
class Node:
    x: float
    y: float
    label: str
    mark: str
    title: str
    url: str
    tone: str
    here: bool
    label_y: float
    name: str  # "" where there is no room
    name_y: float


@dataclass(frozen=True)
class Edge:
    x1: float
    y1: float
    x2: float
    y2: float
    tone: str
    kind: str
    value: str
    x: float
    y: float
    title: str
    url: str


@dataclass(frozen=True)
class Graph:
    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    title: str
    narrow: bool


def build(kind: RecordType, cluster: Cluster, here: str) -> dict[str, Any]:
    rows = kind.model._default_manager.filter(uid__in=cluster.members)
    found = {
        str(uid): (code, str(name), status, country)
        for uid, code, name, status, country in rows.values_list(
            "uid", "code", F(kind.name_field), "status", F("country" if "country" in kind.filters else "code")
        )
    }
    members = [uid for group in cluster.groups for uid in group if uid in found]
    group_of = {uid: place for place, group in enumerate(cluster.groups) for uid in group}
    keys = duplicates.keys(members)
    return {
        "graphs": _graphs(members, group_of, found, cluster.pairs, kind, here) if 1 < len(members) <= DRAWN else [],
        "records": _table(kind, members, group_of, found, keys, here),
        "pairs": _pairs(cluster.pairs, found),
        "groups": [_group(group, found) for group in cluster.groups if len(group) > 1],
        "alone": sum(len(group) == 1 for group in cluster.groups),
        "too_many": len(members) > DRAWN,
    }


_Found = Mapping[str, tuple[str, str, str, str]]


def _graphs(*args: Any) -> list[Graph]:
    """The same twice; the stylesheet shows the one that fits."""
    return [graph(*args), graph(*args, narrow=True)]


def graph(
    members: Sequence[str],
    group_of: Mapping[str, int],
    found: _Found,
    pairs: Sequence[DuplicatePair],
    kind: RecordType,
    here: str,
    *,
    narrow: bool = False,
) -> Graph:
    """Records of one group stand beside one another on an ellipse, so that lines within a group are short. `narrow`: as wide
    as a phone and taller, with codes only."""
    width, height = (320.0, 220.0 + 26.0 * len(members)) if narrow else (960.0, 260.0 + 9.0 * len(members))
    middle, radius = (width / 2, height / 2), (width / 2 - (38 if narrow else 110), height / 2 - 46)
    named = len(members) <= _NAMED and not narrow
    at = {}
    for place, uid in enumerate(members):
        angle = 2 * pi * place / len(members) - pi / 2 + (pi / 4 if len(members) == 2 else 0)
        at[uid] = (r1(middle[0] + radius[0] * cos(angle)), r1(middle[1] + radius[1] * sin(angle)))
    nodes = tuple(
        Node(
            *at[uid],
            label=found[uid][0],
            name=_short(found[uid][1]) if named else "",
            name_y=r1(at[uid][1] + (44 if at[uid][1] >= middle[1] else -36)),
            mark=str(group_of[uid] + 1),
            title=f"{found[uid][0]} {found[uid][1]}, group {group_of[uid] + 1}",
            url=record_url(kind, uid),
            tone=_GROUPS[group_of[uid] % len(_GROUPS)],
            here=uid == here,
            label_y=r1(at[uid][1] + (30 if at[uid][1] >= middle[1] else -22)),
        )
        for uid in members
    )
    edges = tuple(_edge(pair, at, found) for pair in pairs if str(pair.left) in at and str(pair.right) in at)
    title = f"{plural(len(nodes), 'record')} and {plural(len(edges), 'pair')}"
    return Graph(width, height, nodes, edges, title, narrow)


def _edge(pair: DuplicatePair, at: Mapping[str, tuple[float, float]], found: _Found) -> Edge:
    (x1, y1), (x2, y2) = at[str(pair.left)], at[str(pair.right)]
    said = pair.follows or pair.state
    names = " and ".join(found[str(uid)][0] for uid in (pair.left, pair.right))
    value = (
        f"{pair.probability:.2f}"
        if pair.state in ("open", "unsure")
        else {"different": "≠", "related": "≈"}.get(said, "=")
    )
    return Edge(
        x1, y1, x2, y2, _TONES.get(said, "grey"), pair.state, value, r1((x1 + x2) / 2), r1((y1 + y2) / 2),
        f"{names}: {_words(pair)}", link("web:duplicate", pair.uid),
    )  # fmt: skip


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"


def _words(pair: DuplicatePair) -> str:
    if pair.state == "open":
        return f"not judged, {pair.probability:.2f} likely"
    return f"follows from others: {pair.follows}" if pair.state == "follows" else pair.state


def _table(
    kind: RecordType,
    members: Sequence[str],
    group_of: Mapping[str, int],
    found: _Found,
    keys: Mapping[str, Sequence[Any]],
    here: str,
) -> Table:
    columns = [
        Column(label="Record"),
        Column(label="Group"),
        Column(label="Known to", priority=1),
        Column(label="Status", priority=1),
    ]
    return Table(
        caption="Records of this cluster",
        columns=columns,
        rows=[
            Row(
                uid=uid,
                title=found[uid][1],
                current=uid == here,
                cells=[
                    Cell(kind="title", value=found[uid][1], url=record_url(kind, uid), sub=found[uid][0]),
                    Cell(
                        kind="badges",
                        badges=[Badge(label=str(group_of[uid] + 1), tone=_GROUPS[group_of[uid] % len(_GROUPS)])],
                    ),
                    Cell(
                        kind="source", sources=list({row.system_id: source(row.system) for row in keys[uid]}.values())
                    ),
                    Cell(kind="state", value=found[uid][2], domain="record"),
                ],
            )
            for uid in members
        ],
        selectable=True,
        form_id="cluster",
    )


def _pairs(pairs: Sequence[DuplicatePair], found: _Found) -> Table:
    """Every pair of the cluster: what the graph draws, in words."""
    columns = [
        Column(label="Pair"),
        Column(label="Why", priority=1),
        Column(label="Score", numeric=True),
        Column(label="Judgement"),
    ]
    return Table(
        caption="Pairs of this cluster",
        columns=columns,
        rows=[
            Row(
                title=_pair_name(pair, found),
                cells=[
                    Cell(kind="title", value=_pair_name(pair, found), url=link("web:duplicate", pair.uid)),
                    Cell(value=pair_page.in_short(pair)),
                    Cell(kind="number", value=f"{pair.probability:.2f}"),
                    Cell(kind="state", value=pair.state, domain="pair", note=f"{pair.follows}" if pair.follows else ""),
                ],
            )
            for pair in pairs
            if str(pair.left) in found and str(pair.right) in found
        ],
        plain=True,
    )


def _pair_name(pair: DuplicatePair, found: _Found) -> str:
    return " and ".join(found[str(uid)][0] for uid in (pair.left, pair.right))


def _group(group: Sequence[str], found: _Found) -> str:
    return ", ".join(found[uid][0] for uid in group if uid in found)
