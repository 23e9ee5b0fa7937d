"""People and roles in the admin: who may, what is on record, and the one door in."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from mdm.models import AuditEntry
from mdm.permissions import ROLES
from mdm.services import audit
from tests.people import person

pytestmark = pytest.mark.django_db

WORD = "a-long-enough-word"


@pytest.fixture
def aiko() -> Client:
    cache.clear()
    user = person("aiko", "governance")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


def group(role: str) -> int:
    return Group.objects.get_or_create(name=role)[0].pk


def form_of(client: Client, url: str) -> dict[str, Any]:
    form = client.get(url).context["adminform"].form
    values = {name: form[name].value() for name in form.fields if name != "password"}
    return {name: value for name, value in values.items() if value not in (None, False)}


def told(username: str) -> list[tuple[str, str, list[str], list[str], bool]]:
    rows = AuditEntry.objects.filter(object_type="person", object_label=username, action__startswith="person.")
    return [
        (row.action, row.actor_name, row.detail["roles_before"], row.detail["roles"], row.detail["active"])
        for row in rows.order_by("pk")
    ]


def test_an_account_and_its_roles_are_given_and_on_record(aiko: Client) -> None:
    made = aiko.post(
        reverse("admin:auth_user_add"),
        {"username": "otto", "usable_password": "true", "password1": WORD, "password2": WORD},
    )
    otto = User.objects.get(username="otto")
    url = reverse("admin:auth_user_change", args=[otto.pk])
    assert made["Location"] == url
    values = form_of(aiko, url)
    assert aiko.post(url, {**values, "groups": [group("steward"), group("governance")]}).status_code == 302
    otto.refresh_from_db()
    assert otto.is_staff and set(otto.groups.values_list("name", flat=True)) == {"steward", "governance"}
    left = {**values, "groups": [group("steward")]}
    left.pop("is_active")
    assert aiko.post(url, left).status_code == 302
    otto.refresh_from_db()
    assert (otto.is_staff, otto.is_active) == (False, False)
    assert told("otto") == [
        ("person.added", "Aiko", [], [], True),
        ("person.changed", "Aiko", [], ["governance", "steward"], True),
        ("person.changed", "Aiko", ["governance", "steward"], ["steward"], False),
    ]
    assert WORD not in str(list(AuditEntry.objects.values("detail")))
    audit.seal()
    assert audit.verify() == []


def test_nobody_changes_their_own_roles_or_deletes_anybody(aiko: Client) -> None:
    me = User.objects.get(username="aiko")
    url = reverse("admin:auth_user_change", args=[me.pk])
    values = form_of(aiko, url)
    assert "groups" not in values
    aiko.post(url, {**values, "first_name": "Aiko", "groups": [group(role) for role in ROLES]})
    assert list(me.groups.values_list("name", flat=True)) == ["governance"]
    assert User.objects.get(username="aiko").first_name == "Aiko"
    assert aiko.post(reverse("admin:auth_user_delete", args=[person("rita").pk]), {"post": "yes"}).status_code == 403
    assert User.objects.filter(username="rita").exists()


def test_a_superuser_is_out_of_reach(aiko: Client) -> None:
    root = User.objects.create_superuser("root", password=WORD)
    password = reverse("admin:auth_user_password_change", args=[root.pk])
    assert aiko.post(password, {"password1": "another-long-word", "password2": "another-long-word"}).status_code == 403
    assert User.objects.get(username="root").check_password(WORD)


def test_a_password_set_by_somebody_else_is_on_record(aiko: Client) -> None:
    rita = person("rita", "requester")
    url = reverse("admin:auth_user_password_change", args=[rita.pk])
    answer = aiko.post(url, {"usable_password": "true", "password1": WORD, "password2": WORD})
    assert answer.status_code == 302 and User.objects.get(username="rita").check_password(WORD)
    assert told("rita") == [("person.changed", "Aiko", ["requester"], ["requester"], True)]


def test_only_governance_sees_people() -> None:
    user = person("olaf", "operator")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    assert client.get(reverse("admin:auth_user_changelist")).status_code == 403


def test_the_admin_has_no_sign_in_of_its_own(aiko: Client) -> None:
    stranger = Client()
    assert stranger.get("/admin/")["Location"] == "/login/?next=/admin/"
    assert stranger.get("/admin/login/?next=/admin/")["Location"] == "/login/?next=/admin/"
    user = User.objects.get(username="aiko")
    user.set_password(WORD)
    user.save()
    for _ in range(6):  # a guess here is no guess: the form is at the hub's sign-in, which counts
        answer = stranger.post("/admin/login/?next=/admin/", {"username": "aiko", "password": WORD})
        assert answer["Location"] == "/login/?next=/admin/" and "_auth_user_id" not in stranger.session
    assert stranger.post("/login/", {"username": "aiko", "password": WORD, "next": "/admin/"})["Location"] == "/admin/"


def test_people_without_that_role_are_told_so() -> None:
    client = Client()
    client.force_login(person("rita", "requester"))
    answer = client.get("/admin/", follow=True)
    assert answer.status_code == 403 and "for governance leads" in answer.content.decode()
