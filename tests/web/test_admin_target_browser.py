"""The connection of a target in a browser: tested in place, and what was typed is still there afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from sync.models import Target
from sync.sandbox import SECRET
from tests.people import person
from tests.sync import world
from tests.sync.sandboxes import platform

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_connection_is_tested_in_place_and_what_was_typed_stays(
    live_server: Any, page: Page, settings: Any, tmp_path: Path
) -> None:
    user = person("gita", "governance")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    host = urlsplit(live_server.url).hostname
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "domain": host, "path": "/"}])
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    with platform("coupa", tmp_path / "coupa.sqlite") as coupa:
        target = world.target("coupa", coupa.url)
        page.goto(live_server.url + reverse("admin:sync_target_change", args=[target.pk]))
        test = page.get_by_role("button", name="Test connection")
        page.get_by_label("Secret:").fill("wrong")
        test.click()
        expect(page.locator("#tried")).to_contain_text("It does not work.")
        expect(page.get_by_label("Secret:")).to_have_value("wrong")
        page.get_by_label("Secret:").fill("")
        test.click()
        expect(page.locator("#tried")).to_contain_text("It works.")
        coupa.sandbox.secret = "another secret"
        page.get_by_label("Secret:").fill("another secret")
        page.get_by_label("Secret:").press("Enter")
        expect(page.locator(".messagelist")).to_contain_text("Credentials stored.")
        assert Target.objects.get().secret == "another secret", "Enter saves, and does not go back"
        page.goto(live_server.url + reverse("admin:sync_target_change", args=[target.pk]))
        page.get_by_role("button", name="Go back to the previous credentials").click()
        expect(page.locator(".messagelist")).to_contain_text("in use again")
        assert Target.objects.get().secret == SECRET
        page.wait_for_load_state()
    assert complaints == []
