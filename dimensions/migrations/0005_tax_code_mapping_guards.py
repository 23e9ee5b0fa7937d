"""Walls of the tax-code mappings: written only while an approved change request is applied; history is append-only."""

from django.db import migrations

from mdm.models import guards

TABLES = ("taxcodemapping", "taxcodemappingcondition")


class Migration(migrations.Migration):
    dependencies = [("dimensions", "0004_tax_code_mappings")]
    operations = [
        *(guards.golden(f"dimensions_{table}") for table in TABLES),
        *(guards.golden(f"dimensions_historical{table}") for table in TABLES),
        *(guards.append_only(f"dimensions_historical{table}") for table in TABLES),
    ]
