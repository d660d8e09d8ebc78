import pytest
from django.core.exceptions import ImproperlyConfigured

from services.catalog.load import load_entries
from services.models import CatalogEntry

pytestmark = pytest.mark.django_db

ENTRY = """
[[entry]]
slug = "x"
name = "X"
family = "F"
publisher = "P"
task = "chat"
licence = "MIT"
source_kind = "path"
source = "/models/x"
runtime = "llm"
memory_mib = 512
"""


@pytest.fixture
def data_file(tmp_path):
    path = tmp_path / "entries.toml"
    path.write_text(ENTRY)
    return path


def test_the_shipped_file_loads_twice_to_the_same_rows():
    first = {entry.pk for entry in load_entries()}
    assert {entry.pk for entry in load_entries()} == first
    assert CatalogEntry.objects.filter(shipped=True, enabled=True).count() == len(first) >= 15


def test_three_entries_run_without_a_hub():
    load_entries()
    bundled = CatalogEntry.objects.filter(source_kind="bundled").values_list("runtime", flat=True)
    assert sorted(bundled) == ["embedding", "llm", "mlflow"]


def test_the_wine_models_signature_and_example_come_from_its_files():
    load_entries()
    signature = CatalogEntry.objects.get(slug="wine-cultivar").signature
    names = [column["name"] for column in signature["inputs"]]
    assert signature["example"]["dataframe_split"]["columns"] == names
    assert len(names) == 13


def test_what_an_administrator_switched_off_stays_off(data_file):
    load_entries(data_file)
    CatalogEntry.objects.update(enabled=False, name="old")
    load_entries(data_file)
    entry = CatalogEntry.objects.get(slug="x")
    assert (entry.enabled, entry.name) == (False, "X")


def test_an_administrators_own_entry_is_left_alone(data_file):
    load_entries(data_file)
    CatalogEntry.objects.update(shipped=False, name="Mine")
    load_entries(data_file)
    assert CatalogEntry.objects.get(slug="x").name == "Mine"


def test_an_entry_that_is_shipped_no_more_is_switched_off(data_file):
    load_entries(data_file)
    data_file.write_text(ENTRY.replace('"x"', '"y"'))
    load_entries(data_file)
    assert not CatalogEntry.objects.get(slug="x").enabled


@pytest.mark.parametrize(
    ("before", "after"),
    [('"llm"', '"tei"'), ("memory_mib", "memory"), ('"chat"', '"singing"')],
)
def test_a_wrong_data_file_is_refused_by_entry(data_file, before, after):
    data_file.write_text(ENTRY.replace(before, after))
    with pytest.raises(ImproperlyConfigured, match="x: "):
        load_entries(data_file)
    assert not CatalogEntry.objects.exists()
