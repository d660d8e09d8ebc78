"""The database itself refuses to change or delete an audit line, whoever asks."""

from django.db import migrations

# A deleted person or workspace empties the line's references; the names stay in the line.
GUARD = """
CREATE FUNCTION accounts_keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
        AND to_jsonb(NEW) - 'actor_id' - 'workspace_id'
            = to_jsonb(OLD) - 'actor_id' - 'workspace_id'
        AND (NEW.actor_id IS NULL OR NEW.actor_id IS NOT DISTINCT FROM OLD.actor_id)
        AND (NEW.workspace_id IS NULL OR NEW.workspace_id IS NOT DISTINCT FROM OLD.workspace_id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The audit trail only grows.' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION accounts_keep_audit();
"""
UNGUARD = """
DROP TRIGGER keep_audit ON accounts_auditentry;
DROP FUNCTION accounts_keep_audit();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunSQL(GUARD, UNGUARD)]
