"""List prices of AWS in us-east-1, USD, without free tiers, savings plans or taxes; of 2025. Other
regions cost up to a third more. docs/COST.md says where each is to be found."""

API_MILLION = 1.00  # HTTP API, requests of 512 KB at most
INVOCATION_MILLION = 0.20
GB_SECOND = 0.000_013_333_4  # Lambda on arm64
WARM_GB_SECOND = 0.000_003_333_4  # provisioned concurrency that waits
LOG_GB = 0.50
TRACE_MILLION = 5.00
OUT_GB = 0.09
SCHEDULE_MILLION = 1.00

EDGE_MILLION = 1.00  # CloudFront, HTTPS
EDGE_OUT_GB = 0.085
WAF_MILLION = 0.60
WAF_MONTH = 5.0 + 5 * 1.0  # a web ACL and five rules

# An hour of a node or instance in one zone.
NODE_HOUR = {
    "cache.t4g.micro": 0.0128,
    "cache.t4g.small": 0.0256,
    "cache.m7g.large": 0.1264,
}
INSTANCE_HOUR = {"db.t4g.micro": 0.016, "db.t4g.medium": 0.065, "db.m7g.large": 0.168}
VCPUS = {"db.t4g.micro": 2, "db.t4g.medium": 2, "db.m7g.large": 2}
STORAGE_GB_MONTH = 0.115  # gp3, one zone
PROXY_VCPU_HOUR = 0.015
ENDPOINT_ZONE_HOUR = 0.01
SECRET_MONTH = 0.40
KEY_MONTH = 1.00
METRIC_MONTH = 0.30
ALARM_MONTH = 0.10
DASHBOARD_MONTH = 3.00

HOURS_IN_MONTH = 730
