"""Files are told by their content: what is no table is refused in words that say what to do."""

from __future__ import annotations

import gzip
import random

import pytest

from mdm.errors import CorrectInput
from mdm.reading.refusals import TOO_LARGE, WORDS
from mdm.reading.sniff import sniff
from tests.mdm.reading.streams import workbook

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"   \r\n ", "empty_file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "binary_file"),
        (b"%PDF-1.7\n;a;b\n1;2;3\n", "binary_file"),
        (gzip.compress(b"A;B\n1;2\n", mtime=0), "binary_file"),
        (random.Random(1).randbytes(5000), "binary_file"),
        (b"A;B\n1;x\0y\n", "binary_file"),
        (OLE + b"\0" * 500, "old_excel"),
        (OLE + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le"), "protected_file"),
        (b"<!DOCTYPE html><table><tr><td>1</td></tr></table>", "markup_file"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?><a/>", "markup_file"),
        (b'["a", "b"]\n42\n', "json_not_lines"),
        (b'[\n  {"a": 1}\n]\n', "json_not_lines"),
        (b'[{"a": 1},\n {"a": 2}]\n', "json_not_lines"),
        (b'{\n  "a": 1\n}\n', "json_not_lines"),
        ("A;B\n1;2\n".encode("utf-32"), "unknown_encoding"),
    ],
)
def test_refused_by_content(content: bytes, code: str) -> None:
    with pytest.raises(CorrectInput) as refused:
        sniff(content)
    assert refused.value.problems[0].code == code
    assert refused.value.message == refused.value.problems[0].message


def test_recognised_whatever_the_name() -> None:
    assert sniff(workbook([["A"], ["1"]])).format == "xlsx"
    assert sniff(b'{"a": 1}\n{"a": 2}\n').format == "ndjson"
    assert sniff(b'{"a": 1').format == "ndjson"  # a first record that broke off
    assert sniff(b"[internal];B\n1;2\n").format == "csv"
    assert sniff('{"a": "ü"}\n'.encode("utf-16")).encoding == "utf-16-le"
    assert sniff("名;市\n日本;東京\n".encode("utf-16-be")).encoding == "utf-16-be"
    assert sniff("Nom;Ville\nÉlan;Nîmes\n".encode("latin-1")).encoding == "cp1252"


def test_every_refusal_says_what_to_do() -> None:
    for words in (*WORDS.values(), *TOO_LARGE.values()):
        assert words.endswith((".", "{why}")) and len(words) < 200
