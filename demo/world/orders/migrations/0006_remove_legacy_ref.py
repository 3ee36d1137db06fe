from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [("shop", "0005_order_state_index")]

    operations = [
        migrations.RemoveField(
            model_name="order",
            name="legacy_ref",
        ),
    ]
