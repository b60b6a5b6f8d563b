from django.db import migrations

# Compared byte by byte, and in one column, they are made in half the time.
ANEW = """
DROP INDEX catalogue_resource_title, catalogue_resource_isrc;
CREATE INDEX catalogue_resource_title ON catalogue_resource
    ((coalesce(lower(left(title, 100)), U&'\\+10FFFF') COLLATE "C"), id);
CREATE INDEX catalogue_resource_isrc ON catalogue_resource ((left(isrc, 15) COLLATE "C")) WHERE isrc IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0009_import_job_problems")]

    operations = [migrations.RunSQL(ANEW, migrations.RunSQL.noop)]
