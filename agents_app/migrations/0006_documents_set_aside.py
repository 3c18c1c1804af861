"""Documents become versions of files in collections; the texts there were wait in a table."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("agents_app", "0005_files")]

    operations = [
        migrations.RunSQL(
            "CREATE TABLE documents_set_aside AS SELECT id, organisation_id, title, text, "
            "is_shared, created_by_id, created_at FROM agents_app_document",
            "DROP TABLE documents_set_aside",
        ),
        migrations.DeleteModel("Document"),
    ]
