"""Walls of the golden tables: written only while an approved change request is applied; history is append-only."""

from django.db import migrations

from mdm.models import guards

DATED = ("profitcenter", "costcenter", "glaccount", "taxcode", "project")
PLAIN = ("legalentity", "paymentterm", "chartofaccounts", "glmapping", "glmappingcondition")
TABLES = (*PLAIN, *DATED, *(f"{table}period" for table in DATED))


class Migration(migrations.Migration):
    dependencies = [("dimensions", "0001_initial"), ("mdm", "0002_guards")]
    operations = [
        *(guards.golden(f"dimensions_{table}") for table in TABLES),
        *(guards.golden(f"dimensions_historical{table}") for table in TABLES),
        *(guards.append_only(f"dimensions_historical{table}") for table in TABLES),
    ]
