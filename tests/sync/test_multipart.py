"""Several HTTP messages in one body: what is written is read again, and what is not whole is said to be so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.multipart import Part, content_type, read, write

BOUNDARY = "batch_5d1c3b0e"
TYPE = content_type(BOUNDARY)
# As SAP's and OData's documents show an answer: one read, one changeset, and one changeset that failed.
DOCUMENTED = b"""--b\r
Content-Type: application/http\r
Content-Length: 66\r
content-transfer-encoding: binary\r
\r
HTTP/1.1 200 OK\r
Content-Type: application/json\r
Content-Length: 13\r
\r
{"d":{"a":1}}\r
--b\r
Content-Type: multipart/mixed; boundary="cs"\r
\r
--cs\r
Content-Type: application/http\r
Content-Transfer-Encoding: binary\r
Content-ID: 1\r
\r
HTTP/1.1 204 No Content\r
\r
\r
--cs--\r
--b\r
Content-Type: application/http\r
Content-Transfer-Encoding: binary\r
\r
HTTP/1.1 400 Bad Request\r
content-id: 2\r
\r
{"error":{}}\r
--b--\r
"""

_words = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=20)
_names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).filter(lambda name: name != "content-length")
_bodies = st.one_of(st.binary(max_size=200), st.text("\r\n-b{} ", max_size=40).map(str.encode))


@st.composite
def part(draw: st.DrawFn) -> Part:
    headers = draw(st.dictionaries(_names, _words, max_size=3))
    headers.pop("content-id", None)
    headers.pop("content-transfer-encoding", None)
    body = draw(_bodies)
    if draw(st.booleans()):
        headers["content-length"] = str(len(body))
    return Part(f"POST /{draw(_words)} HTTP/1.1", headers, body, draw(st.one_of(st.just(""), _words)))


@given(st.lists(st.one_of(part(), st.lists(part(), min_size=1, max_size=3)), min_size=1, max_size=4))
def test_what_is_written_is_read_again(parts: list[Part | list[Part]]) -> None:
    assert read(TYPE, write(parts, BOUNDARY)) == parts


def test_an_answer_as_it_is_documented() -> None:
    looked, made, failed = read("multipart/mixed; boundary=b", DOCUMENTED)
    assert isinstance(looked, Part) and (looked.status, looked.body) == (200, b'{"d":{"a":1}}')
    assert isinstance(made, list) and [(one.status, one.content_id) for one in made] == [(204, "1")]
    assert isinstance(failed, Part) and (failed.status, failed.content_id) == (400, "2")
    assert failed.body == b'{"error":{}}'


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"error": {}}'),
        ("multipart/mixed", DOCUMENTED),
        ("multipart/mixed; boundary=other", DOCUMENTED),
        ("multipart/mixed; boundary=b", b""),
        ("multipart/mixed; boundary=b", DOCUMENTED.replace(b"--b--", b"--b")),
        ("multipart/mixed; boundary=b", DOCUMENTED.replace(b"--cs--", b"--cs")),
        ("multipart/mixed; boundary=b", DOCUMENTED.replace(b"Length: 13", b"Length: 99")),
        ("multipart/mixed; boundary=b", DOCUMENTED.replace(b"application/http", b"text/html", 1)),
        ("multipart/mixed; boundary=b", DOCUMENTED.replace(b"Content-Length: 13", b"not a header")),
        *(("multipart/mixed; boundary=b", DOCUMENTED[:end]) for end in range(0, len(DOCUMENTED) - 7, 29)),
    ],
)
def test_what_is_not_whole_is_not_read(kind: str, body: bytes) -> None:
    with pytest.raises(ValueError):
        read(kind, body)


def test_no_value_becomes_a_line_of_its_own() -> None:
    for wrong in (
        Part("GET a HTTP/1.1\r\nX: 1", {}),
        Part("GET a HTTP/1.1", {"a": "b\nX: 1"}),
        Part("GET a HTTP/1.1", {}, b"", "1\r\nX: 1"),
    ):
        with pytest.raises(ValueError):
            write([wrong], BOUNDARY)


def test_a_request_has_no_status() -> None:
    with pytest.raises(ValueError):
        _ = Part("GET a HTTP/1.1", {}).status
    with pytest.raises(ValueError):
        _ = Part("HTTP/1.1 fine", {}).status
