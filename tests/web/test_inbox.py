"""The inbox: whose requests are where, the request beside the list, and approving what is routine together."""

from __future__ import annotations

import pytest

from mdm.models import ChangeRequest
from mdm.services import changes
from tests.people import actor, propose, supplier
from tests.web.visitors import IBAN, browser, number_of, queries, read

pytestmark = pytest.mark.django_db


def waiting(many: int = 1) -> list[ChangeRequest]:
    nora = actor("nora", "requester")
    return [propose(supplier(), nora, website=f"https://{n}.example") for n in range(many)]


def test_an_empty_inbox_says_so_in_every_tab() -> None:
    mara = browser("mara", "steward")
    for tab, words in (("mine", "Nothing waits for you"), ("team", "Nothing is open"), ("sent", "You have not sent")):
        assert words in read(mara, f"/inbox/?tab={tab}")
    read(mara, "/inbox/?tab=all")


def test_what_waits_for_a_steward_is_not_what_its_requester_decides() -> None:
    change = waiting()[0]
    assert change.title in read(browser("mara", "steward"), "/inbox/")
    own = read(browser("nora", "requester"), "/inbox/")
    assert change.title not in own
    assert change.title in read(browser("nora"), "/inbox/?tab=sent")


def test_the_first_request_stands_open_beside_the_list() -> None:
    change = waiting()[0]
    html = read(browser("mara", "steward"), "/inbox/")
    assert "Approve change" in html
    assert change.content_hash in html
    assert "is-open" not in html  # on a phone the list comes first


def test_a_chosen_request_comes_alone_for_htmx() -> None:
    change = waiting()[0]
    mara = browser("mara", "steward")
    url = f"/inbox/?tab=mine&request={number_of(change)}"
    whole = read(mara, url)
    assert "is-open" in whole
    part = mara.get(url, headers={"HX-Request": "true", "HX-Target": "detail"}).content.decode()
    assert part.strip().startswith("<article")
    assert "<html" not in part


def test_deciding_leads_to_the_next_request() -> None:
    first, second = waiting(2)
    mara = browser("mara", "steward")
    html = read(mara, f"/inbox/?tab=mine&request={number_of(first)}")
    onward = f"/inbox/?tab=mine&amp;request={number_of(second)}"
    assert f'name="next" value="{onward}"' in html


@pytest.mark.parametrize("value", ["x", "99999999999", "0", "-1"])
def test_a_request_that_is_not_there_leaves_the_list(value: str) -> None:
    waiting()
    read(browser("mara", "steward"), f"/inbox/?request={value}")


def test_kinds_are_filters() -> None:
    waiting()
    mara = browser("mara", "steward")
    assert "Change website" in read(mara, "/inbox/?kind=change")
    assert "No request of the kind" in read(mara, "/inbox/?kind=merge")


def test_pages_follow_one_another_without_counting() -> None:
    made = waiting(53)
    mara = browser("mara", "steward")
    first = mara.get("/inbox/")
    groups = first.context["groups"]
    seen = [item.title for group in groups for item in group["items"]]
    second = mara.get(f"/inbox/{first.context['pager'].next}")
    seen += [item.title for group in second.context["groups"] for item in group["items"]]
    assert len(seen) == len(made)
    assert sorted(seen) == sorted(change.title for change in made)
    back = mara.get(f"/inbox/{second.context['pager'].previous}")
    assert [i.title for g in back.context["groups"] for i in g["items"]] == seen[:50]


def test_the_number_of_queries_does_not_grow() -> None:
    mara = browser("mara", "steward")
    waiting(3)
    few = queries(mara, "/inbox/?tab=team")
    waiting(20)
    assert queries(mara, "/inbox/?tab=team") == few <= 22


# --- together -------------------------------------------------------------------------------------------------


def signed(found: list[ChangeRequest]) -> str:
    return ",".join(f"{number_of(change)}:{change.content_hash}" for change in found)


def test_routine_requests_are_approved_together() -> None:
    made = waiting(3)
    mara = browser("mara", "steward")
    assert signed(made) in read(mara, "/inbox/")
    mara.post("/inbox/approve/", {"signed": signed(made)})
    assert {change.state for change in ChangeRequest.objects.filter(pk__in=[c.pk for c in made])} == {"applied"}


def test_what_changed_meanwhile_stays_open() -> None:
    first, second = waiting(2)
    listed = signed([first, second])
    changes.edit(change=first, by=actor("nora"), reason="Another reason", effective_on=None, items=None)
    ChangeRequest.objects.filter(pk=first.pk).update(content_hash="other")
    html = browser("mara", "steward").post("/inbox/approve/", {"signed": listed}, follow=True).content.decode()
    assert "was changed after you opened it" in html
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("in_review", "applied")


def test_bank_accounts_are_never_approved_in_bulk() -> None:
    record = supplier()
    change = propose(record, actor("nora", "requester"), bank_accounts=[{"iban": IBAN}])
    mara = browser("mara", "steward")
    assert signed([change]) not in read(mara, "/inbox/")
    mara.post("/inbox/approve/", {"signed": signed([change])})
    change.refresh_from_db()
    assert change.state == "in_review"


def test_nobody_approves_their_own_in_bulk() -> None:
    mara = actor("mara", "steward")
    change = propose(supplier(), mara, website="https://own.example")
    browser("mara").post("/inbox/approve/", {"signed": signed([change])})
    change.refresh_from_db()
    assert change.state == "in_review"


def test_nonsense_is_answered_with_words() -> None:
    mara = browser("mara", "steward")
    for text in ("", "x", "1:2,3:4", "99999999999:abc"):
        assert mara.post("/inbox/approve/", {"signed": text}, follow=True).status_code == 200
