"""Processes that serve, with a heartbeat: a second admitting worker without Redis is refused."""

from django.db import models

from gateway_project.clock import uuid7


class WorkerProcess(models.Model):
    """One worker process. `journal` names its journal folder, '' where it admits nothing."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    role = models.CharField(max_length=16)
    admits = models.BooleanField()
    shares_limits = models.BooleanField()  # through Redis
    journal = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "worker process"
        verbose_name_plural = "worker processes"
