import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import one_project.common.ids
from one_project.common.row_security import OnDelete, RowSecurity


class Migration(migrations.Migration):
    dependencies = [
        ('accounts', '0002_agents_that_act'),
        ('agents_app', '0004_documents'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='StoredFile',
            fields=[
                (
                    'id',
                    models.UUIDField(
                        default=one_project.common.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('meta', models.JSONField(blank=True, default=dict)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('sha256', models.CharField(max_length=64)),
                ('size', models.BigIntegerField()),
                ('filename', models.CharField(max_length=255)),
                ('media_type', models.CharField(max_length=120)),
                ('storage_name', models.CharField(max_length=200)),
                ('refcount', models.PositiveIntegerField(default=0)),
                ('touched_at', models.DateTimeField(default=django.utils.timezone.now)),
                (
                    'stored_by',
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.UUIDField(), blank=True, default=list, size=None
                    ),
                ),
                ('text', models.TextField(blank=True, null=True)),
                (
                    'created_by',
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name='stored_files',
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                'constraints': [
                    models.CheckConstraint(
                        condition=models.Q(('refcount__gte', 0), ('size__gte', 0)),
                        name='stored_file_not_negative',
                    )
                ]
            },
        ),
        migrations.AddField(
            model_name='storedfile',
            name='organisation',
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name='stored_files',
                to='accounts.organisation',
            ),
        ),
        migrations.AddIndex(
            model_name='storedfile',
            index=models.Index(
                condition=models.Q(('refcount', 0)),
                fields=['organisation', 'touched_at'],
                name='stored_file_unused',
            ),
        ),
        migrations.AddConstraint(
            model_name='storedfile',
            constraint=models.UniqueConstraint(
                fields=('organisation', 'sha256', 'filename', 'media_type'),
                name='stored_file_unique',
            ),
        ),
        OnDelete('agents_app_storedfile'),
        RowSecurity('agents_app_storedfile'),
    ]
