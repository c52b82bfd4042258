import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubepane.cluster import log_file
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.journal import Line

AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_lines_are_added_private_and_without_secrets(tmp_path: Path) -> None:
    file = tmp_path / "log"
    write = log_file.to(str(file))
    write(Line(AT, "pods", "cut\nAuthorization: Bearer canary-5310-token"))
    write(Line(AT, "pods", "live"))
    first, second = file.read_text().splitlines()
    assert "canary" not in first
    assert second == "2026-06-01T12:00:00Z pods live"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_is_not_followed_and_a_missing_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("link", "no/such/folder"):
        with pytest.raises(BadConfig, match="cannot write the log file"):
            log_file.to(str(tmp_path / name))


def test_it_ends_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "MOST", 100)
    file = tmp_path / "log"
    write = log_file.to(str(file))
    for _ in range(50):
        write(Line(AT, "pods", "x" * 20))
    assert file.stat().st_size <= 100
