"""Sign-in, its throttle, sign-out."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.people import PASSWORD

SIGN_IN = "/sign-in/"


def try_to_sign_in(address: str, password: str, name: str = "olga"):
    data = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post(SIGN_IN, data)


@pytest.fixture
def locked(owner):
    for _ in range(5):
        answer = try_to_sign_in("192.0.2.1", "wrong")
    return answer


def test_the_right_password_signs_in_and_leads_home(owner):
    client = Client()
    answer = client.post(SIGN_IN, {"username": "olga", "password": PASSWORD})
    assert answer.status_code == 302
    assert answer["Location"] == reverse("console:home")
    assert client.get("/profile/").status_code == 200


def test_sign_in_leads_to_the_page_that_was_asked_for(owner):
    client = Client()
    asked = client.get("/audit/?q=ms")
    answer = client.post(asked["Location"], {"username": "olga", "password": PASSWORD})
    assert answer["Location"] == "/audit/?q=ms"


def test_sign_in_leads_to_no_other_site(owner):
    data = {"username": "olga", "password": PASSWORD, "next": "https://evil.example/"}
    assert Client().post(SIGN_IN, data)["Location"] == reverse("console:home")


def test_a_wrong_password_is_told_without_saying_which_half_is_wrong(owner):
    known = try_to_sign_in("192.0.2.1", "wrong").content.decode()
    unknown = try_to_sign_in("192.0.2.1", "wrong", name="nobody").content.decode()
    message = "This user name and password do not match an account."
    assert message in known
    assert message in unknown


def test_a_closed_account_cannot_sign_in(owner):
    User.objects.update(is_active=False)
    assert try_to_sign_in("192.0.2.1", PASSWORD).status_code == 200


def test_the_fifth_failure_locks_and_says_for_how_many_minutes(locked):
    assert locked.status_code == 429
    assert "15 minutes" in locked.content.decode()
    assert locked["Retry-After"] == "900"


def test_the_right_password_does_not_open_a_locked_sign_in(locked):
    assert try_to_sign_in("192.0.2.1", PASSWORD).status_code == 429


def test_another_address_is_not_locked(locked):
    assert try_to_sign_in("192.0.2.2", PASSWORD).status_code == 302


def test_another_user_name_is_not_locked(locked, viewer):
    assert try_to_sign_in("192.0.2.1", PASSWORD, name="vera").status_code == 302


def test_a_success_forgets_the_failures_before_it(owner):
    for _ in range(2):
        for _ in range(4):
            try_to_sign_in("192.0.2.1", "wrong")
        assert try_to_sign_in("192.0.2.1", PASSWORD).status_code == 302


def test_sign_out_needs_a_post(client_for, owner):
    client = client_for(owner)
    assert client.get("/sign-out/").status_code == 405
    assert client.get("/profile/").status_code == 200


def test_sign_out_ends_the_session(client_for, owner):
    client = client_for(owner)
    assert client.post("/sign-out/").url == SIGN_IN
    assert client.get("/profile/").status_code == 302


def test_who_is_signed_in_is_led_home_from_sign_in(client_for, owner):
    assert client_for(owner).get(SIGN_IN).url == reverse("console:home")
