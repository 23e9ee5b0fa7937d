"""Owns proposals for codes without a target: targets of a like name, and where like codes and names already lead."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from os.path import commonprefix

from rapidfuzz import fuzz, process, utils

_LIKE = 70.0  # names less alike than this (of 100) say nothing
_NEIGHBOURS = 8
_WEIGHTS = {"same code": 0.6, "name": 0.9, "named alike": 0.7, "neighbours": 0.6}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A target for a code, with its score (0 … 1, below 1) and the reasons in words, the weightiest first."""

    target: str
    score: float
    reasons: tuple[str, ...]


def proposals(
    unmapped: Collection[str],
    mapped: Mapping[str, str],
    names: Mapping[str, str],
    targets: Mapping[str, str],
    *,
    most: int = 5,
) -> dict[str, list[Proposal]]:
    """Code → up to `most` proposals, the best first; [] when nothing speaks for any target.

    `mapped`: how other codes are mapped (code → target). `names`: code → name of the codes, mapped or not. `targets`: code
    → name of the valid targets; others are never proposed. Takes one comparison of names per target and mapped code.
    """
    evidence = _Evidence({code: target for code, target in mapped.items() if target in targets}, names, targets)
    return {code: evidence.proposals(code, most) for code in unmapped}


class _Evidence:
    def __init__(self, mapped: Mapping[str, str], names: Mapping[str, str], targets: Mapping[str, str]) -> None:
        self._mapped, self._names, self._targets = mapped, names, targets
        self._codes = sorted(mapped)
        self._target_names = {code: utils.default_process(name) for code, name in targets.items() if name}
        self._mapped_names = {code: utils.default_process(names[code]) for code in mapped if names.get(code)}

    def proposals(self, code: str, most: int) -> list[Proposal]:
        found: dict[str, dict[str, tuple[float, str]]] = defaultdict(dict)
        for kind, target, strength, reason in self._reasons(code):
            weight = _WEIGHTS[kind] * strength
            if weight > found[target].get(kind, (0.0, ""))[0]:
                found[target][kind] = weight, reason
        made = [self._proposal(target, list(reasons.values())) for target, reasons in found.items()]
        return sorted(made, key=lambda one: (-one.score, one.target))[:most]

    @staticmethod
    def _proposal(target: str, reasons: list[tuple[float, str]]) -> Proposal:
        """Independent reasons add up as chances do: each takes its part of the doubt that is left."""
        doubt = 1.0
        for weight, _reason in reasons:
            doubt *= 1 - weight
        ordered = sorted(reasons, key=lambda pair: (-pair[0], pair[1]))
        return Proposal(target, round(1 - doubt, 4), tuple(reason for _weight, reason in ordered))

    def _reasons(self, code: str) -> Iterator[tuple[str, str, float, str]]:
        """(kind of reason, target, strength 0 … 1, words)"""
        if code in self._targets:
            yield "same code", code, 1.0, f"the target has a code {code} too"
        name = utils.default_process(self._names.get(code) or "")
        for target, alike in _alike(name, self._target_names):
            words = f"its name “{self._targets[target]}” is {alike:.0f} % like “{self._names[code]}”"
            yield "name", target, _strength(alike), words
        for other, alike in _alike(name, self._mapped_names):
            words = f"{other} “{self._names[other]}”, named {alike:.0f} % alike, is mapped to it"
            yield "named alike", self._mapped[other], _strength(alike), words
        yield from self._neighbours(code)

    def _neighbours(self, code: str) -> Iterator[tuple[str, str, float, str]]:
        """Where the mapped codes lead that share the longest beginning with this one."""
        place = bisect_left(self._codes, code)
        near = [other for other in self._codes[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS] if other != code]
        common = {other: len(commonprefix((other, code))) for other in near}
        longest = max(common.values(), default=0)
        closest = [other for other in near if common[other] == longest] if longest else []
        leading: dict[str, list[str]] = defaultdict(list)
        for other in closest:
            leading[self._mapped[other]].append(other)
        for target, others in leading.items():
            strength = longest / len(code) * len(others) / len(closest)
            words = f"{len(others)} of {len(closest)} mapped codes that begin with {code[:longest]} lead to it"
            yield "neighbours", target, strength, words


def _alike(name: str, names: Mapping[str, str]) -> list[tuple[str, float]]:
    """(code, percent) of the names most alike, whatever the order of their words."""
    if not name:
        return []
    found = process.extract(name, names, scorer=fuzz.token_sort_ratio, score_cutoff=_LIKE, limit=_NEIGHBOURS)
    return [(code, alike) for _name, alike, code in found]


def _strength(alike: float) -> float:
    return (alike - _LIKE + 10) / (110 - _LIKE)
