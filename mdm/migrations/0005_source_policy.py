"""The policy that lets what the sources say come into force by itself: approval without a person always has a row that says so."""

from django.db import migrations

NAME = "Values that follow their sources"


def make(apps, schema_editor):
    policies = apps.get_model("mdm", "ApprovalPolicy").objects.using(schema_editor.connection.alias)
    policies.get_or_create(name=NAME, defaults={"origins": ["survivorship"], "auto_approve": True})


class Migration(migrations.Migration):
    dependencies = [("mdm", "0004_survivorship")]
    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
