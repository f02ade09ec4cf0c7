"""All looks at the machine, in the order in which one would mend it."""

from collections.abc import Callable, Iterable, Iterator

from local.doctor import install, machine, service
from local.doctor.finding import Finding, fail
from local.environment import data_folder, user_environment

Look = Callable[[], Finding | Iterable[Finding]]


def examine() -> Iterator[Finding]:
    """Look at everything; each finding as soon as it is made. Starts nothing, changes nothing."""
    user = user_environment()
    folder = data_folder(user)
    looks: tuple[Look, ...] = (
        install.python,
        install.packages,
        lambda: install.store_programs(user, folder),
        lambda: service.settings(user),
        service.env_file,
        lambda: service.data(folder),
        lambda: service.leftovers(folder),
        lambda: service.port(user, folder),
        lambda: service.other_servers(user),
        lambda: machine.disk(folder),
        machine.memory,
        lambda: machine.open_files(user),
        machine.clock,
        install.tools,
    )
    for look in looks:
        try:
            found = look()
            findings = [found] if isinstance(found, Finding) else list(found)
        except OSError as error:
            findings = [fail("machine", f"can't be looked at: {error}", "mend what it says first")]
        yield from findings
