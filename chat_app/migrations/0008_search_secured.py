"""Apart from the tables: Django makes foreign keys at the end of a migration."""

from django.db import migrations

from one_project.common.row_security import OnDelete, RowSecurity


class Migration(migrations.Migration):

    dependencies = [('chat_app', '0007_search')]

    operations = [
        *[
            OnDelete('chat_app_searchentry', f'{column}_id')
            for column in ('organisation', 'thread', 'message', 'edit')
        ],
        RowSecurity('chat_app_searchentry'),
        RowSecurity('chat_app_entryembedding'),
    ]
