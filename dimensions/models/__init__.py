"""Tables of the dimensions, one module per concern."""

from dimensions.models.accounts import ChartOfAccounts, ChartUse, GLAccount, GLAccountPeriod, TaxCode, TaxCodePeriod
from dimensions.models.asked import AskedBatch, AskedCode, MappingFile, MappingGap
from dimensions.models.centers import (
    CostCenter,
    CostCenterPeriod,
    ProfitCenter,
    ProfitCenterPeriod,
    Project,
    ProjectPeriod,
)
from dimensions.models.coding import CodingRule, CodingRuleCondition
from dimensions.models.companies import LegalEntity, PaymentTerm
from dimensions.models.custom import Dimension, DimensionValue, DimensionValuePeriod
from dimensions.models.mapping import GLMapping, GLMappingCondition, TaxCodeMapping, TaxCodeMappingCondition
from dimensions.models.tree import Hierarchy, HierarchyNode, HierarchyNodePeriod, HierarchyPlace

__all__ = [
    "AskedBatch",
    "AskedCode",
    "ChartOfAccounts",
    "ChartUse",
    "CodingRule",
    "CodingRuleCondition",
    "CostCenter",
    "CostCenterPeriod",
    "Dimension",
    "DimensionValue",
    "DimensionValuePeriod",
    "GLAccount",
    "GLAccountPeriod",
    "GLMapping",
    "GLMappingCondition",
    "Hierarchy",
    "HierarchyNode",
    "HierarchyNodePeriod",
    "HierarchyPlace",
    "LegalEntity",
    "MappingFile",
    "MappingGap",
    "PaymentTerm",
    "ProfitCenter",
    "ProfitCenterPeriod",
    "Project",
    "ProjectPeriod",
    "TaxCode",
    "TaxCodeMapping",
    "TaxCodeMappingCondition",
    "TaxCodePeriod",
]
