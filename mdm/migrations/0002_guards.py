"""Walls of the kernel's tables: functions, append-only logs, and four eyes as a foreign key."""

from django.db import migrations

from mdm.models import guards


class Migration(migrations.Migration):
    dependencies = [("mdm", "0001_initial")]
    operations = [
        guards.functions(),
        migrations.RunSQL("CREATE SEQUENCE mdm_code_seq START 100001", "DROP SEQUENCE mdm_code_seq"),
        guards.golden("mdm_recordversion"),
        guards.append_only("mdm_recordversion"),
        guards.append_only("mdm_event"),
        guards.append_only("mdm_auditentry"),
        guards.append_only("mdm_matchdecision"),
        guards.match_models(),
        guards.stamped("mdm_crosswalk"),
        migrations.RunSQL(
            "ALTER TABLE mdm_approval ADD CONSTRAINT approval_by_checker "
            "FOREIGN KEY (participant_id, side, request_id) REFERENCES mdm_participant (id, side, request_id)",
            "ALTER TABLE mdm_approval DROP CONSTRAINT approval_by_checker",
        ),
    ]
