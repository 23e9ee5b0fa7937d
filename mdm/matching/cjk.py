"""Chinese, Japanese and Korean names: written without blanks, they are cut at the words companies are made of."""

import re

from mdm.matching.tables import read_lines

_HAS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LATIN: dict[str, str] = {}
_FORMS: dict[str, str] = {}
for _line in read_lines("cjk_words"):
    _head, _spellings = _line.split(":", 1)
    _kind, _word = _head.split()
    for _spelling in _spellings.split():
        if _kind == "form":
            _FORMS[_spelling] = _word
            continue
        _LATIN[_spelling] = _word
        if _kind == "city":
            _LATIN[_spelling + "市"] = _word
_CUT = re.compile("|".join(map(re.escape, sorted([*_LATIN, *_FORMS], key=len, reverse=True))))


def has_cjk(text: str) -> bool:
    return bool(_HAS.search(text))


def cut(text: str) -> tuple[str, str]:
    """The text with its known words in Latin and apart, and the code of its legal form ("" without one).

    «深圳龙云电子有限公司» → «shenzhen 龙云 electronics» and the code of 有限公司.
    """
    form = ""

    def put(found: re.Match[str]) -> str:
        nonlocal form
        form = form or _FORMS.get(found[0], "")
        return f" {_LATIN.get(found[0], '')} "

    apart = _CUT.sub(put, text)
    return (apart, form) if apart.strip() else (text, "")
