r"""Owns how expressions are written in a cell of a page or file: `400000`, `400000..499999`, `A, B, C`, `40*`.

A backslash takes the next character as it is: `A\,B` is one code. What is written reads back as the same expression.
"""

from __future__ import annotations

import re

from mdm.mapping.expressions import Between, Equals, Expression, In, Like, MappingError, pattern_items

_TOKEN = re.compile(r"\\.|\.\.|.", re.DOTALL)
_PLAIN = re.compile(r"([^\\*?,.]+)(?:\.\.([^\\*?,.]+))?")  # one code or a range, without anything that means something
_MEANS_SOMETHING = re.compile(r"[\\*?,]|\.(?=\.|\Z)|(?<=\.)\.|\A\.")
HOW = {
    "explicit": "one code: 400000",
    "between": "two codes with two dots between them: 400000..499999",
    "in": "codes with commas between them: 400000, 400100",
    "like": "a pattern with * or ?: 40*",
}


def read(text: str, kind: str | None = None) -> Expression:
    """The expression a text stands for. `kind`: what it must be, one of HOW. Raises MappingError."""
    plain = _PLAIN.fullmatch(text)
    if plain and kind in (None, "explicit", "between"):  # nearly every text there is, in a tenth of the time
        first, last = plain.groups()
        if last is None and kind != "between":
            return Equals(first.strip())
        if last is not None and kind != "explicit":
            return Between(first.strip(), last.strip())
    tokens = _TOKEN.findall(text.strip())
    found = _kind(tokens)
    if kind == "in" and found == "explicit":
        found = "in"
    if kind and found != kind:
        raise MappingError(f"“{text.strip()}” is not written as {kind}; write {HOW[kind]}.")
    if found == "like":
        return Like(text.strip())
    if found == "between":
        if "," in tokens:
            raise MappingError(f"“{text.strip()}” mixes a range and a list; write one row for each.")
        ends = _split(tokens, "..")
        if len(ends) != 2:
            raise MappingError(f"“{text.strip()}” names {len(ends)} ends; write {HOW['between']}.")
        return Between(*ends)
    if found == "in":
        return In(tuple(code for code in _split(tokens, ",") if code))
    return Equals(_split(tokens, "")[0])


def write(expression: Expression) -> str:
    """The text that reads back as the expression; a list of one code needs its kind to do so."""
    if isinstance(expression, Like):
        return expression.pattern
    if isinstance(expression, Between):
        return f"{escape(expression.first)}..{escape(expression.last)}"
    return ", ".join(map(escape, expression.codes if isinstance(expression, In) else (expression.code,)))


def escape(code: str) -> str:
    """The code with a backslash before whatever would mean something."""
    return _MEANS_SOMETHING.sub(lambda found: "\\" + found[0], code)


def _kind(tokens: list[str]) -> str:
    if "*" in tokens or "?" in tokens:
        return "like"
    if ".." in tokens:
        return "between"
    return "in" if "," in tokens else "explicit"


def _split(tokens: list[str], separator: str) -> list[str]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return ["".join(pattern_items("".join(part).strip())) for part in parts]
