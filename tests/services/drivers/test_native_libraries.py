"""Libraries that a machine lacks come from a package that carries a copy."""

from pathlib import Path

import pytest

from services.drivers.base import DriverError
from services.drivers.native_libraries import (
    Library,
    keep_library,
    missing_libraries,
    native_folder,
)

LIBRARY = Library("libgomp.so.1", "carrier==1.0")


def test_only_what_the_machine_cannot_load_is_missing(tmp_path):
    (tmp_path / "libraries.txt").write_text("# why\nlibc.so.6 a==1\nlibnowhere.so.9  b==2\n")
    assert missing_libraries(tmp_path) == [Library("libnowhere.so.9", "b==2")]


def test_a_runtime_without_a_list_misses_nothing(tmp_path):
    assert missing_libraries(tmp_path) == []


def carry(requirement: str, folder: Path) -> None:
    (folder / "carrier.libs").mkdir(parents=True)
    (folder / "carrier.libs" / "libgomp-1a2b.so.1.0.0").write_text("the library")


def test_a_kept_library_is_found_by_the_name_that_programs_load(tmp_path):
    keep_library(LIBRARY, tmp_path, carry)
    folder = native_folder(tmp_path)
    assert folder is not None
    assert (folder / "libgomp.so.1").read_text() == "the library"


def test_a_package_without_the_library_is_refused_with_the_other_way(tmp_path):
    with pytest.raises(DriverError, match="package manager"):
        keep_library(LIBRARY, tmp_path, lambda what, where: where.mkdir(parents=True))


def test_an_environment_without_libraries_of_its_own_has_no_folder(tmp_path):
    assert native_folder(tmp_path) is None
