"""What the database itself sees to: no overlapping prices, usage that never changes, invoices that
do not change once finalised.

Prices are kept apart by ranges of text, which GiST compares without an extension.
"""

from django.db import migrations

PRICES = """
CREATE TYPE billing_app_textrange AS RANGE (subtype = text, collation = "C");
ALTER TABLE billing_app_modelprice ADD CONSTRAINT model_price_no_overlap EXCLUDE USING gist (
    billing_app_textrange(provider, provider, '[]') WITH &&,
    billing_app_textrange(model, model, '[]') WITH &&,
    billing_app_textrange(token_type, token_type, '[]') WITH &&,
    billing_app_textrange(service_tier, service_tier, '[]') WITH &&,
    int8range(context_from, context_from, '[]') WITH &&,
    tstzrange(valid_from, valid_to) WITH &&
);
"""

NO_PRICES = """
ALTER TABLE billing_app_modelprice DROP CONSTRAINT model_price_no_overlap;
DROP TYPE billing_app_textrange;
"""

USAGE = """
ALTER TABLE billing_app_usagerecord ADD CONSTRAINT usage_period_is_the_utc_month CHECK (
    billing_period = date_trunc('month', occurred_at AT TIME ZONE 'UTC')::date
);
CREATE INDEX usage_recorded ON billing_app_usagerecord USING brin (recorded_at);

CREATE FUNCTION billing_app_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION billing_app_usage_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE priced text[] := ARRAY['pricing', 'model', 'price', 'cost', 'price_input',
    'price_cached_input', 'price_cache_write', 'price_output'];
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.pricing = 'missing' AND NEW.pricing <> 'missing'
       AND to_jsonb(OLD) - priced = to_jsonb(NEW) - priced THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'raw usage is append only' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER usage_append_only BEFORE UPDATE OR DELETE ON billing_app_usagerecord
    FOR EACH ROW EXECUTE FUNCTION billing_app_usage_guard();
CREATE TRIGGER credits_append_only BEFORE UPDATE OR DELETE ON billing_app_creditentry
    FOR EACH ROW EXECUTE FUNCTION billing_app_refuse();
CREATE TRIGGER files_append_only BEFORE UPDATE OR DELETE ON billing_app_invoicefile
    FOR EACH ROW EXECUTE FUNCTION billing_app_refuse();
"""

NO_USAGE = """
DROP TRIGGER usage_append_only ON billing_app_usagerecord;
DROP TRIGGER credits_append_only ON billing_app_creditentry;
DROP TRIGGER files_append_only ON billing_app_invoicefile;
DROP FUNCTION billing_app_usage_guard();
DROP FUNCTION billing_app_refuse();
DROP INDEX usage_recorded;
ALTER TABLE billing_app_usagerecord DROP CONSTRAINT usage_period_is_the_utc_month;
"""

INVOICES = """
CREATE FUNCTION billing_app_invoice_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE free text[] := ARRAY['status', 'reason', 'paid_at', 'sent_at', 'voided_at',
    'replaced_by_id', 'meta', 'updated_at'];
BEGIN
    IF OLD.finalized_at IS NULL THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        IF NEW.finalized_at IS NULL AND NEW.status <> 'pending' THEN
            RAISE EXCEPTION 'a draft is pending' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' OR to_jsonb(OLD) - free <> to_jsonb(NEW) - free THEN
        RAISE EXCEPTION 'a finalised invoice does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status <> NEW.status AND NOT (
        (OLD.status = 'pending' AND NEW.status IN ('paid', 'failed', 'void'))
        OR (OLD.status = 'failed' AND NEW.status IN ('pending', 'paid', 'void'))
    ) THEN
        RAISE EXCEPTION 'an invoice does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.replaced_by_id IS NOT NULL AND NEW.replaced_by_id IS DISTINCT FROM OLD.replaced_by_id
    THEN
        RAISE EXCEPTION 'an invoice is made anew once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION billing_app_line_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE parent uuid := CASE WHEN TG_OP = 'DELETE' THEN OLD.invoice_id ELSE NEW.invoice_id END;
BEGIN
    IF EXISTS (SELECT FROM billing_app_invoice
               WHERE id = parent AND finalized_at IS NOT NULL)
       OR (TG_OP = 'UPDATE' AND EXISTS (SELECT FROM billing_app_invoice
               WHERE id = OLD.invoice_id AND finalized_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'a finalised invoice does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;

CREATE TRIGGER invoice_final BEFORE UPDATE OR DELETE ON billing_app_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_app_invoice_guard();
CREATE TRIGGER invoice_line_final BEFORE INSERT OR UPDATE OR DELETE ON billing_app_invoiceline
    FOR EACH ROW EXECUTE FUNCTION billing_app_line_guard();
"""

NO_INVOICES = """
DROP TRIGGER invoice_final ON billing_app_invoice;
DROP TRIGGER invoice_line_final ON billing_app_invoiceline;
DROP FUNCTION billing_app_invoice_guard();
DROP FUNCTION billing_app_line_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("billing_app", "0002_billing")]

    operations = [
        migrations.RunSQL(PRICES, NO_PRICES),
        migrations.RunSQL(USAGE, NO_USAGE),
        migrations.RunSQL(INVOICES, NO_INVOICES),
    ]
