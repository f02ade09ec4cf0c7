"""The load generator and its report, behind `flashsale bench`: see docs/BENCH.md."""
