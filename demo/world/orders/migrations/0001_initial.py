from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("number", models.CharField(max_length=20)),
                ("customer", models.CharField(max_length=80)),
                ("total_cents", models.BigIntegerField()),
                ("state", models.CharField(default="new", max_length=12)),
                ("legacy_ref", models.CharField(max_length=40, null=True)),
                ("created_at", models.DateTimeField()),
            ],
        ),
    ]
