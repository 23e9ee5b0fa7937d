"""Signing in and out, slowing down guesses, and what strangers may see."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.test import Client

from mdm.models import AuditEntry
from tests.people import person
from tests.web.visitors import browser, read

pytestmark = pytest.mark.django_db

WORD = "a-long-enough-word"
FORM = "application/x-www-form-urlencoded"  # as browsers send forms without a file


@pytest.fixture(autouse=True)
def mara() -> None:
    cache.clear()
    user = person("mara", "steward")
    user.set_password(WORD)
    user.save()


def sign_in(client: Client, password: str, to: str = "") -> int:
    answer = client.post("/login/", {"username": "mara", "password": password, "next": to})
    return int(answer.status_code)


def test_signing_in_leads_where_one_wanted_to_go() -> None:
    client = Client()
    answer = client.get("/inbox/?tab=team")
    assert answer["Location"] == "/login/?next=/inbox/%3Ftab%3Dteam"
    assert "You come back to the page you opened" in client.get(answer["Location"]).content.decode()
    answer = client.post("/login/", {"username": "mara", "password": WORD, "next": "/inbox/?tab=team"})
    assert answer["Location"] == "/inbox/?tab=team"
    assert AuditEntry.objects.filter(action="session.opened", actor__username="mara").exists()


def test_signing_in_never_leads_elsewhere() -> None:
    answer = Client().post("/login/", {"username": "mara", "password": WORD, "next": "https://evil.example/"})
    assert answer["Location"] == "/"


def test_a_wrong_password_says_so_and_keeps_the_name() -> None:
    client = Client()
    answer = client.post("/login/", {"username": "mara", "password": "wrong"})
    assert answer.status_code == 422
    assert 'value="mara"' in answer.content.decode()
    assert "wrong" not in answer.content.decode()


def test_guessing_is_paused_and_on_record() -> None:
    client = Client()
    assert [sign_in(client, "wrong") for _ in range(5)] == [422, 422, 422, 422, 429]
    assert sign_in(client, WORD) == 429
    assert AuditEntry.objects.filter(action="session.paused", object_label="mara").count() == 1
    cache.clear()
    assert sign_in(client, WORD) == 302


def test_a_right_password_forgets_the_wrong_ones() -> None:
    client = Client()
    for _ in range(3):
        sign_in(client, "wrong")
        sign_in(client, "wrong")
        assert sign_in(client, WORD) == 302
        client.post("/logout/")


def test_without_a_cache_people_still_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*args: object, **kwargs: object) -> None:
        raise ConnectionError("no cache")

    for name in ("get", "set", "add", "incr", "delete_many"):
        monkeypatch.setattr(cache, name, down, raising=False)
    assert sign_in(Client(), "wrong") == 422
    assert sign_in(Client(), WORD) == 302


def test_signing_out_is_a_post() -> None:
    client = browser("mara")
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").status_code == 302
    assert client.get("/inbox/").status_code == 302


def test_a_fragment_sends_strangers_to_the_sign_in_page() -> None:
    answer = Client().get("/inbox/", headers={"HX-Request": "true", "HX-Current-URL": "/inbox/"})
    assert answer.status_code == 204
    assert answer["HX-Redirect"].startswith("/login/")


def test_logins_are_listed_in_the_demo_only(settings: object) -> None:
    assert "Logins of the demo" not in Client().get("/login/").content.decode()
    settings.ENVIRONMENT = "demo"  # type: ignore[attr-defined]
    html = Client().get("/login/").content.decode()
    assert "Logins of the demo" in html
    assert "Data steward" in html


def test_without_a_role_every_page_says_why() -> None:
    nobody = browser("nobody")
    for url in ("/inbox/", "/records/suppliers/", "/requests/10001/", "/records/suppliers/new/"):
        assert "no role in the hub" in read(nobody, url, 403)


# --- a form sent too late -------------------------------------------------------------------------------------


def test_what_was_typed_when_the_session_ended_is_sent_on() -> None:
    client = Client()
    sign_in(client, WORD)
    client.cookies.pop("mdm_session")  # the session ends, the browser stays
    typed = {
        "legal_name": "Typed Long AG",
        "bank_accounts-0-iban": "DE89370400440532013000",
        "csrfmiddlewaretoken": "x",
    }
    answer = client.post("/records/suppliers/new/?a=1", urlencode(typed), content_type=FORM)
    assert answer["Location"] == "/login/?next=/kept/"
    assert "DE89370400440532013000" not in str(dict(client.session))
    assert sign_in(client, WORD, "/kept/") == 302
    html = client.get("/kept/").content.decode()
    assert 'action="/records/suppliers/new/?a=1"' in html
    assert 'value="Typed Long AG"' in html
    assert html.count("csrfmiddlewaretoken") == 3  # of our own forms, not the old one
    client.post("/kept/")
    assert client.get("/kept/")["Location"] == "/"


def test_nobody_else_is_shown_what_was_typed() -> None:
    client = Client()
    sign_in(client, WORD)
    client.cookies.pop("mdm_session")
    client.post("/records/suppliers/new/", "legal_name=Typed+Long+AG", content_type=FORM)
    other = person("nora", "requester")
    other.set_password(WORD)
    other.save()
    client.post("/login/", {"username": "nora", "password": WORD})
    assert client.get("/kept/")["Location"] == "/"


def test_strangers_keep_nothing() -> None:
    answer = Client().post("/records/suppliers/new/", "legal_name=x", content_type=FORM)
    assert answer["Location"] == "/login/?next=/records/suppliers/new/"
