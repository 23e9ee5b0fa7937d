"""Walls of the ledger: deliveries only move as the table of states says and are never deleted; attempts are append-only."""

from django.db import migrations

from mdm.models import guards

MOVES = """
    ('pending', 'cancelled'),
    ('pending', 'held'),
    ('pending', 'in_flight'),
    ('pending', 'superseded'),
    ('in_flight', 'cancelled'),
    ('in_flight', 'failed'),
    ('in_flight', 'held'),
    ('in_flight', 'pending'),
    ('in_flight', 'poison'),
    ('in_flight', 'posted'),
    ('in_flight', 'rejected'),
    ('in_flight', 'retrying'),
    ('in_flight', 'superseded'),
    ('in_flight', 'unknown'),
    ('unknown', 'cancelled'),
    ('unknown', 'failed'),
    ('unknown', 'in_flight'),
    ('unknown', 'pending'),
    ('unknown', 'poison'),
    ('unknown', 'posted'),
    ('unknown', 'rejected'),
    ('unknown', 'retrying'),
    ('retrying', 'cancelled'),
    ('retrying', 'failed'),
    ('retrying', 'held'),
    ('retrying', 'in_flight'),
    ('retrying', 'superseded'),
    ('held', 'cancelled'),
    ('held', 'pending'),
    ('held', 'superseded'),
    ('rejected', 'cancelled'),
    ('failed', 'cancelled'),
    ('poison', 'cancelled')
"""  # a copy of sync.models.states.MOVES as of this migration; a test compares the two

STATE_GUARD = f"""
CREATE FUNCTION sync_guard_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF mdm_is_maintenance(TG_RELID) THEN RETURN COALESCE(NEW, OLD); END IF;
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'deliveries are kept for ever' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'pending' THEN
      RAISE EXCEPTION 'a delivery starts as pending, not as %', NEW.state USING ERRCODE = 'check_violation';
    END IF;
  ELSIF NEW.state <> OLD.state AND (OLD.state::text, NEW.state::text) NOT IN ({MOVES}) THEN
    RAISE EXCEPTION 'a delivery cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER sync_delivery_state BEFORE INSERT OR UPDATE OF state OR DELETE ON sync_delivery
FOR EACH ROW EXECUTE FUNCTION sync_guard_delivery();
"""
DROP_STATE_GUARD = "DROP TRIGGER sync_delivery_state ON sync_delivery; DROP FUNCTION sync_guard_delivery();"


class Migration(migrations.Migration):
    dependencies = [("sync", "0001_initial"), ("mdm", "0002_guards")]
    operations = [
        migrations.RunSQL(STATE_GUARD, DROP_STATE_GUARD),
        guards.append_only("sync_attempt"),
        guards.append_only("sync_attemptresult"),
        guards.append_only("sync_mappingversion"),
    ]
