"""What platforms are known to say, and a first owner of exceptions; both are rows that governance changes."""

from django.db import migrations

HEALING = {"category": "self_healing", "tries": 6, "min_wait_s": 60, "max_wait_s": 900}
LOCKED = "Somebody works on the record at the platform. The hub tries again by itself; if it stays, ask who has it open."
# (name, match, pattern, what else)
RULES = (
    ("Object locked", "contains", "object locked", HEALING | {"hint": LOCKED}),
    ("Object is locked", "contains", "is locked", HEALING | {"hint": LOCKED}),
    ("Locked by a user", "like", "* locked by*", HEALING | {"hint": LOCKED}),
    ("Being processed", "like", "*currently being *ed by*", HEALING | {"hint": LOCKED}),
    ("Record changed meanwhile", "like", "*record has been changed*", HEALING | {"hint": LOCKED, "tries": 4}),
    ("Deadlock", "contains", "deadlock", HEALING | {"hint": "The platform's database was busy. The hub tries again by itself."}),
    ("Try again later", "contains", "try again later", HEALING | {"hint": "The platform was busy. The hub tries again by itself."}),
    ("Under maintenance", "contains", "under maintenance", {
        "category": "technical", "min_wait_s": 300, "max_wait_s": 3600,
        "hint": "The platform is being maintained: pause the target, or let the hub go on trying.",
    }),
    ("Number range used up", "like", "*number range*exhaust*", {
        "category": "technical", "min_wait_s": 600, "max_wait_s": 7200,
        "hint": "The platform has no number left for new records: its administrator extends the number range.",
    }),
    ("Right missing there", "like", "*not authorized*", {
        "category": "technical", "min_wait_s": 600, "max_wait_s": 7200,
        "hint": "The hub's user there lacks a right: the platform's administrator grants it.",
    }),
    ("No authorization there", "like", "*no authorization*", {
        "category": "technical", "min_wait_s": 600, "max_wait_s": 7200,
        "hint": "The hub's user there lacks a right: the platform's administrator grants it.",
    }),
    ("Key belongs to another record", "code", "linked_elsewhere", {
        "hint": "Two golden records claim one record of the platform. Merge them, or move the key to the right one.",
    }),
    ("Exists already", "contains", "already exist", {
        "hint": "The platform holds a record like this one. Look for it there, and import its key for this record.",
    }),
    ("Too long", "contains", "too long", {"hint": "Shorten the value of the field that is named, then propose the change."}),
    ("Longest length", "contains", "maximum length", {
        "hint": "Shorten the value of the field that is named, then propose the change.",
    }),
    ("Required there", "like", "*is required*", {
        "hint": "The platform needs a value here. Add it to the record, then propose the change.",
    }),
)


def ship(apps, schema_editor):
    alias = schema_editor.connection.alias
    rules = apps.get_model("sync", "OutcomeRule").objects.using(alias)
    for place, (name, match, pattern, more) in enumerate(RULES):
        rules.get_or_create(name=name, defaults={"position": 100 + 10 * place, "match": match, "pattern": pattern, **more})
    owners = apps.get_model("sync", "ExceptionOwner").objects.using(alias)
    owners.get_or_create(rule=None, legal_entity="", type="", defaults={"role": "steward", "sla_hours": 24})


class Migration(migrations.Migration):
    dependencies = [("sync", "0003_push_job_guards")]
    operations = [migrations.RunPython(ship, migrations.RunPython.noop)]
