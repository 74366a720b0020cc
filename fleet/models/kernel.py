"""What kernels said of damaged images."""

from django.db import models

from fleet.models.hosts import Host


class KernelLine(models.Model):
    """One line of a host's kernel log that tells of a damaged image or of crashes it did not print."""

    host = models.ForeignKey(Host, on_delete=models.CASCADE, related_name="kernel_lines")
    at = models.DateTimeField()
    received_at = models.DateTimeField(null=True, blank=True, help_text="When it was read; null: at once")
    kind = models.CharField(max_length=20)
    line = models.CharField(max_length=500)
    device = models.CharField(max_length=50, blank=True)

    class Meta:
        indexes = [models.Index(fields=["host", "-at"])]

    def __str__(self) -> str:
        return self.line
