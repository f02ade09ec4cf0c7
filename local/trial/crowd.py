"""The tests `load`, `benchmark` and `resources`: crowds of `flashsale bench`, which buy what is
left."""

from dataclasses import dataclass

from local.bench.crowd import GeneratorError
from local.bench.execute import measured
from local.bench.options import Options
from local.bench.report import Report
from local.bench.scenario import SCENARIOS
from local.bench.service import ServiceError
from local.bench.text import threshold_line
from local.trial.trial import Trial

PROCESSES = 1
GIVE_UP_SECONDS = 10.0


@dataclass(frozen=True)
class Crowd:
    """How many users at once; for how long they come, `load` alone, in seconds."""

    users: int
    seconds: float


def crowd(trial: Trial, test: str, size: Crowd) -> Report | None:
    """Send the crowd and note what it found. None if it could not be sent."""
    scenario = SCENARIOS[test]
    options = Options(
        scenario=scenario,
        address=trial.site.address,
        seconds=scenario.seconds if scenario.sells_all else size.seconds,
        users=size.users,
        connections=size.users,
        processes=PROCESSES,
        rate=None,
        times=1.0,
        give_up_seconds=GIVE_UP_SECONDS,
        wait=True,
    )
    try:
        report = measured(options, [])
    except (ServiceError, GeneratorError) as error:
        trial.note(test, "the crowd is sent", str(error), 0.0)
        return None
    for threshold in report.thresholds:
        fault = threshold_line(threshold) if threshold.fails else ""
        trial.note(test, threshold.text, fault, report.seconds)
    problems = "; ".join(report.problems)
    trial.note(test, "nobody got what nobody should get", problems, report.seconds)
    return report
