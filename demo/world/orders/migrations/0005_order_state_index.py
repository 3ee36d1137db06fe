from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("shop", "0004_order_note")]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["state", "created_at"], name="order_state_day"),
        ),
    ]
