"""Makes the bill: what one sale adds, and what stands by, an hour."""

from dataclasses import dataclass

from local.cost import prices
from local.cost.crowd import Crowd, Stage

_MILLION = 1_000_000
_GB = 1_000_000_000
_LINE_BYTES = 230  # of the log, a request: our line, and what CloudWatch adds to it
_PLATFORM_BYTES = 420  # START, END and REPORT
_ACCESS_BYTES = 380
_TRACED = 0.05  # Lambda's own sampling
_WARM_SECONDS = 15 * 60
_FUNCTIONS, _ALARMS, _METRICS, _SECRETS, _SCHEDULED_AN_HOUR = 15, 31, 60, 3, 128


@dataclass(frozen=True)
class Line:
    """One line of the bill: what, how much of it, USD."""

    what: str
    quantity: str
    usd: float


def of_sale(crowd: Crowd, stage: Stage) -> list[Line]:
    """What a sale adds to the bill, by what is asked."""
    lines = []
    if stage.edge:
        gb = _out_gb(crowd)
        lines += [
            _million("CloudFront, requests", crowd.requests, prices.EDGE_MILLION),
            _million("WAF, requests", crowd.requests, prices.WAF_MILLION),
            Line("CloudFront, data out", f"{gb:.1f} GB", gb * prices.EDGE_OUT_GB),
        ]
    else:
        gb = _out_gb(crowd)
        lines.append(Line("data out", f"{gb:.1f} GB", gb * prices.OUT_GB))
    lines.append(_million("API Gateway, requests", crowd.requests, prices.API_MILLION))
    lines.append(_million("Lambda, requests", crowd.requests, prices.INVOCATION_MILLION))
    for name, (count, request) in crowd.parts().items():
        each_ms = stage.milliseconds(request) + crowd.cold * stage.cold_ms
        seconds = count * each_ms / 1_000 * stage.memory_mb / 1_024
        quantity = f"{count:,} x {each_ms:.1f} ms"
        lines.append(Line(f"Lambda, {name}", quantity, seconds * prices.GB_SECOND))
    if stage.warm:
        seconds = stage.warm * _WARM_SECONDS * stage.memory_mb / 1_024
        quantity = f"{stage.warm} x {_WARM_SECONDS // 60} min"
        lines.append(Line("provisioned concurrency", quantity, seconds * prices.WARM_GB_SECOND))
    logged = crowd.requests * (_LINE_BYTES + _PLATFORM_BYTES + _ACCESS_BYTES) / _GB
    lines.append(Line("logs", f"{logged:.1f} GB", logged * prices.LOG_GB))
    lines.append(_million("traces", int(crowd.requests * _TRACED), prices.TRACE_MILLION))
    return lines


def hourly(stage: Stage) -> list[Line]:
    """What stands by, an hour, whether anybody comes or not."""
    zones = "two zones" if stage.zones > 1 else "one zone"
    vcpus = prices.VCPUS[stage.db_instance]
    storage = stage.storage_gb * prices.STORAGE_GB_MONTH * stage.zones
    watching = _ALARMS * prices.ALARM_MONTH + _METRICS * prices.METRIC_MONTH
    lines = [
        Line(
            f"Valkey, {stage.redis_node}",
            f"{stage.zones} nodes" if stage.zones > 1 else "1 node",
            prices.NODE_HOUR[stage.redis_node] * stage.zones,
        ),
        Line(
            f"PostgreSQL, {stage.db_instance}",
            zones,
            prices.INSTANCE_HOUR[stage.db_instance] * stage.zones,
        ),
        _monthly("PostgreSQL, storage", f"{stage.storage_gb} GB", storage),
        Line("RDS Proxy", f"{vcpus} vCPUs", vcpus * prices.PROXY_VCPU_HOUR),
        Line("endpoint of Secrets Manager", "2 zones", 2 * prices.ENDPOINT_ZONE_HOUR),
        _monthly("secrets", str(_SECRETS), _SECRETS * prices.SECRET_MONTH),
        _monthly("KMS key", "1", prices.KEY_MONTH),
        _monthly(
            "alarms, metrics, dashboard",
            f"{_ALARMS}, {_METRICS}, 1",
            watching + prices.DASHBOARD_MONTH,
        ),
        _million("schedules", _SCHEDULED_AN_HOUR, prices.SCHEDULE_MILLION),
    ]
    if stage.edge:
        lines.append(_monthly("WAF", "5 rules", prices.WAF_MONTH))
    return lines


def _out_gb(crowd: Crowd) -> float:
    return sum(count * request.bytes_out for count, request in crowd.parts().values()) / _GB


def _million(what: str, count: int, usd: float) -> Line:
    return Line(what, f"{count:,}", count / _MILLION * usd)


def _monthly(what: str, quantity: str, usd: float) -> Line:
    return Line(what, quantity, usd / prices.HOURS_IN_MONTH)
