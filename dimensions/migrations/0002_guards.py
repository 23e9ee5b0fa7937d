"""Walls of the golden tables: written only while an approved change request is applied; history is append-only; and no node
of a hierarchy stands under itself."""

from django.db import migrations

from mdm.models import guards

DATED = ("profitcenter", "costcenter", "glaccount", "taxcode", "project", "hierarchynode", "dimensionvalue")
PLAIN = (
    "legalentity", "paymentterm", "chartofaccounts", "glmapping", "glmappingcondition", "taxcodemapping",
    "taxcodemappingcondition", "codingrule", "codingrulecondition", "hierarchy", "dimension",
)  # fmt: skip
TABLES = (*PLAIN, *DATED, *(f"{table}period" for table in DATED))
DERIVED = ("hierarchyplace",)

# A node stands under no node that stands under it, on any day. Asked at the end of the transaction, of what is stored
# then; nobody else writes to the same hierarchy meanwhile.
NO_CIRCLE = """
CREATE FUNCTION dimensions_no_circle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE now dimensions_hierarchynodeperiod; tree text; own text;
BEGIN
  SELECT * INTO now FROM dimensions_hierarchynodeperiod WHERE id = NEW.id;
  IF now.parent IS NULL THEN RETURN NULL; END IF;
  SELECT hierarchy, node INTO tree, own FROM dimensions_hierarchynode WHERE id = now.record_id;
  PERFORM pg_advisory_xact_lock(7030, hashtext(tree));
  IF EXISTS (
    WITH RECURSIVE up(code, held) AS (
      SELECT now.parent::text, daterange(now.valid_from, now.valid_to)
      UNION
      SELECT period.parent::text, up.held * daterange(period.valid_from, period.valid_to)
      FROM up
      JOIN dimensions_hierarchynode node ON node.hierarchy = tree AND node.node = up.code
      JOIN dimensions_hierarchynodeperiod period ON period.record_id = node.id AND period.parent IS NOT NULL
        AND daterange(period.valid_from, period.valid_to) && up.held
      WHERE up.code <> own
    )
    SELECT FROM up WHERE code = own
  ) THEN
    RAISE EXCEPTION 'node % of hierarchy % would stand under itself', own, tree USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER dimensions_no_circle AFTER INSERT OR UPDATE ON dimensions_hierarchynodeperiod
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.parent IS NOT NULL) EXECUTE FUNCTION dimensions_no_circle();
"""

class Migration(migrations.Migration):
    dependencies = [("dimensions", "0001_initial"), ("mdm", "0002_guards")]
    operations = [
        *(guards.golden(f"dimensions_{table}") for table in (*TABLES, *DERIVED)),
        *(guards.golden(f"dimensions_historical{table}") for table in TABLES),
        *(guards.append_only(f"dimensions_historical{table}") for table in TABLES),
        migrations.RunSQL(
            NO_CIRCLE,
            "DROP TRIGGER dimensions_no_circle ON dimensions_hierarchynodeperiod; DROP FUNCTION dimensions_no_circle();",
        ),
    ]
