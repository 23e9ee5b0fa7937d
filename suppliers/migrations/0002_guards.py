"""Walls of the golden tables: written only while an approved change request is applied; history is append-only."""

from django.db import migrations

from mdm.models import guards

TABLES = ("supplier", "taxregistration", "identifier", "address", "contact", "bankaccount", "extension")


class Migration(migrations.Migration):
    dependencies = [("suppliers", "0001_initial"), ("mdm", "0002_guards")]
    operations = [
        *(guards.golden(f"suppliers_{table}") for table in TABLES),
        *(guards.golden(f"suppliers_historical{table}") for table in TABLES),
        *(guards.append_only(f"suppliers_historical{table}") for table in TABLES),
    ]
