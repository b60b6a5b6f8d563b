from django.db import migrations

# What a resource has in some of thousands of small DSRs is found without its lines in all the others.
ANEW = """
DROP INDEX usageline_shared_dsp_id;
CREATE INDEX usageline_shared_dsp_id ON catalogue_usageline_shared (hashtextextended(dsp_id, 0), dsr_id);
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0010_resource_indexes")]

    operations = [migrations.RunSQL(ANEW, migrations.RunSQL.noop)]
