"""What exists from the start, without demo data too: the roles, and the policy by which values follow their sources."""

from django.db import migrations

from mdm.permissions import ROLES

# Approval without a person always has a row that says so.
SOURCES = "Values that follow their sources"


def make(apps, schema_editor):
    alias = schema_editor.connection.alias
    groups = apps.get_model("auth", "Group").objects.using(alias)
    for name in ROLES:
        groups.get_or_create(name=name)
    policies = apps.get_model("mdm", "ApprovalPolicy").objects.using(alias)
    policies.get_or_create(name=SOURCES, defaults={"origins": ["survivorship"], "auto_approve": True})


class Migration(migrations.Migration):
    dependencies = [("mdm", "0002_guards"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
