"""Apart from the tables: Django makes foreign keys at the end of a migration."""

from django.db import migrations

from one_project.common.row_security import OnDelete, RowSecurity


class Migration(migrations.Migration):

    dependencies = [('agents_app', '0007_knowledge')]

    operations = [
        *[
            OnDelete(f'agents_app_{table}')
            for table in ('storedfile', 'collection', 'document', 'documentversion', 'documentpage', 'chunk')
        ],
        OnDelete('agents_app_document', 'collection_id'),
        OnDelete('agents_app_document', 'current_id', 'SET NULL'),
        OnDelete('agents_app_document', 'created_by_id', 'SET NULL'),
        OnDelete('agents_app_documentversion', 'document_id'),
        OnDelete('agents_app_documentversion', 'work_id', 'SET NULL'),
        OnDelete('agents_app_documentversion', 'created_by_id', 'SET NULL'),
        OnDelete('agents_app_documentpage', 'version_id'),
        OnDelete('agents_app_chunk', 'document_id'),
        OnDelete('agents_app_chunk', 'version_id'),
        OnDelete('agents_app_collection', 'created_by_id', 'SET NULL'),
        OnDelete('agents_app_collection', 'personal_of_id', 'SET NULL'),
        OnDelete('agents_app_agent_collections', 'collection_id'),
        *[
            RowSecurity(f'agents_app_{table}')
            for table in ('collection', 'document', 'documentversion', 'documentpage', 'chunk', 'chunkembedding')
        ],
    ]
