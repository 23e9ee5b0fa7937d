"""Owns several HTTP messages in one body, as OData's `$batch` has them: multipart/mixed of application/http parts.

A changeset, which a server applies as a whole or not at all, is a multipart of its own within the body: a list here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email import message_from_bytes
from email.message import Message
from email.parser import BytesParser
from typing import NamedTuple


class Part(NamedTuple):
    """One request or answer. Read, its header names are in lower case, and its body is of the length it states."""

    first_line: str  # `POST A_BusinessPartner HTTP/1.1` or `HTTP/1.1 201 Created`
    headers: Mapping[str, str]
    body: bytes = b""
    content_id: str = ""

    @property
    def status(self) -> int:
        """Of an answer; ValueError when its first line has none."""
        version, _, rest = self.first_line.partition(" ")
        if not version.startswith("HTTP/"):
            raise ValueError(f"“{self.first_line[:80]}” is no status line.")
        return int(rest[:3])


Parts = Sequence[Part | list[Part]]


def write(parts: Parts, boundary: str) -> bytes:
    """The body; `boundary` stands in none of theirs. ValueError when a line of a head is more than one."""
    pieces = []
    for number, part in enumerate(parts):
        if isinstance(part, Part):
            piece = _written(part)
        else:
            inner = f"changeset_{number}_{boundary}"  # must not begin with the outer one
            piece = f"Content-Type: {content_type(inner)}\r\n\r\n".encode() + write(part, inner)
        pieces.append(f"--{boundary}\r\n".encode() + piece + b"\r\n")
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


def content_type(boundary: str) -> str:
    """The value of the header that goes with it."""
    return f"multipart/mixed; boundary={boundary}"


def read(content_type: str, body: bytes) -> list[Part | list[Part]]:
    """What `write` wrote, or a server; ValueError when it is not whole."""
    whole = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode("ascii", "replace") + body)
    return [_changeset(item) if item.is_multipart() else _part(item) for item in _within(whole)]


def _written(part: Part) -> bytes:
    """By hand, because `email` would rewrite the ends of lines within the body."""
    outer = {"Content-Type": "application/http", "Content-Transfer-Encoding": "binary"}
    if part.content_id:
        outer["Content-ID"] = part.content_id
    head = [*_lines(outer), "", part.first_line, *_lines(part.headers)]
    if any(mark in line for line in head for mark in "\r\n"):
        raise ValueError("A line of a part's head has a line break in it.")
    return "\r\n".join([*head, "", ""]).encode() + part.body


def _lines(headers: Mapping[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in headers.items()]


def _within(message: Message) -> list[Message]:
    if not message.is_multipart() or message.defects:
        raise ValueError("The body is no whole multipart.")
    return [item for item in message.get_payload() if isinstance(item, Message)]


def _changeset(message: Message) -> list[Part]:
    return [_part(item) for item in _within(message)]


def _part(message: Message) -> Part:
    content = message.get_payload(decode=True)
    if message.get_content_type() != "application/http" or message.defects or not isinstance(content, bytes):
        raise ValueError(f"A part is no HTTP message but {message.get_content_type()}.")
    first_line, _, rest = content.partition(b"\r\n")
    inner = BytesParser().parsebytes(rest, headersonly=True)
    body = inner.get_payload(decode=True)
    if inner.defects or not isinstance(body, bytes):
        raise ValueError("The head of a part cannot be read.")
    headers = {name.lower(): str(value) for name, value in inner.items()}
    if length := headers.get("content-length"):
        if not length.isdecimal() or int(length) > len(body):
            raise ValueError("A part is shorter than it says.")
        body = body[: int(length)]  # servers put line ends behind it
    content_id = str(message.get("Content-ID") or headers.get("content-id") or "")
    return Part(first_line.decode("ascii", "replace"), headers, body, content_id)
