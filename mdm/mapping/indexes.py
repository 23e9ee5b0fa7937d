"""Owns how the ranges and the patterns that match a code are found without asking each of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from mdm.mapping.expressions import Between, Like, shape
from mdm.mapping.shelves import Shelved, shelved
from mdm.mapping.table import Table


class RangeIndex:
    """Ranges of one shape stand together, ranges of texts apart: inside each the order of texts decides."""

    def __init__(self, ranges: Iterable[tuple[int, Between]], table: Table) -> None:
        groups: dict[str, list[tuple[int, Between]]] = {}
        for number, found in ranges:
            if not found.empty():
                groups.setdefault(found.shape, []).append((number, found))
        self._trees = {group: _SegmentTree(members, table) for group, members in groups.items()}
        self._texts = self._trees.pop("", None)

    def holding(self, code: str) -> list[Shelved]:
        if self._trees:
            tree = self._trees.get(shape(code))
            if tree:
                return [*tree.holding(code), *(self._texts.holding(code) if self._texts else ())]
        return list(self._texts.holding(code)) if self._texts else []


class _SegmentTree:
    """Closed intervals of texts; n of them take memory for n log n numbers, finding takes log n."""

    def __init__(self, ranges: list[tuple[int, Between]], table: Table) -> None:
        self._points = sorted({end for _number, found in ranges for end in (found.first, found.last)})
        self._size = 2 * len(self._points) + 1  # every point and every gap before, between and after them
        nodes: dict[int, list[int]] = {}
        for number, found in ranges:
            left, right = self._slot(found.first) + self._size, self._slot(found.last) + self._size + 1
            while left < right:
                if left & 1:
                    nodes.setdefault(left, []).append(number)
                    left += 1
                if right & 1:
                    right -= 1
                    nodes.setdefault(right, []).append(number)
                left, right = left >> 1, right >> 1
        self._nodes = {node: shelved(numbers, table) for node, numbers in nodes.items()}

    def _slot(self, code: str) -> int:
        place = bisect_left(self._points, code)
        return 2 * place + (place < len(self._points) and self._points[place] == code)

    def holding(self, code: str) -> Iterator[Shelved]:
        node, nodes = self._slot(code) + self._size, self._nodes
        while node:
            if node in nodes:
                yield nodes[node]
            node >>= 1


class PatternIndex:
    """Patterns by the literal text they begin with, those that begin with a wildcard by the one they end with."""

    def __init__(self, patterns: Iterable[tuple[int, Like]], table: Table) -> None:
        beginnings: dict[str, list[int]] = {}
        endings: dict[str, list[int]] = {}
        for number, found in patterns:
            if found.prefix:
                beginnings.setdefault(found.prefix, []).append(number)
            else:
                endings.setdefault(found.suffix, []).append(number)
        self._beginnings = {text: shelved(numbers, table) for text, numbers in beginnings.items()}
        self._endings = {text: shelved(numbers, table) for text, numbers in endings.items()}
        self._long, self._tail = sorted(set(map(len, beginnings))), sorted(set(map(len, endings)))

    def maybe(self, code: str) -> list[Shelved]:
        """Patterns that may match; each is still to be asked."""
        found = [self._beginnings.get(code[:length]) for length in self._long if length <= len(code)]
        found += [self._endings.get(code[len(code) - length :]) for length in self._tail if length <= len(code)]
        return [one for one in found if one is not None]
