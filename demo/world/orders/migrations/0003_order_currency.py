from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("shop", "0002_import_archive")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="currency",
            field=models.CharField(default="EUR", max_length=3),
        ),
    ]
