from django.db import models


class Order(models.Model):
    number = models.CharField(max_length=20)
    customer = models.CharField(max_length=80)
    total_cents = models.BigIntegerField()
    state = models.CharField(max_length=12, default="new")
    legacy_ref = models.CharField(max_length=40, null=True)
    currency = models.CharField(max_length=3, default="EUR")
    note = models.TextField(null=True)
    created_at = models.DateTimeField()
