"""Calls under way; and what the triggers of 0003 left open: emptying of whole tables, and payments
that were received."""

import django.db.models.deletion
from django.db import migrations, models

import one_project.common.ids

KEPT = ("usagerecord", "creditentry", "invoice", "invoiceline", "invoicefile", "payment")
NOT_EMPTIED = "\n".join(
    f"CREATE TRIGGER {name}_not_emptied BEFORE TRUNCATE ON billing_app_{name} "
    "FOR EACH STATEMENT EXECUTE FUNCTION billing_app_refuse();"
    for name in KEPT
)
EMPTIED = "\n".join(f"DROP TRIGGER {name}_not_emptied ON billing_app_{name};" for name in KEPT)

PAYMENTS = """
CREATE FUNCTION billing_app_payment_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE free text[] := ARRAY['url', 'meta', 'updated_at'];
BEGIN
    IF OLD.status = 'succeeded' AND (
        TG_OP = 'DELETE' OR to_jsonb(OLD) - free <> to_jsonb(NEW) - free
    ) THEN
        RAISE EXCEPTION 'a payment that was received does not change'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER payment_received BEFORE UPDATE OR DELETE ON billing_app_payment
    FOR EACH ROW EXECUTE FUNCTION billing_app_payment_guard();
"""
NO_PAYMENTS = """
DROP TRIGGER payment_received ON billing_app_payment;
DROP FUNCTION billing_app_payment_guard();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_agents_that_act"),
        ("billing_app", "0003_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="BegunCall",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=one_project.common.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("meta", models.JSONField(blank=True, default=dict)),
                ("use", models.JSONField()),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("seen_at", models.DateTimeField()),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.organisation",
                    ),
                ),
            ],
            options={
                "verbose_name": "call under way",
                "verbose_name_plural": "calls under way",
                "indexes": [models.Index(fields=["seen_at"], name="begun_call_seen")],
            },
        ),
        migrations.RunSQL(NOT_EMPTIED, EMPTIED),
        migrations.RunSQL(PAYMENTS, NO_PAYMENTS),
    ]
