"""Owns handing golden records over as CSV files by SFTP. See README.md beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from sync import mapping
from sync.connectors.sftp_csv import receipt, table, wire
from sync.errors import NotSupported, SyncError, Unanswered
from sync.protocol import Capability, Config, Exchange, Health, Outcome, Push

BANKS = "bank_accounts"
ASK_AFTER_S = 60.0  # how soon an acknowledgement is looked for; after that ever less often


class SftpCsvConnector:
    """Class B: the receiver takes a file of one name once. It cannot be asked what it holds."""

    name: ClassVar[str] = "sftp_csv"
    title: ClassVar[str] = "CSV files by SFTP"
    capability: ClassVar[Capability] = "B"
    credential_options: ClassVar[tuple[str, ...]] = ("private_key",)
    types: ClassVar[tuple[str, ...]] = (
        *("supplier", "payment_term", "legal_entity", "cost_center", "profit_center", "project"),
        *("gl_account", "tax_code", "chart_of_accounts", "gl_mapping"),
    )
    max_inflight_s: ClassVar[float] = 60.0

    def __init__(self, config: Config) -> None:
        options = config.options
        self._config = config
        self._server = wire.Server(config)
        self._mappings = {type: mapping.load(Path(__file__).with_name("mapping.yaml"), type) for type in self.types}
        self._delimiter = str(options.get("delimiter") or ",")
        self._room = {**table.ROOM, **{part: int(n) for part, n in dict(options.get("columns") or {}).items()}}
        self._with_banks = options.get("bank_accounts") is True
        self._acknowledged = options.get("acknowledged") is True

    def check(self) -> Health:
        try:
            self._server.begin()
            self._server.probe()
        except SyncError as error:
            return Health(False, error.message)
        mapped = self._mappings["supplier"]
        written = self._parts(mapped)
        words = "Signed in; a file can be put there in one piece."
        banks = "Bank accounts are written." if self._with_banks else "Bank accounts are not written."
        return Health(True, f"{words} {banks}", {part: part in written for part in mapped.parts})

    def push(self, push: Push) -> Outcome:
        if push.type not in self.types:
            raise NotSupported(f"{self.title} takes no {push.type} from the hub.")
        mapped = self._mappings[push.type]
        self._server.begin()
        self._server.redactor.forget()
        self._server.redactor.conceal(mapped.sealed_values(push.payload))
        name = table.file_name(push)
        answer = self._server.look(name) if push.taken else self._put(push, mapped, name)
        if answer is not None and answer[0] == receipt.NAK:
            raise receipt.read_refusal(answer[1], self._server.redactor.text)
        if answer is None and self._acknowledged:
            words = f"The file {name} is there; the receiver has not acknowledged it yet."
            raise Unanswered(words, retry_after=float(self._config.options.get("ask_after_s") or ASK_AFTER_S))
        return Outcome(push.key or push.reference, "told", answer is not None, self.exchanges())

    def exchanges(self) -> tuple[Exchange, ...]:
        return self._server.exchanges()

    def _put(self, push: Push, mapped: mapping.Mapping, name: str) -> wire.Answer | None:
        parts = self._parts(mapped)
        names = table.columns(mapped, parts, self._room)
        values = table.line(push, mapped, parts, self._room)
        content = table.write(names, values, self._delimiter)
        shown = table.write(names, _without_banks(values), self._delimiter).decode()
        return self._server.put(name, content, shown)

    def _parts(self, mapped: mapping.Mapping) -> list[str]:
        """The parts that have columns here."""
        return [part for part in mapped.parts if not part or (part in self._room and self._wanted(part))]

    def _wanted(self, part: str) -> bool:
        return self._with_banks or part != BANKS


connector = SftpCsvConnector


def _without_banks(values: dict[str, Any]) -> dict[str, Any]:
    """For the evidence: of a bank account only that there is one."""
    return {name: "…" if name.startswith(f"{BANKS}_") and value else value for name, value in values.items()}
