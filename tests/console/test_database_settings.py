"""What a DATABASE_URL becomes."""

from django.db import connection

from console.environment import postgres

URL = "postgresql://olga@db/slipway"


def test_queries_are_not_compiled(db):
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("off",)


def test_options_of_the_url_come_first():
    found = postgres(f"{URL}?options=-c%20jit%3Don&sslmode=require", {"pool": True})
    assert found["OPTIONS"] == {"options": "-c jit=on", "sslmode": "require", "pool": True}


def test_a_socket_folder_is_the_host():
    found = postgres("postgresql:///slipway?host=/run/postgres", {})
    assert (found["HOST"], found["NAME"], found["PORT"]) == ("/run/postgres", "slipway", "")
