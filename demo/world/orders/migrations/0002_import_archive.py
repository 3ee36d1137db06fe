from django.db import migrations

ARCHIVE = """
INSERT INTO shop_order (number, customer, total_cents, state, legacy_ref, created_at)
SELECT 'A' || lpad(n::text, 6, '0'), 'customer ' || (n % 97), 100 + (n * 7919) % 90000,
       (ARRAY['new', 'paid', 'sent', 'done'])[1 + n % 4], 'old-' || n, now() - n * interval '1 hour'
FROM generate_series(1, 2000) AS n
"""


class Migration(migrations.Migration):

    dependencies = [("shop", "0001_initial")]

    operations = [migrations.RunSQL(ARCHIVE, migrations.RunSQL.noop)]
