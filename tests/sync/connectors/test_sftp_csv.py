"""Files by SFTP: what lies in the folder, who is believed, what an answer means, and through the whole engine."""

from __future__ import annotations

import asyncio
import csv
import io
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from sync.connectors.sftp_csv import receipt, table
from sync.connectors.sftp_csv.connector import SftpCsvConnector
from sync.connectors.sftp_csv.sandbox import SftpCsvSandbox
from sync.connectors.sftp_csv.sandbox_server import Files
from sync.errors import NotSent, NotSupported, Refused, Throttled, Unanswered, Unauthorised
from sync.mapping import load
from sync.models import Delivery, ExceptionItem, Target
from sync.protocol import Config, Push
from tests.sync import world
from tests.sync.sandboxes import REFERENCE, Platform, folder, platform, supplier
from tests.sync.world import Side

IBAN = "DE89370400440532013000"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Platform]:
    with platform("sftp_csv", tmp_path / "state.sqlite") as running:
        yield running


def files(receiver: Platform) -> SftpCsvSandbox:
    assert isinstance(receiver.sandbox, SftpCsvSandbox)
    return receiver.sandbox


def connector(receiver: Platform, **changes: Any) -> SftpCsvConnector:
    options = {**receiver.control("GET", "options")["options"], **changes.pop("options", {})}
    given = {"client_id": "mdm", "secret": receiver.secret, "timeout": 5.0, "options": options, **changes}
    return SftpCsvConnector(Config(SftpCsvSandbox.address(receiver.url), **given))


def delivered(receiver: Platform) -> list[dict[str, str]]:
    """The rows of every file that was taken, as any CSV reader sees them."""
    found = sorted(files(receiver).archive.glob("*.csv"))
    return [row for file in found for row in csv.DictReader(file.open(newline="", encoding="utf-8"))]


# The file


def test_what_lies_there(receiver: Platform) -> None:
    """Nothing half-written is left; the checksum is one that `sha256sum -c` takes."""
    outcome = connector(receiver).push(receiver.push(supplier(code="S-1"), version=3))
    assert (outcome.key, outcome.effect, outcome.verified) == (REFERENCE, "told", True)
    name = "supplier_1-x-00000001.csv"
    inbox, archive = files(receiver).inbox, files(receiver).archive
    assert {file.name for file in inbox.iterdir()} == {f"{name}.sha256", f"{name}.ack"}
    assert [file.name for file in archive.iterdir()] == [name]
    shutil.copy(inbox / f"{name}.sha256", archive)
    subprocess.run(["sha256sum", "-c", f"{name}.sha256"], cwd=archive, check=True, capture_output=True)
    assert (archive / name).stat().st_mode & 0o007 == 0, "nobody else may read it"
    (row,) = delivered(receiver)
    wanted = {"key": REFERENCE, "action": "upsert", "version": "3", "delivery": "1:x:1", "correlation_id": "c-1"}
    wanted |= {"code": "S-1", "status": "active", "addresses_1_city": "Köln", "addresses_2_city": "", "trade_names": ""}
    wanted |= {"tax_registrations_1_number": "DE129273398", "identifiers_1_value": "312345678"}
    assert wanted.items() <= row.items()


def test_all_files_of_a_type_have_the_same_columns(receiver: Platform) -> None:
    sender = connector(receiver)
    sender.push(receiver.push(supplier()))
    sender.push(receiver.push(supplier(addresses=[], contacts=[]), idempotency_key="1:x:2"))
    blocks = receiver.push(supplier(), action="block", idempotency_key="1:x:3")
    blocks.payload.clear()
    blocks.payload.update(receiver.mapping.block_fields())
    sender.push(blocks)
    rows = delivered(receiver)
    assert len({tuple(row) for row in rows}) == 1
    assert {name: value for name, value in rows[2].items() if value} == {
        "key": REFERENCE, "action": "block", "version": "0", "delivery": "1:x:3", "correlation_id": "c-1",
        "status": "blocked",
    }  # fmt: skip


def test_names_rise_within_a_line() -> None:
    keys = [f"1:4:{REFERENCE}:17:{n}" for n in (1, 2, 9, 10, 11, 100)]
    names = [table.file_name(Push("supplier", "upsert", {}, REFERENCE, key, "c")) for key in keys]
    assert names == sorted(names) and len(set(names)) == 6
    assert names[0] == f"supplier_1-4-{REFERENCE}-17-00000001.csv"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+49 221 1", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "'=1", "''+1", "＝1+1", "＋1", "－1", "＠x",
     '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0"],
)  # fmt: skip
def test_no_cell_is_a_formula(text: str) -> None:
    from sync.connectors.sftp_csv.sandbox import _plain

    written = table.write(["a"], {"a": text}, ",").decode()
    (read,) = [row["a"] for row in csv.DictReader(io.StringIO(written, newline=""))]
    assert read == f"'{text}" and _plain(read) == text


@pytest.mark.parametrize("text", ["plain", "a=b", "O'Brien", "'quoted'", 'say "hello", twice', "x;y|z", ""])
def test_other_texts_stay_as_they_are(text: str) -> None:
    written = table.write(["a"], {"a": text}, ",").decode()
    assert [row["a"] for row in csv.DictReader(io.StringIO(written, newline=""))] == [text]


def test_numbers_and_truth() -> None:
    assert [table.cell(value) for value in (-3, True, False, None, 2.5)] == ["-3", "true", "false", "", "2.5"]


def test_bank_accounts_only_when_the_target_says_so(receiver: Platform) -> None:
    connector(receiver).push(receiver.push(supplier()))
    (row,) = delivered(receiver)
    assert not any("bank" in name for name in row) and IBAN not in str(row)
    for wrong in ("true", 1, "yes"):
        connector(receiver, options={"bank_accounts": wrong}).push(receiver.push(supplier(), idempotency_key="1:x:2"))
    assert IBAN not in str(delivered(receiver))
    told = connector(receiver, options={"bank_accounts": True})
    outcome = told.push(receiver.push(supplier(), idempotency_key="1:x:3"))
    assert delivered(receiver)[-1]["bank_accounts_1_iban"] == IBAN
    shown = repr(outcome.exchanges)
    assert "bank_accounts_1_iban" in shown, "the evidence says that there is one"
    assert not any(hidden in shown for hidden in (IBAN, "DE89", "0532013000", "COBADEFF", "37040044"))
    assert told.check().pushable["bank_accounts"] and not connector(receiver).check().pushable["bank_accounts"]


def test_more_children_than_columns_are_refused_never_cut(receiver: Platform) -> None:
    many = [{"uid": f"a{n}", "kind": "remit_to", "lines": [], "city": f"C{n}", "country": "DE"} for n in range(6)]
    with pytest.raises(Refused, match="6 addresses") as caught:
        connector(receiver).push(receiver.push(supplier(addresses=many)))
    assert caught.value.problems[0].field == "addresses" and receiver.effects() == []
    connector(receiver, options={"columns": {"addresses": 6}}).push(receiver.push(supplier(addresses=many)))
    assert delivered(receiver)[0]["addresses_6_city"] == "C5"


def test_the_other_types(receiver: Platform) -> None:
    term = {"code": "NET30", "status": "active", "name": "30 days", "net_days": 30, "from_end_of_month": False}
    entity = {"code": "NH10", "status": "active", "name": "Nordhaven", "country": "DE", "currency": "EUR"}
    for n, (type, document) in enumerate((("payment_term", term), ("legal_entity", entity)), 1):
        payload = load(folder("sftp_csv") / "mapping.yaml", type).render(document)
        connector(receiver).push(Push(type, "upsert", payload, REFERENCE, f"1:x:{n}", "c-1"))
    found = [(effect["type"], effect["kind"]) for effect in receiver.effects()]
    assert found == [("payment_term", "created"), ("legal_entity", "created")]
    entities, terms = delivered(receiver)
    assert (terms["net_days"], terms["from_end_of_month"], entities["name"]) == ("30", "false", "Nordhaven")
    with pytest.raises(NotSupported):
        connector(receiver).push(Push("unicorn", "upsert", {}, REFERENCE, "1:x:1", "c-1"))


def test_periods_have_columns_of_their_own(receiver: Platform) -> None:
    rates = [{"uid": f"s{n}", "valid_from": f"20{n:02}-01-01", "name": "VAT", "rate": f"{n}.0"} for n in range(1, 14)]
    document = {"code": "DE-VAT", "status": "active", "name": "VAT", "rate": "12.0", "slices": rates[:12]}
    mapped = load(folder("sftp_csv") / "mapping.yaml", "tax_code")
    connector(receiver).push(Push("tax_code", "upsert", mapped.render(document), REFERENCE, "1:x:1", "c-1"))
    (row,) = delivered(receiver)
    assert (row["rate"], row["slices_1_rate"], row["slices_12_valid_from"]) == ("12.0", "1.0", "2012-01-01")
    more = mapped.render({**document, "slices": rates})
    with pytest.raises(Refused, match="13 slices"):
        connector(receiver).push(Push("tax_code", "upsert", more, REFERENCE, "1:x:2", "c-1"))
    assert len(delivered(receiver)) == 1, "nothing is cut, and nothing was sent"


def test_the_delimiter(receiver: Platform) -> None:
    sender = connector(receiver, options={"delimiter": ";"})
    files(receiver).receive = lambda name, planned="": None  # type: ignore[method-assign]
    sender.push(receiver.push(supplier(legal_name="A; B")))
    (file,) = files(receiver).inbox.glob("*.csv")
    (row,) = csv.DictReader(file.open(newline="", encoding="utf-8"), delimiter=";")
    assert row["legal_name"] == "A; B"


# Who is believed


def test_the_host_key_has_to_be_the_one_that_was_named(receiver: Platform) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").get_fingerprint("sha256")
    true = files(receiver).host_key.get_fingerprint("sha256")
    for given, words in (("", "Set the option host_key"), (other, true)):
        sender = connector(receiver, options={"host_key": given})
        with pytest.raises(Unauthorised, match="host_key") as caught:
            sender.push(receiver.push(supplier()))
        assert words in caught.value.message and not sender.check().ok
    assert receiver.effects() == [] and list(files(receiver).inbox.iterdir()) == []
    assert connector(receiver, options={"host_key": f"{other} {true}"}).check().ok, "two while it is changed"


def test_signing_in_with_a_key(receiver: Platform) -> None:
    own = asyncssh.generate_private_key("ssh-ed25519")
    files(receiver).authorized.append(own.convert_to_public())
    plain = own.export_private_key().decode()
    sealed = own.export_private_key("pkcs8-pem", passphrase="only mine").decode()
    assert connector(receiver, secret="", options={"private_key": plain}).check().ok
    assert connector(receiver, secret="only mine", options={"private_key": sealed}).check().ok
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    for secret, key in (("", stranger), (receiver.secret, stranger), ("wrong", sealed), ("", "no key")):
        with pytest.raises(Unauthorised, match="Signing in failed"):
            connector(receiver, secret=secret, options={"private_key": key}).push(receiver.push(supplier()))


def test_nothing_of_the_users_own_ssh_is_read(receiver: Platform, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  User somebody\n  ProxyCommand false\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert connector(receiver).check().ok
    assert not connector(receiver, client_id="somebody").check().ok


def test_the_host_is_checked_like_that_of_any_target(receiver: Platform) -> None:
    with pytest.raises(Unauthorised, match="no public address"):
        connector(receiver, private_hosts=()).push(receiver.push(supplier()))
    assert connector(receiver, private_hosts=("127.0.0.1",)).check().ok
    with pytest.raises(Unauthorised, match="sftp://"):
        SftpCsvConnector(Config("http://127.0.0.1:22/inbox")).push(receiver.push(supplier()))


# Answers


def test_a_refusal_line_by_line() -> None:
    content = b'2,currency,unknown,"XXX, or what you meant"\r\n2,country,,Not ours\n\nonly words\n'
    refused = receipt.read_refusal(content, str)
    assert [(p.field, p.code, p.message) for p in refused.problems] == [
        ("currency", "unknown", "XXX, or what you meant"),
        ("country", "refused", "Not ours"),
        ("", "refused", "only words"),
    ]
    assert refused.message == "XXX, or what you meant Not ours only words"
    assert receipt.read_refusal(b"", str).message == "The receiver gave no reason."
    assert len(receipt.read_refusal(b"1,a,b,c\n" * 9000, str).problems) == 50


def test_an_echoed_bank_number_is_masked_in_a_refusal(receiver: Platform, monkeypatch) -> None:
    monkeypatch.setattr(files(receiver), "_problem", lambda name, content: f"2,iban,bad,{IBAN} and 0532013000\n")
    sender = connector(receiver, options={"bank_accounts": True})
    with pytest.raises(Refused) as caught:
        sender.push(receiver.push(supplier()))
    shown = caught.value.message + repr(caught.value.problems) + repr(sender.exchanges())
    assert IBAN not in shown and "0532013000" not in shown and "DE89…3000" in shown


def test_of_a_huge_answer_only_the_beginning_is_read(receiver: Platform, monkeypatch) -> None:
    monkeypatch.setattr(files(receiver), "_problem", lambda name, content: "2,name,bad," + "x" * (8 * 1024 * 1024))
    with pytest.raises(Refused) as caught:
        connector(receiver).push(receiver.push(supplier()))
    (problem,) = caught.value.problems
    assert len(problem.message) <= receipt.LARGEST and len(caught.value.message) <= 2000


def test_a_damaged_file_is_refused_by_the_receiver(receiver: Platform) -> None:
    name = "supplier_1-x-00000009.csv"
    (files(receiver).inbox / name).write_bytes(b"half")
    (files(receiver).inbox / f"{name}.sha256").write_text(f"{'0' * 64}  {name}\n")
    files(receiver).receive(name)
    assert "checksum" in (files(receiver).inbox / f"{name}.nak").read_text() and receiver.effects() == []


def test_without_an_answer_it_is_sent_and_not_verified(receiver: Platform) -> None:
    receiver.fail("unacknowledged")
    outcome = connector(receiver).push(receiver.push(supplier()))
    assert (outcome.effect, outcome.verified) == ("told", False)


def test_waiting_for_the_answer(receiver: Platform) -> None:
    """The file is not put there a second time while nothing but the answer is missing."""
    receiver.fail("unacknowledged")
    sender = connector(receiver, options={"acknowledged": True, "ask_after_s": 7})
    with pytest.raises(Unanswered) as caught:
        sender.push(receiver.push(supplier()))
    assert caught.value.retry_after == 7
    name = "supplier_1-x-00000001.csv"
    with pytest.raises(Unanswered):
        sender.push(receiver.push(supplier(), taken=True))
    assert not (files(receiver).inbox / name).exists()
    (files(receiver).inbox / f"{name}.ack").touch()
    assert sender.push(receiver.push(supplier(), taken=True)).verified
    assert len(receiver.effects()) == 1


@pytest.mark.parametrize("options, wait", [({}, 30), ({"busy_s": 2}, 2)])
def test_a_server_without_a_free_session_is_left_alone(receiver: Platform, options: dict[str, Any], wait: int) -> None:
    receiver.fail("429")
    sender = connector(receiver, options=options)
    with pytest.raises(Throttled) as caught:
        sender.push(receiver.push(supplier()))
    assert caught.value.retry_after == wait and receiver.effects() == []
    assert sender.push(receiver.push(supplier())).effect == "told"


def test_answers_in_another_folder(receiver: Platform) -> None:
    (files(receiver).folder / "answers").mkdir()
    receiver.fail("unacknowledged")
    sender = connector(receiver, options={"answers": "/answers", "acknowledged": True})
    assert sender.check().ok
    with pytest.raises(Unanswered):
        sender.push(receiver.push(supplier()))
    (files(receiver).folder / "answers" / "supplier_1-x-00000001.csv.nak").write_text("2,country,bad,Not ours\n")
    with pytest.raises(Refused, match="Not ours"):
        sender.push(receiver.push(supplier(), taken=True))
    assert not connector(receiver, options={"answers": "/nowhere"}).check().ok


# The server


@pytest.mark.parametrize(
    ("answer", "error"),
    [(asyncssh.SFTPOpUnsupported, Unauthorised), (asyncssh.SFTPNoSpaceOnFilesystem, NotSent),
     (asyncssh.SFTPFailure, NotSent), (asyncssh.SFTPPermissionDenied, Unauthorised)],
)  # fmt: skip
def test_what_the_server_says(receiver: Platform, monkeypatch, answer, error) -> None:
    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise answer("as planned")

    monkeypatch.setattr(Files, "posix_rename", rename)
    with pytest.raises(error):
        connector(receiver).push(receiver.push(supplier()))
    assert receiver.effects() == [] and not connector(receiver).check().ok


def test_a_folder_that_is_not_there(receiver: Platform) -> None:
    address = SftpCsvSandbox.address(receiver.url).replace("/inbox", "/outbox")
    health = SftpCsvConnector(
        Config(address, "mdm", receiver.secret, options=receiver.control("GET", "options")["options"])
    ).check()
    assert not health.ok and "No such" in health.message


def test_the_health_check_leaves_nothing_behind(receiver: Platform) -> None:
    assert connector(receiver).check().ok
    assert list(files(receiver).inbox.iterdir()) == []


def test_a_file_put_in_place_just_before_a_crash_is_taken_at_the_start(receiver: Platform, tmp_path: Path) -> None:
    """The sandbox's own promise: what was answered to the client is not lost."""
    box = files(receiver)
    original = box.receive
    box.receive = lambda name, planned="": None  # type: ignore[method-assign]
    connector(receiver).push(receiver.push(supplier()))
    assert receiver.effects() == []
    box.receive = original  # type: ignore[method-assign]
    again = SftpCsvSandbox(str(tmp_path / "state.sqlite"))
    assert len(again.store.effects()) == 1
    again.store.close()


# Through the engine


@pytest.fixture
def hub(sandbox, transactional_db) -> tuple[Target, Side]:
    started = sandbox("sftp_csv")
    world.allow_everything()
    side = Side(started.control)
    options = side._call("GET", "options")["options"]
    return world.target("sftp_csv", SftpCsvSandbox.address(started.url), options=options, timeout_s=10), side


def test_told_refused_corrected(hub) -> None:
    target, side = hub
    uid = world.supplier()
    side.fault("refuse", "^PUT")
    assert world.send_now() == {"rejected": 1}
    item = ExceptionItem.objects.get()
    assert (item.field, item.path, item.code) == ("legal_name", "legal_name", "invalid")
    assert "Planned fault" in item.words
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    assert world.send_now() == {"posted": 1}
    item.refresh_from_db()
    delivery = Delivery.objects.latest("seq")
    assert (item.state, delivery.verified, delivery.effect, delivery.target_key) == ("corrected", True, "told", uid)
    assert side.records()[uid]["legal_name"] == "Nordlicht Papier SE"


def test_a_caller_with_an_event_loop_of_its_own_is_served(receiver: Platform) -> None:
    async def from_within() -> str:
        return connector(receiver).push(receiver.push(supplier())).key

    with ThreadPoolExecutor(1) as thread:  # this one may run the loop of a browser
        assert thread.submit(asyncio.run, from_within()).result() == REFERENCE
    assert len(receiver.effects()) == 1


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "reset_after", "garbage", "500"])
def test_one_effect_and_in_order_whatever_is_lost(hub, fault) -> None:
    target, side = hub
    Target.objects.update(timeout_s=3, max_inflight_s=1, retry_scale=1)  # not again before we have looked
    uid = world.supplier()
    side.fault(fault, "^PUT")
    assert world.send_now() == {"retrying" if fault == "500" else "unknown": 1}
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.send_until_settled()
    kinds = [effect["kind"] for effect in side.effects()]
    assert kinds == (["created"] if fault == "500" else ["created", "updated"]), "what was never sent is superseded"
    assert side.records()[uid]["legal_name"] == "Nordlicht Papier SE"
    assert Delivery.objects.latest("seq").state == "posted"


def test_the_next_version_waits_for_the_acknowledgement(hub, tmp_path: Path) -> None:
    target, side = hub
    target.options = {**target.options, "acknowledged": True, "ask_after_s": 0.1}
    target.save()
    uid = world.supplier()
    side.fault("unacknowledged", "PUT /inbox/supplier")
    assert world.send_now()["unknown"] == 1
    world.propose("supplier", {"legal_name": "Nordlicht Papier SE"}, uid=uid)
    world.send_now(rounds=2, pause_s=0.15)
    first, second = Delivery.objects.filter(type="supplier").order_by("seq")
    assert (first.state, first.attempts, second.state) == ("unknown", 0, "pending")
    assert "not acknowledged it yet" in first.error_text and len(side.effects()) == 1
    inbox = tmp_path / "sftp_csv-0.sqlite3.files" / "inbox"
    (checksum,) = inbox.glob("*.sha256")
    checksum.with_suffix(".ack").touch()
    world.send_until_settled()
    rows = Delivery.objects.order_by("seq").values_list("state", "verified", "attempts")
    assert list(rows) == [("posted", True, 1), ("posted", True, 1)]
    assert [effect["kind"] for effect in side.effects()] == ["created", "updated"]
