"""Credentials among the options of a target are sealed; those stored in plain are sealed here."""

import json

from django.db import migrations, models

from mdm import crypto

NAMES = ["access_token", "api_key", "password", "private_key", "refresh_token"]


def seal(apps, schema_editor):
    targets = apps.get_model("sync", "Target").objects.using(schema_editor.connection.alias)
    for target in targets.filter(options__has_any_keys=NAMES):
        plain = {name: target.options.pop(name) for name in NAMES if name in target.options}
        target.sealed_options = crypto.seal_bytes(json.dumps(plain).encode())
        target.save(update_fields=["options", "sealed_options"])


class Migration(migrations.Migration):
    dependencies = [("sync", "0002_guards")]

    operations = [
        migrations.AddField("target", "sealed_options", models.BinaryField(editable=False, null=True)),
        migrations.AlterField(
            "target",
            "options",
            models.JSONField(
                blank=True,
                default=dict,
                help_text="Settings of the connector. Credentials such as refresh_token are sealed and not shown again; "
                "given as an empty text, one is forgotten.",
            ),
        ),
        migrations.RunPython(seal, migrations.RunPython.noop),
        migrations.AddConstraint(
            "target",
            models.CheckConstraint(
                condition=models.Q(("options__has_any_keys", NAMES), _negated=True), name="no_credential_in_options"
            ),
        ),
    ]
