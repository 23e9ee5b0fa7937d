"""Walls of push jobs: they move only as the table of states says, and what was approved is what is sent."""

from django.db import migrations

MOVES = """
    ('building', 'planning'),
    ('building', 'waiting'),
    ('building', 'queued'),
    ('building', 'done'),
    ('building', 'cancelled'),
    ('building', 'failed'),
    ('planning', 'waiting'),
    ('planning', 'done'),
    ('planning', 'cancelled'),
    ('planning', 'failed'),
    ('waiting', 'queued'),
    ('waiting', 'refused'),
    ('waiting', 'cancelled'),
    ('queued', 'checking'),
    ('queued', 'running'),
    ('queued', 'cancelled'),
    ('queued', 'failed'),
    ('checking', 'running'),
    ('checking', 'stale'),
    ('checking', 'paused'),
    ('checking', 'cancelled'),
    ('checking', 'failed'),
    ('running', 'paused'),
    ('running', 'done'),
    ('running', 'stale'),
    ('running', 'cancelled'),
    ('running', 'failed'),
    ('paused', 'queued'),
    ('paused', 'cancelled')
"""  # a copy of sync.models.job.MOVES as of this migration; a test compares the two

GUARDS = f"""
CREATE FUNCTION sync_guard_push_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF mdm_is_maintenance(TG_RELID) THEN RETURN COALESCE(NEW, OLD); END IF;
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'push jobs are kept' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'building' OR NEW.approved_by_id IS NOT NULL THEN
      RAISE EXCEPTION 'a push job starts by being built, approved by nobody' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.state <> OLD.state AND (OLD.state::text, NEW.state::text) NOT IN ({MOVES}) THEN
    RAISE EXCEPTION 'a push job cannot go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  IF (NEW.target_id, NEW.kind, NEW.scope, NEW.forced, NEW.requested_by_id)
       IS DISTINCT FROM (OLD.target_id, OLD.kind, OLD.scope, OLD.forced, OLD.requested_by_id)
     OR (OLD.needs_approval AND NOT NEW.needs_approval)
     OR (OLD.state NOT IN ('building', 'planning') AND
         (NEW.sends, NEW.total, NEW.content_hash, NEW.needs_approval)
         IS DISTINCT FROM (OLD.sends, OLD.total, OLD.content_hash, OLD.needs_approval))
     OR (OLD.approved_by_id IS NOT NULL AND NEW.approved_by_id IS DISTINCT FROM OLD.approved_by_id)
     OR (NEW.approved_by_id IS NOT NULL AND OLD.approved_by_id IS NULL AND OLD.state <> 'waiting')
  THEN
    RAISE EXCEPTION 'what was asked for and approved of a push job never changes: ask for another one'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER sync_push_job_guard BEFORE INSERT OR UPDATE OR DELETE ON sync_pushjob
FOR EACH ROW EXECUTE FUNCTION sync_guard_push_job();

CREATE FUNCTION sync_guard_push_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE job_state text;
BEGIN
  IF mdm_is_maintenance(TG_RELID) THEN RETURN COALESCE(NEW, OLD); END IF;
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'rows of push jobs are kept' USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT state INTO job_state FROM sync_pushjob WHERE id = NEW.job_id;
  IF TG_OP = 'INSERT' AND job_state <> 'building' THEN
    RAISE EXCEPTION 'rows are chosen while a push job is built' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF TG_OP = 'UPDATE' AND job_state NOT IN ('building', 'planning') AND
     to_jsonb(OLD) - '{{state,why,made_id,checked_at}}'::text[] <> to_jsonb(NEW) - '{{state,why,made_id,checked_at}}'::text[]
  THEN
    RAISE EXCEPTION 'a row of a push job that was shown never changes' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER sync_push_row_guard BEFORE INSERT OR UPDATE OR DELETE ON sync_pushrow
FOR EACH ROW EXECUTE FUNCTION sync_guard_push_row();
"""
DROP = """
DROP TRIGGER sync_push_row_guard ON sync_pushrow; DROP FUNCTION sync_guard_push_row();
DROP TRIGGER sync_push_job_guard ON sync_pushjob; DROP FUNCTION sync_guard_push_job();
"""


class Migration(migrations.Migration):
    dependencies = [("sync", "0002_guards")]
    operations = [migrations.RunSQL(GUARDS, DROP)]
