"""The log file is kept small, and can be followed while that happens."""

from pathlib import Path

from local.logfile import rotate, tail


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


def test_the_last_lines_come_first(tmp_path: Path) -> None:
    log = tmp_path / "flashsale.jsonl"
    log.write_text("".join(f"line {number}\n" for number in range(1_000)))
    assert list(tail(log, lines=2, follow=False)) == ["line 998", "line 999"]
    assert list(tail(log, lines=0, follow=False)) == []


def test_following_goes_on_in_the_new_file_after_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "flashsale.jsonl"
    log.write_text("old\n")
    lines = tail(log, lines=1, follow=True)
    assert next(lines) == "old"
    with log.open("a") as file:
        file.write("before\n")
    assert next(lines) == "before"
    rotate(log, bytes_max=1)
    log.write_text("after\n")
    assert next(lines) == "after"
