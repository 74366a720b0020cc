"""Stacks and their images."""

from django.db import models


class Stack(models.Model):
    """A named line of base images, such as cedar-14."""

    name = models.CharField(max_length=100, unique=True)

    def __str__(self) -> str:
        return self.name


class StackImage(models.Model):
    """One version of a stack, named by its digest."""

    stack = models.ForeignKey(Stack, on_delete=models.CASCADE, related_name="images")
    digest = models.CharField(max_length=100)
    version = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stack", "digest"], name="one_image_a_digest")]

    def __str__(self) -> str:
        return self.version or self.digest[:19]
