from django.db import migrations

# What a resource has in some of thousands of small DSRs is found without its lines in all the others. `+ 0` is asked
# for only together with a dsp_id: of a plain dsr_id, the planner would rather take an index that begins with it, as it
# knows nothing yet of the lines of a new DSR, and read all of them for each dsp_id.
ANEW = """
DROP INDEX usageline_shared_dsp_id;
CREATE INDEX usageline_shared_dsp_id ON catalogue_usageline_shared (hashtextextended(dsp_id, 0), (dsr_id + 0));
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0010_resource_indexes")]

    operations = [migrations.RunSQL(ANEW, migrations.RunSQL.noop)]
