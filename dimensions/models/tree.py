"""Tables of hierarchies: nodes with their periods, and the places made of them."""

from __future__ import annotations

from django.db import models

from mdm.models.record import DatedRecord, GoldenPeriod, GoldenRecord


class Hierarchy(GoldenRecord):
    """A tree over records of one type: what is summed up into what. Its nodes are records of their own."""

    name = models.CharField(max_length=200)
    members = models.CharField(max_length=40)
    within = models.CharField(max_length=40, blank=True, null=True)
    note = models.CharField(max_length=2000, blank=True, null=True)

    class Meta:
        verbose_name_plural = "hierarchies"


class HierarchyNodeValues(models.Model):
    parent = models.CharField(max_length=40, blank=True, null=True, db_index=True)
    name = models.CharField(max_length=200, blank=True, null=True)
    order = models.IntegerField(default=0)

    class Meta:
        abstract = True


class HierarchyNode(HierarchyNodeValues, DatedRecord):
    """A group of one hierarchy, or a member in it; `node` is the group's code, or the member's. `parent` is that of today."""

    hierarchy = models.CharField(max_length=40)
    node = models.CharField(max_length=40)
    kind = models.CharField(max_length=6)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["hierarchy", "node"], name="one_node_per_code")]


class HierarchyNodePeriod(HierarchyNodeValues, GoldenPeriod):
    record = models.ForeignKey(HierarchyNode, on_delete=models.PROTECT, related_name="periods")

    class Meta(GoldenPeriod.Meta):
        pass


class HierarchyPlace(models.Model):
    """Where a node stands from when to when: made of the periods of the node and of all above it, whenever one changes.

    `path`: the ids of the nodes from the top down to this one, each followed by a dot. On a day a node has one place,
    or none where something above it does not hold. `member`: it is no group, so that members are counted without the nodes.
    """

    hierarchy = models.CharField(max_length=40)
    record = models.ForeignKey(HierarchyNode, on_delete=models.DO_NOTHING, db_constraint=False, related_name="places")
    above = models.ForeignKey(
        HierarchyNode, on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="+"
    )
    valid_from = models.DateField(null=True)
    valid_to = models.DateField(null=True)
    member = models.BooleanField()
    depth = models.PositiveSmallIntegerField()
    path = models.TextField(db_collation="C")

    class Meta:
        indexes = [
            models.Index(fields=["hierarchy", "path"], name="place_by_path"),
            models.Index(fields=["hierarchy", "above"], name="place_by_above"),
        ]

    def __str__(self) -> str:
        return self.path
