"""The log file is kept small, read from its end, and can be followed while it is rotated."""

from pathlib import Path

import pytest

from local import logfile
from local.logfile import rotate, tail


@pytest.fixture(params=[7, 1 << 20])
def log(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log that doesn't exist yet; it is read in blocks shorter, and longer, than a line."""
    monkeypatch.setattr(logfile, "_BLOCK_BYTES", request.param)
    return tmp_path / "flashsale.jsonl"


def test_a_large_log_moves_aside_and_the_oldest_is_forgotten(tmp_path: Path) -> None:
    log = tmp_path / "flashsale.jsonl"
    for turn in range(6):
        log.write_text(f"{turn}\n" * 10)
        rotate(log, bytes_max=10)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [f"flashsale.jsonl.{number}" for number in (1, 2, 3)]
    assert [(tmp_path / name).read_text()[0] for name in kept] == ["5", "4", "3"]


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = tmp_path / "flashsale.jsonl"
    log.write_text("line\n")
    rotate(log, bytes_max=10)
    assert log.exists()


def test_the_last_lines_come_first(log: Path) -> None:
    log.write_text("".join(f"line {number}\n" for number in range(1_000)))
    assert list(tail(log, lines=2, follow=False)) == ["line 998", "line 999"]
    assert list(tail(log, lines=0, follow=False)) == []


def test_long_lines_and_umlauts_are_whole(log: Path) -> None:
    lines = ["x" * 5_000, "Lädchen für Käse", ""]
    log.write_text("\n".join(lines), encoding="utf-8")
    assert list(tail(log, lines=5, follow=False)) == lines[:2]


def test_what_was_rotated_away_is_looked_through_too(log: Path) -> None:
    for number in range(5):
        log.write_text(f"{number} a\n{number} b\n")
        if number < 4:
            rotate(log, bytes_max=1)
    assert list(tail(log, lines=4, follow=False)) == ["3 a", "3 b", "4 a", "4 b"]
    some = tail(log, lines=2, follow=False, wanted=lambda line: line.endswith("a"))
    assert list(some) == ["3 a", "4 a"]
    recent = tail(log, lines=None, follow=False, too_old=lambda line: line < "3")
    assert list(recent) == ["3 a", "3 b", "4 a", "4 b"]
    assert len(list(tail(log, lines=None, follow=False))) == 8  # the oldest two are forgotten


def test_a_line_that_is_being_written_comes_when_it_is_whole(log: Path) -> None:
    log.write_text("whole\nhal")
    assert list(tail(log, lines=5, follow=False)) == ["whole"]
    lines = tail(log, lines=5, follow=True)
    assert next(lines) == "whole"
    with log.open("a") as file:
        file.write("f\n")
    assert next(lines) == "half"


def test_following_goes_on_in_the_new_file_after_a_rotation(log: Path) -> None:
    log.write_text("old\n")
    lines = tail(log, lines=1, follow=True, wanted=lambda line: "skipped" not in line)
    assert next(lines) == "old"
    with log.open("a") as file:
        file.write("skipped\nbefore\n")
    assert next(lines) == "before"
    with log.open("a") as file:
        file.write("at the last moment\n")
    rotate(log, bytes_max=1)
    log.write_text("after\n")
    assert next(lines) == "at the last moment"
    assert next(lines) == "after"
