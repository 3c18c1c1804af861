"""Apart from the table: Django makes foreign keys at the end of a migration."""

from django.db import migrations

from one_project.common.row_security import OnDelete, RowSecurity


class Migration(migrations.Migration):

    dependencies = [('agents_app', '0009_citations')]

    operations = [
        OnDelete('agents_app_citation'),
        OnDelete('agents_app_citation', 'document_id'),
        OnDelete('agents_app_citation', 'version_id'),
        OnDelete('agents_app_citation', 'chunk_id', 'SET NULL'),
        RowSecurity('agents_app_citation'),
    ]
