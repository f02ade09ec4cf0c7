"""Runs what `flashsale bench` was asked for, and writes what came of it."""

import sys
from dataclasses import dataclass
from pathlib import Path

import click

from local.bench.calibrate import calibrate
from local.bench.crowd import GeneratorError
from local.bench.options import Options
from local.bench.page import page
from local.bench.report import NOT_RUN, Report
from local.bench.run import Runner
from local.bench.scenario import Scenario
from local.bench.service import ServiceError
from local.bench.text import summary
from local.bench.threshold import Threshold

STDOUT = "-"
INTERRUPTED = 130


class NotRunError(click.ClickException):
    """The run could not be made: one sentence, exit status 2."""

    exit_code = NOT_RUN


@dataclass(frozen=True)
class Outputs:
    """Files to write; None for none, "-" for standard output instead of the summary."""

    json_file: str | None
    report_file: str | None


def calibrated(*, users: int, processes: int) -> None:
    """Prints what the generator itself costs. Raises NotRunError."""
    try:
        click.echo(calibrate(users=users, processes=processes))
    except GeneratorError as error:
        raise NotRunError(str(error)) from error


def executed(options: Options, thresholds: list[Threshold], outputs: Outputs) -> int:
    """The exit status of a run that could be made. Raises NotRunError if it could not."""
    for file in (outputs.json_file, outputs.report_file):
        if file and file != STDOUT and not Path(file).absolute().parent.is_dir():
            raise NotRunError(f"{file}: there is no such folder")  # before the run, not after it
    try:
        report = measured(options, thresholds)
    except (GeneratorError, ServiceError) as error:
        raise NotRunError(str(error)) from error
    except KeyboardInterrupt:
        return INTERRUPTED
    try:
        _write(report, outputs)
    except OSError as error:
        raise NotRunError(f"the report can't be written: {error}") from error
    return report.exit_status


def measured(options: Options, thresholds: list[Threshold]) -> Report:
    """What came of a run. Raises GeneratorError or ServiceError if it could not be made."""
    run = Runner(options, _say).run()
    return Report.of(run, thresholds, own=_own(options.scenario, thresholds))


def _own(scenario: Scenario, wanted: list[Threshold]) -> list[Threshold]:
    """The scenario's thresholds, but for metrics that the user set one for."""
    named = {threshold.metric for threshold in wanted}
    own = (Threshold.parse(text) for text in scenario.thresholds)
    return [threshold for threshold in own if threshold.metric not in named]


def _write(report: Report, outputs: Outputs) -> None:
    click.echo(report.as_json() if outputs.json_file == STDOUT else summary(report))
    sys.stdout.flush()
    if outputs.json_file and outputs.json_file != STDOUT:
        Path(outputs.json_file).write_text(report.as_json() + "\n", encoding="utf-8")
    if outputs.report_file:
        Path(outputs.report_file).write_text(page(report), encoding="utf-8")
        click.echo(f"\nReport: {outputs.report_file}", err=True)


def _say(line: str) -> None:
    click.echo(line, err=True)
