"""Owns the words of a path into a document as people name it, be it written as in a mapping or as in a diff. Never a uid."""

from __future__ import annotations

from mdm.registry import RecordType


def of(kind: RecordType | None, path: str) -> str:
    """`addresses[registered|0].city` reads “Address · city (registered)”, `addresses/<uid>/city` “Address · city”."""
    if kind is None:
        return path
    if "/" in path:
        name, _, rest = path.partition("/")
        leaf = rest.partition("/")[2].removeprefix("$.").partition("[")[0]
        return kind.label(f"{name}/x/{leaf}" if leaf else name)
    name, _, rest = path.removeprefix("$.").partition("[")
    choice, _, tail = rest.partition("]")
    leaf = tail.lstrip(".").partition("[")[0] or name.partition(".")[2]
    name = name.partition(".")[0]
    words = kind.label(f"{name}/x/{leaf}") if leaf and rest else kind.label(name)
    which = "" if choice in ("", "*", "0") or not choice.split("|")[0].isalpha() else f" ({choice.split('|')[0]})"
    return f"{words}{which.replace('_', ' ')}"
