"""Our side of a value map's row is written as in every mapping, and a row may be the one that is read back."""

import re

from django.db import migrations, models

_SPECIAL = re.compile(r"[\\*?,]|\.\.")
_MEANS_SOMETHING = re.compile(r"[\\*?,]|\.(?=\.|\Z)|(?<=\.)\.|\A\.")


def keep_meaning(apps, schema_editor):
    """A row was one value, whatever characters it had; now some of them mean something."""
    rows = apps.get_model("sync", "ValueMapRow").objects.using(schema_editor.connection.alias)
    for row in rows.iterator():
        if _SPECIAL.search(row.ours):
            row.ours = _MEANS_SOMETHING.sub(lambda found: "\\" + found[0], row.ours)
            row.save(update_fields=["ours"])


class Migration(migrations.Migration):
    dependencies = [("sync", "0004_shipped_rules")]

    operations = [
        migrations.AddField("valuemaprow", "default", models.BooleanField("read back", default=False)),
        migrations.AlterField("valuemaprow", "ours", models.CharField(max_length=600)),
        migrations.RunPython(keep_meaning, migrations.RunPython.noop),
    ]
