from django.db import migrations


def keep_first_texts(apps, schema_editor):
    Prompt = apps.get_model("agents_app", "Prompt")
    PromptVersion = apps.get_model("agents_app", "PromptVersion")
    alias = schema_editor.connection.alias
    for prompt in Prompt.objects.using(alias):
        PromptVersion.objects.using(alias).create(
            prompt=prompt, number=1, text=prompt.text, created_by_id=prompt.created_by_id
        )


class Migration(migrations.Migration):
    dependencies = [("agents_app", "0002_agents_that_act")]

    operations = [migrations.RunPython(keep_first_texts, migrations.RunPython.noop)]
