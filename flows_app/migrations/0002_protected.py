"""What the database itself refuses: changing the log, published steps, and illegal transitions."""

from django.db import migrations

LOG = """
CREATE FUNCTION flows_app_log_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the log of progress is only added to' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER flows_app_log_is_kept BEFORE UPDATE OR DELETE ON flows_app_flowprogress
FOR EACH ROW EXECUTE FUNCTION flows_app_log_is_kept();
"""
LOG_BACK = """
DROP TRIGGER flows_app_log_is_kept ON flows_app_flowprogress;
DROP FUNCTION flows_app_log_is_kept();
"""

# An agent that is deleted leaves its place empty; a revision nobody has can be deleted.
STEPS = """
CREATE FUNCTION flows_app_published_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE revision uuid := COALESCE(NEW.revision_id, OLD.revision_id);
BEGIN
  IF NOT EXISTS (SELECT 1 FROM flows_app_flowrevision r
                 WHERE r.id = revision AND r.published_at IS NOT NULL) THEN
    RETURN COALESCE(NEW, OLD);
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.agent_id IS NULL
     AND to_jsonb(NEW) - 'agent_id' = to_jsonb(OLD) - 'agent_id' THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' AND NOT EXISTS
     (SELECT 1 FROM flows_app_lessontarget t WHERE t.revision_id = revision) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'a published revision never changes' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER flows_app_published_is_kept BEFORE INSERT OR UPDATE OR DELETE ON flows_app_flowstep
FOR EACH ROW EXECUTE FUNCTION flows_app_published_is_kept();
"""
STEPS_BACK = """
DROP TRIGGER flows_app_published_is_kept ON flows_app_flowstep;
DROP FUNCTION flows_app_published_is_kept();
"""

# The same table as flows_app.runtime.transitions; a test compares them.
MOVES = """
CREATE FUNCTION flows_app_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
    ('Not Started', 'In Progress'), ('Not Started', 'Skipped'), ('Not Started', 'Blocked'),
    ('Not Started', 'Completed'), ('In Progress', 'Completed'), ('In Progress', 'Blocked'),
    ('In Progress', 'Skipped'), ('Blocked', 'In Progress'), ('Blocked', 'Skipped'),
    ('Completed', 'In Progress'), ('Skipped', 'In Progress')
  ) THEN
    RAISE EXCEPTION 'a step cannot go from % to %', OLD.status, NEW.status
    USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER flows_app_moves BEFORE UPDATE OF status ON flows_app_stepstate
FOR EACH ROW EXECUTE FUNCTION flows_app_moves();
"""
MOVES_BACK = """
DROP TRIGGER flows_app_moves ON flows_app_stepstate;
DROP FUNCTION flows_app_moves();
"""


class Migration(migrations.Migration):
    dependencies = [("flows_app", "0001_initial")]

    operations = [
        migrations.RunSQL(LOG, LOG_BACK),
        migrations.RunSQL(STEPS, STEPS_BACK),
        migrations.RunSQL(MOVES, MOVES_BACK),
    ]
