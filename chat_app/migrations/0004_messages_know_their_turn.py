from django.db import migrations


class Migration(migrations.Migration):
    """Alone: rows that have been written cannot have their table changed in one transaction."""

    dependencies = [("chat_app", "0003_agents_that_act")]

    operations = [
        migrations.RunSQL(
            "UPDATE chat_app_message AS message SET turn_id = turn.id"
            " FROM chat_app_turn AS turn WHERE turn.message_id = message.id",
            migrations.RunSQL.noop,
        ),
    ]
