"""What use costs: prices, and the ledger of CU that instances took."""

from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from services.models import Region, ResourceGroup


class CuPrice(models.Model):
    """The price of one CU for one hour in a kind of resource group, from a moment on."""

    kind = models.CharField(max_length=16, choices=ResourceGroup.Kind)
    region = models.ForeignKey(
        Region, models.CASCADE, null=True, blank=True, help_text="Empty: every region."
    )
    amount = models.DecimalField("price per CU and hour", max_digits=12, decimal_places=6)
    currency = models.CharField(max_length=3, default="USD")
    valid_from = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "-valid_from"]
        verbose_name = "CU price"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "region", "valid_from"],
                name="one_price_at_a_time",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="price_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.amount.normalize():f} {self.currency} per CU-hour"


class CuInterval(models.Model):
    """A span in which one instance took CU; opened and closed with the state change itself.

    Names are kept as text, so that the line outlives the service.
    """

    workspace_id = models.CharField(max_length=24, db_index=True)
    service_id = models.CharField(max_length=24)
    service_name = models.CharField(max_length=64)
    version_id = models.CharField(max_length=24)
    instance_id = models.CharField(max_length=24)
    group_id = models.CharField(max_length=24)
    group_kind = models.CharField(max_length=16, choices=ResourceGroup.Kind)
    region_code = models.CharField(max_length=32)
    cu = models.DecimalField("CU", max_digits=8, decimal_places=2)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-started_at"]
        verbose_name = "CU interval"
        indexes = [models.Index(fields=["service_id", "started_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["instance_id"],
                condition=Q(ended_at__isnull=True),
                name="one_open_interval_an_instance",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("started_at")),
                name="interval_ends_after_it_starts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_name}: {self.cu.normalize():f} CU from {self.started_at:%F %T}"

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: the ledger only grows."""
        raise TypeError("A CU interval cannot be deleted.")
