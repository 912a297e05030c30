"""The change log of policy rows, written by database triggers alone."""

from django.db import models


class PolicyVersion(models.Model):
    """One row (id 1), locked by each policy change until it commits, so versions commit in order."""

    id = models.SmallIntegerField(primary_key=True)
    version = models.BigIntegerField()

    class Meta:
        verbose_name = "policy version"


class PolicyChange(models.Model):
    """One changed row of a policy table, at a version."""

    id = models.BigAutoField(primary_key=True)
    version = models.BigIntegerField(db_index=True)
    table_name = models.CharField(max_length=64)
    row_key = models.CharField(max_length=64)

    class Meta:
        verbose_name = "policy change"
