import django.db.models.deletion
from django.db import migrations, models

# It acts in the database, so that servers of the release before, which do not know the table, can delete DSRs.
CONSTRAINT = """
    ALTER TABLE catalogue_usetypetotal ADD CONSTRAINT use_type_total_dsr
        FOREIGN KEY (dsr_id) REFERENCES catalogue_dsr ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
"""
DROP_CONSTRAINT = "ALTER TABLE catalogue_usetypetotal DROP CONSTRAINT use_type_total_dsr"


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0020_use_type_blank_isrcs")]

    operations = [
        migrations.AlterField(
            model_name="usetypetotal",
            name="dsr",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="use_type_totals",
                to="catalogue.dsr",
            ),
        ),
        migrations.RunSQL(CONSTRAINT, DROP_CONSTRAINT),
    ]
