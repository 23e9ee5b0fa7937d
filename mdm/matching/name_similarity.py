"""Name similarity: how much information two names share, and how much of either the other does not have."""

from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from mdm.matching.rarity import TokenWeights

_NAME_EDGES = (0.15, 0.35, 0.55, 0.72, 0.85, 0.93, 0.999)
_RARITY_EDGES = (3.0, 6.0, 9.0, 12.0, 17.0)
_WORD_EDGES = (4.5, 7.5)  # nats: below a common word, above a rare one
_SPELLING_EDGES = (50.0, 65.0, 80.0, 90.0, 99.99)
_SAME_WORD = 0.9  # Jaro-Winkler from which two words are one, misspelt
_MAYBE_WORD = 0.82


@dataclass(frozen=True, slots=True)
class NameMatch:
    level: int
    rarity: int
    other_words: int
    extra_words: int
    spelling: int
    via: int
    pair: tuple[int, int]  # which name of each side was the best
    similarity: float
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]


NO_NAME = NameMatch(0, 0, 0, 0, 0, 0, (0, 0), 0.0, (), ())
Core = tuple[str, ...]


def match_names(
    left: tuple[Core, ...],
    right: tuple[Core, ...],
    left_joined: tuple[str, ...],
    right_joined: tuple[str, ...],
    weights: TokenWeights,
) -> NameMatch:
    """The best of all pairs of names; the main names win over aliases when they are as good."""
    if not left or not right:
        return NO_NAME
    best = _match(left[0], right[0], left_joined[0], right_joined[0], weights, (0, 0))
    if best.level == 8 or (len(left) == 1 and len(right) == 1):
        return best
    for i in range(min(4, len(left))):
        for j in range(min(4, len(right))):
            if i or j:
                other = _match(left[i], right[j], left_joined[i], right_joined[j], weights, (i, j))
                if _rank(other) > _rank(best):
                    best = other
    return best


def _rank(match: NameMatch) -> tuple[float, int, int, int]:
    # A short alias equal by chance should not beat a long name that nearly agrees.
    bonus = 0.02 if match.pair == (0, 0) else 0.0
    return (match.similarity + bonus, match.rarity, match.spelling, -match.other_words)


def _match(
    left: Core, right: Core, left_joined: str, right_joined: str, weights: TokenWeights, pair: tuple[int, int]
) -> NameMatch:
    via = 1 if pair != (0, 0) else 0
    if left == right or left_joined == right_joined:
        shared = sum(weights(word) for word in set(left if len(left) <= len(right) else right))
        return NameMatch(8, 1 + _bin(shared, _RARITY_EDGES), 1, 1, 6, via, pair, 1.0, (), ())
    ours, theirs = set(left), set(right)
    common = ours & theirs
    rest_left, rest_right = sorted(ours - common), sorted(theirs - common)
    shared = sum(weights(word) for word in common)
    total_left = shared + sum(weights(word) for word in rest_left)
    total_right = shared + sum(weights(word) for word in rest_right)
    if not (rest_left or rest_right):
        spelling = fuzz.ratio(left_joined, right_joined)
        return _finish(1.0, shared, (), (), spelling, via, pair, weights)
    credit = 0.0
    if rest_left and rest_right:
        credit, rest_left, rest_right = _pair_words(rest_left, rest_right, weights)
        initials = _initials(left, right)
        if initials and credit == 0.0:
            return _finish(0.8, 6.0, (), (), 0.0, 2, pair, weights)
    shared += credit
    similarity = min(1.0, 2 * shared / (total_left + total_right)) if total_left + total_right else 0.0
    spelling = fuzz.ratio(left_joined, right_joined)
    if similarity < 0.72 and spelling >= 88:
        similarity = 0.8  # one word on one side, two on the other (Goodwill, Good Will), misspelt on top
        rest_left, rest_right = [], []
    return _finish(similarity, shared, tuple(rest_left), tuple(rest_right), spelling, via, pair, weights)


def _finish(
    similarity: float,
    shared: float,
    rest_left: Core,
    rest_right: Core,
    spelling: float,
    via: int,
    pair: tuple[int, int],
    weights: TokenWeights,
) -> NameMatch:
    most_left = max((weights(word) for word in rest_left), default=0.0)
    most_right = max((weights(word) for word in rest_right), default=0.0)
    less, more = min(most_left, most_right), max(most_left, most_right)
    return NameMatch(
        level=min(1 + _bin(similarity, _NAME_EDGES), 7 if spelling < 99.99 and rest_left + rest_right else 8),
        rarity=1 + _bin(shared, _RARITY_EDGES) if shared else 0,
        other_words=2 + _bin(less, _WORD_EDGES) if less else 1,
        extra_words=1 if less or not more else 2 + _bin(more, _WORD_EDGES),
        spelling=1 + _bin(spelling, _SPELLING_EDGES) if via != 2 else 0,
        via=via,
        pair=pair,
        similarity=similarity,
        only_left=rest_left,
        only_right=rest_right,
    )


def _bin(value: float, edges: tuple[float, ...]) -> int:
    place = 0
    for edge in edges:
        if value < edge:
            return place
        place += 1
    return place


def _pair_words(left: list[str], right: list[str], weights: TokenWeights) -> tuple[float, list[str], list[str]]:
    """Misspelt, cut and joined words, best first; the rest is what only one side has."""
    found: list[tuple[float, str, str, str, str]] = []
    for one in left:
        for other in right:
            closeness = _closeness(one, other)
            if closeness:
                first, second = (one, other) if one < other else (other, one)
                found.append((-closeness, first, second, one, other))
    credit = 0.0
    if found:
        found.sort()
        taken_left: set[str] = set()
        taken_right: set[str] = set()
        for minus, _first, _second, one, other in found:
            if one not in taken_left and other not in taken_right:
                taken_left.add(one)
                taken_right.add(other)
                # A misspelling is unique, hence "rare": only the commoner spelling's rarity was shared.
                credit -= minus * min(weights(one), weights(other))
        left = [word for word in left if word not in taken_left]
        right = [word for word in right if word not in taken_right]
    if left and right and len(left) != len(right) and min(len(left), len(right)) == 1:
        single, several = (left[0], right) if len(left) == 1 else (right[0], left)
        if len(single) > 4 and 1 < len(several) < 5:
            pieces = [word for word in several if len(word) > 1 and word in single]
            if len(pieces) > 1 and sum(map(len, pieces)) >= len(single) - 1:
                credit += weights(single)
                several = [word for word in several if word not in pieces]
                left, right = ([], several) if len(left) == 1 else (several, [])
    return credit, left, right


def _closeness(one: str, other: str) -> float:
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    if len(short) < 3 or (one[0] != other[0] and (len(short) < 5 or one[1] != other[1])):
        return 0.0
    if short.isdigit() or long.isdigit():
        return 0.0
    if long.startswith(short):
        return 0.85 if len(short) > 3 or len(long) < 10 else 0.7
    if len(short) < 4:
        return 0.0
    similarity = JaroWinkler.similarity(short, long) if short < long else JaroWinkler.similarity(long, short)
    if similarity >= _SAME_WORD:
        return similarity
    if similarity >= _MAYBE_WORD and fuzz.ratio(short, long) >= 80:
        return similarity - 0.05
    return 0.0


def _initials(left: Core, right: Core) -> bool:
    short, long = (left, right) if len(left) < len(right) else (right, left)
    if len(short) != 1 or len(long) < 3 or not 2 < len(short[0]) < 7:
        return False
    return short[0] == "".join(word[0] for word in long)
