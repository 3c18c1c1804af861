from django.db import migrations


def keep_first_texts(apps, schema_editor):
    Prompt = apps.get_model("agents_app", "Prompt")
    PromptVersion = apps.get_model("agents_app", "PromptVersion")
    for prompt in Prompt.objects.all():
        PromptVersion.objects.create(
            prompt=prompt, number=1, text=prompt.text, created_by_id=prompt.created_by_id
        )


class Migration(migrations.Migration):
    dependencies = [("agents_app", "0002_agents_that_act")]

    operations = [migrations.RunPython(keep_first_texts, migrations.RunPython.noop)]
