"""Browsers of people with roles, for the tests of pages."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mdm.models import ChangeRequest
from mdm.models.access import EntityScope
from tests.people import person

IBAN = "DE89370400440532013000"
MASK = "DE89…3000"


def browser(name: str, *roles: str, entities: tuple[str, ...] = ()) -> Client:
    user = person(name, *roles)
    for code in entities:
        EntityScope.objects.get_or_create(user=user, legal_entity=code)
    client = Client()
    client.force_login(user)
    return client


def read(client: Client, url: str, status: int = 200) -> str:
    answer: Any = client.get(url)
    assert answer.status_code == status, (answer.status_code, answer.content.decode()[:2000])
    return str(answer.content.decode())


def queries(client: Client, url: str) -> int:
    client.get(url)  # what is kept for a while is kept now
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(url)
    assert answer.status_code == 200
    return len(caught)


def number_of(change: ChangeRequest) -> int:
    return 10_000 + change.pk


def page_of(change: ChangeRequest, part: str = "") -> str:
    return f"/requests/{number_of(change)}/{part}"
