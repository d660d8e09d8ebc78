"""Static files are collected again exactly when they have changed."""

import os

import pytest

from deploy.local.assets import Assets


@pytest.fixture
def sources(tmp_path):
    """Return a tree that has what assets are made of."""
    root = tmp_path / "code"
    (root / "static" / "css").mkdir(parents=True)
    (root / "console").mkdir()
    for name in ("static/css/page.css", "uv.lock", "console/static.py"):
        (root / name).write_text("one")
    return root


def test_nothing_is_collected_at_first(tmp_path):
    assert Assets(tmp_path).collected() == ""


def test_unchanged_files_are_not_collected_again(tmp_path, sources):
    assets = Assets(tmp_path)
    (tmp_path / "static").mkdir()
    assets.mark(assets.fingerprint(sources))
    assert assets.collected() == assets.fingerprint(sources)


@pytest.mark.parametrize("name", ["static/css/page.css", "uv.lock", "console/static.py"])
def test_a_changed_file_is_noticed(tmp_path, sources, name):
    before = Assets(tmp_path).fingerprint(sources)
    changed = sources / name
    changed.write_text("two")
    os.utime(changed, ns=(1, 1))
    assert Assets(tmp_path).fingerprint(sources) != before


def test_a_new_and_a_removed_file_are_noticed(tmp_path, sources):
    before = Assets(tmp_path).fingerprint(sources)
    added = sources / "static" / "new.js"
    added.write_text("")
    with_it = Assets(tmp_path).fingerprint(sources)
    added.unlink()
    assert before != with_it
    assert with_it != Assets(tmp_path).fingerprint(sources)
