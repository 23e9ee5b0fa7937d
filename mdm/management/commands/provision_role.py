"""Give the application's login exactly the rights it needs: it owns nothing and cannot change what is append-only."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections, transaction
from psycopg import sql

APPEND_ONLY = {"mdm_recordversion", "mdm_matchdecision"}
SEALED_LATER = {"mdm_event": ("seq",), "mdm_auditentry": ("seq", "previous", "hash")}


class Command(BaseCommand):
    help = "Grant the role of DATABASE_APP_URL its rights; makes the role when DATABASE_URL may. Safe to repeat."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        owner, app = settings.DATABASES["owner"], settings.DATABASES["default"]
        if owner["USER"] == app["USER"]:
            self.stderr.write(
                "The application uses the owner's login: triggers still guard golden data, but set DATABASE_APP_URL "
                "to a login that owns nothing for the second wall (deploy/environment.md)."
            )
            return
        connection = connections["owner"]
        with transaction.atomic(using="owner"), connection.cursor() as cursor:
            self._role(cursor, app["USER"], app["PASSWORD"])
            for statement in self._grants(app["USER"]):
                cursor.execute(statement)
        self.stdout.write(f"The role {app['USER']} may use the hub's tables and owns none of them.")

    def _role(self, cursor: Any, name: str, password: str) -> None:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        if not cursor.fetchone():
            cursor.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
            )

    def _grants(self, name: str) -> list[sql.Composed]:
        role = sql.Identifier(name)
        on = [
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}",
            "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {}",
        ]
        statements = [sql.SQL(text).format(role) for text in on]
        for table in sorted(self._append_only()):
            statements.append(sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), role))
        for table, columns in SEALED_LATER.items():
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            statements.append(sql.SQL("GRANT UPDATE ({}) ON {} TO {}").format(names, sql.Identifier(table), role))
        return statements

    def _append_only(self) -> set[str]:
        history = {m._meta.db_table for m in apps.get_models() if "history_type" in _fields(m)}
        return APPEND_ONLY | set(SEALED_LATER) | history


def _fields(model: Any) -> set[str]:
    return {field.name for field in model._meta.get_fields()}
