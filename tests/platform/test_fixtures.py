"""The fixtures the story tests stand on: a worker, sandboxes, a browser, the whole hub; each is real and each ends."""

from __future__ import annotations

import urllib.request

import pytest
from django.contrib.auth.models import User

from mdm.demo.child import Child
from mdm.embedded import processes
from tests.fixtures_processes import run_manage


@pytest.mark.parametrize("name", ["s4hana", "coupa", "concur"])
def test_a_sandbox_goes_down_and_comes_back(sandbox, name):
    started = sandbox(name)
    with urllib.request.urlopen(f"{started.control}/records?type=supplier") as answer:
        assert answer.status == 200
    pid = started.process.pid
    started.stop()
    assert not processes.alive(pid)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{started.control}/records?type=supplier")
    started.start()


def test_a_worker_is_a_process_of_its_own(celery_worker_process: Child):
    assert processes.alive(celery_worker_process.pid or 0)
    assert "ready." in celery_worker_process.tail(200)
    assert "CRITICAL" not in celery_worker_process.tail(200)


def test_commands_see_the_same_database(transactional_db):
    User.objects.create_user("seen-by-commands")
    script = "from django.contrib.auth.models import User; print(list(User.objects.values_list('username', flat=True)))"
    done = run_manage("shell", "-v0", "-c", script)
    assert done.stdout.strip().endswith("['seen-by-commands']"), done.stderr


@pytest.mark.browser
def test_the_browser_shows_the_login_page(live_hub, page):
    page.goto(live_hub.base_url + "/login/")
    assert page.locator("input[type=password]").is_visible()


@pytest.mark.browser
def test_a_killed_hub_process_is_there_again(live_hub):
    pid = live_hub.worker.pid
    live_hub.worker.kill()
    live_hub.restart(live_hub.worker)
    assert live_hub.worker.pid != pid
