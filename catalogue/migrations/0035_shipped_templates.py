"""The templates that ship with dsrhub. People may change them: a later release adds only those that are new."""

from django.db import migrations

from catalogue.report_templates.shipped import shipped_documents


def add_shipped_templates(apps, schema_editor):
    Template = apps.get_model("catalogue", "Template")
    TemplateVersion = apps.get_model("catalogue", "TemplateVersion")
    for document in shipped_documents():
        template, is_new = Template.objects.get_or_create(name=document["name"], defaults={"version_number": 1})
        if is_new:
            TemplateVersion.objects.create(template=template, number=1, definition=document["definition"])


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0034_templates")]

    operations = [migrations.RunPython(add_shipped_templates, migrations.RunPython.noop)]
