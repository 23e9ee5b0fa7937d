"""What becomes of a request: which failures are ambiguous, what is recorded, what is never shown."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sync.auth import OAuth2, forget_tokens
from sync.deadline import asking
from sync.errors import Ambiguous, NotSent, Refused, Stale, SyncError, Throttled, Unauthorised
from sync.http import Client, parse_retry_after
from sync.protocol import Config
from sync.redact import Redactor, mask_number

IBAN = "DE89370400440532013000"


@contextmanager
def answering(*answers: bytes | Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that gives these answers in turn, one connection each, whatever it is asked."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(5)

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()
        thread.join(timeout=5)


def reply(status: int, body: str = "{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body.encode())}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def client(url: str, timeout: float = 1.0) -> Client:
    return Client(Config(url, "mdm", "very-secret", timeout=timeout))


@pytest.mark.parametrize(
    ("method", "answer", "error"),
    [
        ("POST", reply(400), Refused),
        ("POST", reply(409), Refused),
        ("POST", reply(422), Refused),
        ("POST", reply(401), Unauthorised),
        ("POST", reply(403), Unauthorised),
        ("POST", reply(412), Stale),
        ("POST", reply(428), Stale),
        ("POST", reply(423), Throttled),
        ("POST", reply(429), Throttled),
        ("POST", reply(503, "", "Retry-After: 7"), Throttled),
        ("POST", reply(503), Ambiguous),
        ("POST", reply(500), Ambiguous),
        ("POST", reply(408), Ambiguous),
        ("POST", reply(302, "", "Location: http://elsewhere.example/"), Ambiguous),
        ("POST", b"HTTP/1.1 banana\r\n\r\n", Ambiguous),
        ("POST", b"", Ambiguous),
        ("POST", lambda connection: time.sleep(1.5), Ambiguous),
        ("GET", reply(500), NotSent),
        ("GET", b"", NotSent),
        ("GET", lambda connection: time.sleep(1.5), NotSent),
        ("GET", reply(503, "", "Retry-After: 7"), Throttled),
    ],
)
def test_what_an_answer_means(method: str, answer: bytes, error: type[SyncError]) -> None:
    with answering(answer) as url, pytest.raises(error) as caught:
        client(url).request(method, "/x")
    assert type(caught.value) is error


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotSent):
        client(f"http://127.0.0.1:{port}").request("POST", "/x")


def test_a_failed_read_after_a_write_is_ambiguous() -> None:
    with answering(reply(201), reply(500), reply(500)) as url:
        session = client(url)
        session.begin()
        session.request("POST", "/x")
        with pytest.raises(Ambiguous):
            session.request("GET", "/x")
        session.begin()
        with pytest.raises(NotSent):
            session.request("GET", "/x")


def test_a_refused_write_leaves_nothing_ambiguous() -> None:
    with answering(reply(400), reply(500)) as url:
        session = client(url)
        session.begin()
        with pytest.raises(Refused):
            session.request("POST", "/x")
        with pytest.raises(NotSent):
            session.request("GET", "/x")


def test_an_unreadable_answer_to_a_write_is_ambiguous() -> None:
    with answering(reply(200, "<html>")) as url, pytest.raises(Ambiguous):
        client(url).json("POST", "/x")


def test_the_deadline_holds_against_dripping() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(40):
            try:
                connection.sendall(b"x")
            except OSError:
                return
            time.sleep(0.1)

    started = time.monotonic()
    with answering(drip) as url, pytest.raises(NotSent):
        client(url, timeout=0.5).request("GET", "/x")
    assert time.monotonic() - started < 1.5


def test_large_answers_are_cut_off() -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        try:
            for _ in range(64):
                connection.sendall(b"x" * 65536)
        except OSError:
            pass

    with answering(flood) as url, pytest.raises(NotSent, match="larger than 1024 KiB"):
        client(url, timeout=5).request("GET", "/x")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 1.0),
        ("7", 7.0),
        ("-5", 1.0),
        ("", 1.0),
        ("soon", 1.0),
        ("nan", 1.0),
        ("999999", 3600.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 1.0),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    assert parse_retry_after(value, now=datetime(2026, 11, 22, 12, tzinfo=UTC)) == seconds


def test_exchanges_show_no_secret_and_no_bank_number() -> None:
    spaced = "DE89 3704 0044 0532 0130 00"
    answer = reply(200, f'{{"bank": {{"IBAN": "{IBAN}", "note": "for {spaced}"}}, "access_token": "abc123"}}')
    with answering(answer) as url:
        session = client(url)
        session.begin(correlation_id="c-1", conceal=["0012345678"])
        body = {"accountNumber": "0012345678", "text": "account 0012345678", "password": "hush"}
        session.request("POST", f"/x?iban={IBAN}", json=body)
        (said,) = session.exchanges()
    shown = repr(said)
    for hidden in (IBAN, spaced, "0012345678", "hush", "abc123", "very-secret"):
        assert hidden not in shown
    assert "DE89…3000" in shown and said.status == 200
    assert session.exchanges() == ()


def test_a_secret_exchange_shows_neither_body() -> None:
    with answering(reply(200, '{"result": [3, "b54a5de350acaabb"]}')) as url:
        session = client(url)
        session.request("POST", "/rpc/", json={"params": ["mdm", "hush"]}, secret=True)
        (said,) = session.exchanges()
    assert "b54a" not in repr(said) and "hush" not in repr(said) and said.status == 200


def test_the_words_of_a_refusal_are_masked() -> None:
    from sync.errors import FieldProblem

    def explain(response: object) -> tuple[str, tuple[FieldProblem, ...]]:
        return f"IBAN {IBAN} is wrong", (FieldProblem("iban", "x", f"{IBAN}?"),)

    with answering(reply(400)) as url, pytest.raises(Refused) as caught:
        Client(Config(url), explain=explain).request("POST", "/x")
    assert IBAN not in caught.value.message + caught.value.problems[0].message


@pytest.mark.parametrize(
    "text",
    [
        "a0b1c2d3e4f54a6b8c7d9e0f1a2b3c4d",
        "a0b1c2d3-e4f5-4a6b-8c7d-9e0f1a2b3c4d",
        "/A_BusinessPartner('0001000001')",
        "MDM-JZX7TNMAKFYAZ4UX",
        "Müller & Söhne Maschinenbau",
    ],
)
def test_what_must_stay_readable(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"IBAN {IBAN} is wrong",
        "to DE89 3704 0044 0532 0130 00 and on",
        f"filter=IBAN%20eq%20%27{IBAN}%27",
        "mistyped DE89370400440532013001",
        f"{IBAN},GB33BUKB20201555555555",
    ],
)
def test_ibans_in_running_text(text: str) -> None:
    shown = Redactor().text(text)
    assert "0440532" not in shown and "0400 4405" not in shown and "BUKB20" not in shown


def test_mask_number() -> None:
    assert mask_number("DE89 3704 0044 0532 0130 00") == "DE89…3000"
    assert mask_number("12345678") == "…78"
    assert mask_number("123") == "…"


def test_tokens_are_fetched_once_and_renewed_after_a_401() -> None:
    forget_tokens()
    token = reply(200, '{"access_token": "t", "expires_in": 3600}')
    with answering(token, reply(200), reply(200), reply(401), token, reply(200)) as url:
        config = Config(url, "mdm", "s", timeout=1.0)
        session = Client(config)
        session.auth = OAuth2(session, config, url="/oauth2/token")
        for _ in range(3):
            assert session.request("GET", "/x").status == 200
        asked = [said.url.rpartition("/")[2] for said in session.exchanges()]
    assert asked == ["token", "x", "x", "x", "token", "x"]


def test_a_refused_sign_in_is_unauthorised() -> None:
    forget_tokens()
    with answering(reply(400, '{"error": "invalid_client"}')) as url:
        config = Config(url, "mdm", "s", timeout=1.0)
        session = Client(config)
        session.auth = OAuth2(session, config, url="/oauth2/token")
        with pytest.raises(Unauthorised):
            session.request("GET", "/x")


def test_credentials_do_not_travel_to_another_server() -> None:
    config = Config("http://127.0.0.1:1", "mdm", "s", timeout=1.0)
    session = Client(config)
    session.auth = OAuth2(session, config, url="/oauth2/token")
    with pytest.raises(NotSent, match="another server"):
        session.request("GET", "http://127.0.0.1:2/next-page")


@pytest.mark.parametrize("scheme", ["file", "gopher", "ftp", "dict"])
def test_no_other_scheme_is_spoken(scheme: str) -> None:
    with pytest.raises(NotSent):
        client(f"{scheme}://127.0.0.1:1").request("GET", "/etc/passwd")


def test_an_address_with_credentials_in_it_is_not_called() -> None:
    with answering(reply(200)) as url, pytest.raises(NotSent, match="before an @"):
        client(url.replace("//", "//public.example@")).request("GET", "/x")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    """Neither to another server nor to the next page of the same one: 0 connections there."""
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0.3)
        place = f"Location: http://127.0.0.1:{inside.getsockname()[1]}/latest/meta-data"
        with answering(reply(status, "", place)) as url, pytest.raises(NotSent):
            client(url).request("GET", "/x")
        with pytest.raises(TimeoutError):
            inside.accept()


def test_a_packed_answer_is_measured_unpacked() -> None:
    packed = gzip.compress(b"x" * (20 * 1024 * 1024))
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(packed)}\r\nContent-Encoding: gzip\r\n\r\n"
    with answering(head.encode() + packed) as url, pytest.raises(NotSent, match="larger than 1024 KiB"):
        client(url, timeout=5).request("GET", "/x")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signs itself, for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(key.private_bytes(*private) + made.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def answering_tls(certificate: Path, seen: list[bytes]) -> Iterator[int]:
    """A server behind TLS; what it was sent is in `seen`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(5)

    def serve() -> None:
        try:
            plain, _ = server.accept()
            with context.wrap_socket(plain, server_side=True) as connection:
                seen.append(connection.recv(65536))
                connection.sendall(reply(200))
        except OSError:
            return  # whoever called did not like the certificate

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
        thread.join(timeout=5)


def test_a_server_that_vouches_for_itself_is_refused(certificate: Path) -> None:
    seen: list[bytes] = []
    with answering_tls(certificate, seen) as port, pytest.raises(Unauthorised, match="certificate is not trusted"):
        client(f"https://127.0.0.1:{port}").request("POST", "/x", json={"iban": IBAN})
    assert not any(seen), "nothing may be said before the server is known"


def test_a_server_of_another_name_is_refused_and_a_trusted_one_is_heard(certificate: Path) -> None:
    seen: list[bytes] = []
    trusting = {"ca_file": str(certificate)}
    with answering_tls(certificate, seen) as port, pytest.raises(Unauthorised, match="certificate"):
        Client(Config(f"https://localhost:{port}", timeout=2.0, options=trusting)).request("GET", "/x")
    assert not any(seen)
    with answering_tls(certificate, seen) as port:
        Client(Config(f"https://127.0.0.1:{port}", timeout=2.0, options=trusting)).request("GET", "/x")
    assert any(seen)


# Several requests, several records


def test_writes_that_were_done_are_counted_during_a_push() -> None:
    """A refusal is none, a read is none, and neither is a yes whose body says no."""
    answers = [reply(201), reply(200), reply(409), reply(200, '{"error": "no"}')]
    with answering(*answers) as url, asking(lambda: None) as writes:
        session = client(url)
        session.begin()
        session.request("POST", "/x")
        session.request("GET", "/x")
        with pytest.raises(Refused):
            session.request("PATCH", "/x")
        assert writes.done == 1
        session.request("POST", "/rpc")
        session.undone()
        assert writes.done == 1
        with pytest.raises(NotSent):
            session.request("PUT", "http://127.0.0.1:1/", auth=False)
        assert writes.done == 1
    with answering(reply(201)) as url:
        client(url).request("POST", "/x")
    assert writes.done == 1, "outside a push nobody counts"


def test_one_of_several_records_sees_its_own_part() -> None:
    kept = "concur-correlationid: 4711"
    answer = reply(200, f'{{"rows": [{{"iban": "{IBAN}"}}, {{"name": "Neighbour"}}]}}', kept)
    with answering(answer, reply(200)) as url:
        session = Client(Config(url, "mdm", "very-secret", timeout=1.0), keep_headers=["concur-correlationid"])
        session.begin(conceal=[IBAN])
        assert session.part({"name": "Mine"}) == (), "nothing was written yet"
        session.request("POST", "/x", json=[{"name": "Mine", "iban": IBAN}, {"name": "Neighbour"}])
        session.request("GET", "/x")
        (said,) = session.part({"name": "Mine", "iban": IBAN}, {"iban": IBAN})
    assert (said.method, said.status) == ("POST", 200) and said.url.endswith("/x")
    assert said.request == '{"name": "Mine", "iban": "DE89…3000"}'
    assert said.response == 'concur-correlationid: 4711\n{"iban": "DE89…3000"}'


def test_one_of_several_records_whose_request_was_lost() -> None:
    with answering(b"") as url:
        session = client(url)
        session.begin()
        with pytest.raises(Ambiguous):
            session.request("POST", "/x", json=[{"name": "Mine"}, {"name": "Neighbour"}])
        (said,) = session.part({"name": "Mine"})
    assert said.status is None and said.response.startswith("no usable answer") and "Neighbour" not in repr(said)
