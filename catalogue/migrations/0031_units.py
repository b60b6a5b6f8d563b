from django.db import migrations

# A sum of whole numbers whose state is the number itself: half the memory of `sum`, which counts beyond 64 bits. An
# overflow is an error. The sum is not combined, so no plan adds up in parts.
AGGREGATE = """
CREATE AGGREGATE catalogue_units(bigint) (SFUNC = int8pl, STYPE = bigint, PARALLEL = SAFE);
"""


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0030_asked_scopes")]

    operations = [migrations.RunSQL(AGGREGATE, "DROP AGGREGATE catalogue_units(bigint)")]
