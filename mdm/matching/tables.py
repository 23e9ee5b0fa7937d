"""Tables: reads our own word lists from data/*.txt; they are data, so that adding a word touches no code."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "data"


def read_lines(table: str) -> list[str]:
    """Lines of a table without comments and blank lines."""
    text = (_FOLDER / f"{table}.txt").read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def read_words(table: str) -> list[str]:
    return [word for line in read_lines(table) for word in line.split()]


def read_map(table: str) -> dict[str, str]:
    """Lines of «canonical: spelling spelling …» as {spelling: canonical}."""
    pairs = (line.split(":", 1) for line in read_lines(table))
    return {spelling: canonical for canonical, spellings in pairs for spelling in spellings.split()}


def read_pairs(table: str) -> list[tuple[str, str]]:
    """Lines of «canonical: phrase, phrase …» as (canonical, phrase)."""
    pairs = (line.split(":", 1) for line in read_lines(table))
    return [(canonical, phrase.strip()) for canonical, phrases in pairs for phrase in phrases.split(",")]
