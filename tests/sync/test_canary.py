"""A bank number goes to every platform, by every way out; in the database it is nowhere in plain text."""

from __future__ import annotations

import pytest
from django.db import connection

from sync.models import Delivery
from sync.services import drift
from tests.sync import world
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)
CANARY, ACCOUNT = "DE89370400440532013000", "990123456789"


def test_the_canary_is_in_no_table(sandbox):
    world.allow_everything()
    targets = []
    for name in ("s4hana", "coupa", "concur"):
        started = sandbox(name)
        side = Side(started.control)
        options = {"fallback_contact": "x@y.example"} if name == "coupa" else {}
        targets.append((world.target(name, started.url, options=options), side))
        side.fault("refuse", "^(POST|PUT|PATCH) /(?!.*token)")
    banks = [
        {"iban": CANARY, "country": "DE", "holder": "Nordlicht"},
        {"account_number": ACCOUNT, "bank_code": "021000021", "country": "US", "holder": "Nordlicht"},
    ]
    uid = world.supplier(bank_accounts=banks)
    world.send_until_settled()
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.send_until_settled()
    for target, side in targets:
        for key, fields in side.records().items():
            number = next((name for name in fields if name.endswith((".IBAN", "BankAccount", "AccountNumber"))), None)
            if number:
                side.mutate(key, number, CANARY[:-1] + "1")
        assert drift.run(drift.request(target, by=ROBOT).uid).state == "done"
    sent = any(CANARY in str(side.records()) or ACCOUNT in str(side.records()) for _, side in targets)
    assert sent and Delivery.objects.filter(state="posted").exists()

    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            for canary in (CANARY, CANARY[:-1] + "1", ACCOUNT):
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{canary}%"])
                assert cursor.fetchone()[0] == 0, (table, canary)
