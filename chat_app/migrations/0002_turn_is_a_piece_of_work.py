from django.db import migrations, models
import django.db.models.deletion


def make_work(apps, schema_editor):
    """Turns that wait or whose worker has gone get the piece of work that answers them."""
    Turn = apps.get_model("chat_app", "Turn")
    WorkItem = apps.get_model("workflows", "WorkItem")
    alias = schema_editor.connection.alias
    for turn in Turn.objects.using(alias).filter(status__in=["queued", "running"]):
        turn.work = WorkItem.objects.using(alias).create(
            organisation_id=turn.organisation_id,
            kind="action",
            name="answer_turn",
            function="chat_app.answer_turn",
            arguments={"turn_id": str(turn.pk)},
            pool="turns",
            status="ready",
            lease=3.0,
            retry={"attempts": 3, "initial": 0.5, "base": 2.0},
            on_complete="chat_app.turn_over",
            context={"turn": str(turn.pk)},
        )
        turn.save(update_fields=["work"])


class Migration(migrations.Migration):
    dependencies = [("chat_app", "0001_initial"), ("workflows", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="turn",
            name="work",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="turn",
                to="workflows.workitem",
            ),
        ),
        migrations.RemoveConstraint(model_name="turn", name="turn_running_has_lease"),
        migrations.RemoveIndex(model_name="turn", name="turn_ready"),
        migrations.RemoveIndex(model_name="turn", name="turn_leased"),
        migrations.RemoveField(model_name="turn", name="lapses"),
        migrations.RemoveField(model_name="turn", name="worker"),
        migrations.RemoveField(model_name="turn", name="lease_until"),
        # Last: Postgres alters no table that has rows of this transaction.
        migrations.RunPython(make_work, migrations.RunPython.noop, elidable=True),
    ]
