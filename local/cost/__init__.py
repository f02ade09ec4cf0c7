"""What a sale costs in AWS: a model of its bill, line by line."""

from local.cost.bill import Line, hourly, of_sale
from local.cost.crowd import STAGES, Crowd, Stage

__all__ = ["STAGES", "Crowd", "Line", "Stage", "hourly", "of_sale"]
