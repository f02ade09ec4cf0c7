"""`flashsale reset`: begin with nothing."""

import click


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
def reset(yes: bool) -> None:
    """Remove all local data: sales, purchases, logs, keys.

    It asks first, and refuses while the service runs. PostgreSQL's data go, too, where root's lie
    outside the checkout. Servers named by REDIS_ADDR or DB_HOST are left alone.

    \b
    flashsale reset
    flashsale down && flashsale reset --yes && flashsale up -d
    DATA_DIR=/tmp/shop flashsale reset
    """
    from local.environment import data_folder, user_environment
    from local.reset import require_stopped
    from local.reset import reset as remove

    folder = data_folder(user_environment())
    require_stopped(folder)
    if not folder.exists():
        click.echo(f"There is nothing: {folder} doesn't exist")
        return
    if not yes:
        click.confirm(f"Remove all sales, purchases, logs and keys in {folder}?", abort=True)
    left = remove(folder)
    click.echo(f"Removed all data in {folder}")
    if left:
        click.echo(f"Left what isn't the service's: {', '.join(left)}")
