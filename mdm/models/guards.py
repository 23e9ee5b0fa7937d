"""The second wall, in SQL: triggers that hold even for somebody with a database shell. Used by migrations."""

from __future__ import annotations

from django.db import migrations

FUNCTIONS = """
CREATE FUNCTION mdm_is_maintenance(relation oid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT current_setting('mdm.maintenance', true) = 'on'
     AND pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = relation), 'MEMBER')
$$;

CREATE FUNCTION mdm_require_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE change text := current_setting('mdm.change_id', true);
BEGIN
  IF mdm_is_maintenance(TG_RELID) THEN RETURN NULL; END IF;
  IF change IS NULL OR change = '' OR NOT EXISTS (
    SELECT 1 FROM mdm_changerequest WHERE id = change::bigint AND state = 'approved'
  ) THEN
    RAISE EXCEPTION 'golden data in % is only written while an approved change request is applied', TG_TABLE_NAME
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION mdm_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF mdm_is_maintenance(TG_RELID) THEN RETURN COALESCE(NEW, OLD); END IF;
  IF TG_OP = 'UPDATE' AND to_jsonb(OLD) ? 'seq' AND (to_jsonb(OLD) ->> 'seq') IS NULL
     AND to_jsonb(OLD) - '{seq,previous,hash}'::text[] = to_jsonb(NEW) - '{seq,previous,hash}'::text[]
  THEN RETURN NEW; END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
"""

DROP_FUNCTIONS = """
DROP FUNCTION mdm_append_only(); DROP FUNCTION mdm_require_change(); DROP FUNCTION mdm_is_maintenance(oid);
"""


def functions() -> migrations.RunSQL:
    return migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS)


def golden(table: str) -> migrations.RunSQL:
    """Rows change only while an approved change request is applied in this transaction."""
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_change BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION mdm_require_change()",
        f"DROP TRIGGER {table}_change ON {table}",
    )


def append_only(table: str) -> migrations.RunSQL:
    """Rows are added and never changed; only the sealer's own columns may be filled once."""
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_append BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION mdm_append_only()",
        f"DROP TRIGGER {table}_append ON {table}",
    )


# A row says which transaction wrote it, so that whoever keeps rows in memory can ask what was committed since: numbers of
# transactions are given before the commit, and `key_watch` knows which were under way when it looked last.
STAMPED = """
CREATE FUNCTION mdm_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.changed := pg_current_xact_id()::text::bigint;
  RETURN NEW;
END $$;
"""


def stamped(table: str) -> migrations.RunSQL:
    """Rows carry the transaction that wrote them last; they are never deleted but by maintenance."""
    trigger = (
        f"CREATE TRIGGER {table}_stamp BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION mdm_stamp();"
    )
    return migrations.RunSQL(STAMPED + trigger, f"DROP TRIGGER {table}_stamp ON {table}; DROP FUNCTION mdm_stamp();")


# A version of the matching model is made as a draft and never rewritten; it moves only along these states, and whoever
# approved it stays on it. That the approver is not the author is a check constraint of the table.
MATCH_MODELS = """
CREATE FUNCTION mdm_match_model() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF mdm_is_maintenance(TG_RELID) THEN RETURN COALESCE(NEW, OLD); END IF;
  IF TG_OP = 'INSERT' AND NEW.state = 'draft' AND NEW.approved_by_id IS NULL THEN RETURN NEW; END IF;
  IF TG_OP = 'UPDATE'
     AND to_jsonb(OLD) - '{state,rehearsal,rehearsed_at,against_id,approved_by_id,approved_at,ended_at,comment}'::text[]
       = to_jsonb(NEW) - '{state,rehearsal,rehearsed_at,against_id,approved_by_id,approved_at,ended_at,comment}'::text[]
     AND (OLD.approved_by_id IS NULL OR OLD.approved_by_id = NEW.approved_by_id)
     AND (OLD.state = NEW.state OR (OLD.state, NEW.state) IN (
       ('draft', 'rehearsed'), ('rehearsed', 'draft'), ('rehearsed', 'active'), ('active', 'retired'),
       ('draft', 'rejected'), ('rehearsed', 'rejected')))
  THEN RETURN NEW; END IF;
  RAISE EXCEPTION 'a version of the matching model is never rewritten: make another one'
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER mdm_matchmodel_guard BEFORE INSERT OR UPDATE OR DELETE ON mdm_matchmodel
  FOR EACH ROW EXECUTE FUNCTION mdm_match_model();
"""


def match_models() -> migrations.RunSQL:
    return migrations.RunSQL(
        MATCH_MODELS, "DROP TRIGGER mdm_matchmodel_guard ON mdm_matchmodel; DROP FUNCTION mdm_match_model();"
    )
