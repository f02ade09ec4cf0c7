"""`flashsale cost`: what a sale costs in AWS, line by line."""

import dataclasses
import json

import click


@click.command()
@click.option("--buyers", default=100_000, show_default=True, help="Who come to a sale.")
@click.option(
    "--requests", default=10_000_000, show_default=True, help="What they ask in it, all together."
)
@click.option("--purchases", default=50_000, show_default=True, help="Codes that are sent in.")
@click.option("--sold", default=10_000, show_default=True, help="Items sold.")
@click.option(
    "--stage",
    type=click.Choice(["dev", "staging", "prod"]),
    default="prod",
    show_default=True,
    help="What stands by, as samconfig.toml has it.",
)
@click.option("--edge", is_flag=True, help="With CloudFront and WAF.")
@click.option("--memory", default=512, show_default=True, help="Memory of a function, MB.")
@click.option("--redis-ms", default=0.8, show_default=True, help="A round trip to Redis, ms.")
@click.option("--commit-ms", default=5.0, show_default=True, help="A commit in PostgreSQL, ms.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def cost(
    buyers: int,
    requests: int,
    purchases: int,
    sold: int,
    stage: str,
    edge: bool,
    memory: int,
    redis_ms: float,
    commit_ms: float,
    as_json: bool,
) -> None:
    """Compute what a sale costs in AWS, line by line: docs/COST.md says how.

    \b
    flashsale cost --requests 1000000 --buyers 20000 --stage staging
    flashsale cost --json | jq .sale_usd
    """
    from local.cost import STAGES, Crowd, hourly, of_sale
    from local.errors import LocalError

    try:
        crowd = Crowd(buyers=buyers, requests=requests, purchases=purchases, sold=sold)
    except ValueError as error:
        raise LocalError(f"Such a crowd can't be: {error}") from None
    standing = dataclasses.replace(
        STAGES[stage], edge=edge, memory_mb=memory, redis_ms=redis_ms, commit_ms=commit_ms
    )
    sale, hour = of_sale(crowd, standing), hourly(standing)
    sale_usd, hour_usd = (sum(line.usd for line in lines) for lines in (sale, hour))
    if as_json:
        told = {
            "sale": [dataclasses.asdict(line) for line in sale],
            "hour": [dataclasses.asdict(line) for line in hour],
            "sale_usd": round(sale_usd, 2),
            "hour_usd": round(hour_usd, 4),
        }
        click.echo(json.dumps(told))
        return
    for title, lines, total in (
        (f"A sale: {requests:,} requests of {buyers:,} buyers", sale, sale_usd),
        (f"An hour of what stands by ({stage})", hour, hour_usd),
    ):
        click.echo()
        click.secho(f"  {title}", bold=True)
        for line in lines:
            click.echo(f"  {line.what:<30}{line.quantity:>26}{line.usd:>12.4f}")
        click.secho(f"  {'USD':<30}{'':>26}{total:>12.4f}", bold=True)
    click.echo()
