"""What changed between the form and the click: everything is checked again."""

import re
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection

from accounts.errors import InvalidInput, LimitReached
from services import operations
from services.models import Instance, Limit, Service
from tests import people
from tests.factories import deploy_service, make_place

RESOURCES = "/deploy/tiny-chat/resources/"
REVIEW = "/deploy/tiny-chat/review/"


def answers(place, name="late", **fields):
    return {
        "name": name,
        "version_name": "v1",
        "group": place.group.pk,
        "specification": "cpu.1",
        "instances": "1",
        "health_path": "/health",
        "response_timeout": "60",
        "grace_period": "20",
        "auth_enabled": "on",
        **fields,
    }


@pytest.mark.django_db
def test_capacity_taken_meanwhile_sends_back_to_the_field_with_nothing_lost(
    workspace, client_for, member, actor
):
    place, browser = make_place(workspace), client_for(member)
    browser.post(RESOURCES, answers(place, instances="5"))
    place.group.cu_limit = Decimal(4)
    place.group.save()
    assert browser.post(REVIEW).headers["Location"] == RESOURCES
    form = browser.get(RESOURCES).context["form"]
    assert "has 4 of 4 CU left" in str(form.errors["instances"])
    assert form["name"].value() == "late"
    assert not Service.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("code", "field"),
    [(Limit.Code.SERVICES_PER_GROUP, "group"), (Limit.Code.SERVICES_PER_WORKSPACE, "__all__")],
)
def test_a_limit_reached_meanwhile_is_told_where_it_can_be_acted_on(
    workspace, client_for, member, actor, code, field
):
    place, browser = make_place(workspace), client_for(member)
    browser.post(RESOURCES, answers(place))
    deploy_service(actor, place, "first")
    Limit.objects.create(code=code, value=1)
    browser.post(REVIEW)
    errors = browser.get(RESOURCES).context["form"].errors
    assert "the limit is 1" in str(errors[field])
    assert Service.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("limit", "names"), [(1, ("left", "right")), (100, ("same", "same"))], ids=["cu", "name"]
)
def test_of_two_clicks_at_once_one_wins_and_the_other_is_told(workspace, member, limit, names):
    place = make_place(workspace)
    place.group.cu_limit = Decimal(limit)
    place.group.save()
    browsers = [people.client_of(member) for _ in names]
    for browser, name in zip(browsers, names, strict=True):
        browser.post(RESOURCES, answers(place, name))
    codes: list[int] = []
    barrier = Barrier(len(names))

    def click(browser):
        barrier.wait()
        codes.append(browser.post(REVIEW).status_code)
        connection.close()

    threads = [Thread(target=click, args=[browser]) for browser in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Service.objects.count() == 1
    assert Instance.objects.count() == 1
    # The loser is refused by the operation, or by the form's check when it came a moment later.
    assert codes.count(302) >= 1
    assert set(codes) <= {302, 400, 409}


@pytest.mark.django_db
def test_a_refusal_by_the_operation_keeps_the_review_and_links_to_the_field(
    workspace, client_for, member, monkeypatch
):
    place, browser = make_place(workspace), client_for(member)
    browser.post(RESOURCES, answers(place))
    for error, status in (
        (LimitReached("Not enough CU.", code="capacity"), 409),
        (InvalidInput({"name": "It is taken."}), 400),
    ):

        def refuse(*_args, error=error, **_options):
            raise error

        monkeypatch.setattr(operations, "deploy", refuse)
        answer = browser.post(REVIEW)
        page = answer.content.decode()
        assert answer.status_code == status
        assert error.message in page
        assert f'href="{RESOURCES}#id_' in page
    assert browser.get(RESOURCES).context["form"]["name"].value() == "late"


HOSTILE = [
    "a" * 100_000,
    "<script>alert(1)</script>",
    "'; DROP TABLE services_service; --",
    "\u202eevil",
    "𝒩𝒶𝓂𝑒",
    "-1",
    "1e309",
    "NaN",
    "99999999999999999999999",
    "../../etc/passwd",
    "{{ settings.SECRET_KEY }}",
    "%00",
    "\r\nSet-Cookie: a=b",
]


FIELDS = ("name", "group", "specification", "instances", "environment", "health_path")
CASES = [
    (field, value)
    for field in FIELDS
    for value in HOSTILE
    if not (field == "name" and re.fullmatch(r"[\w-]{1,64}", value, re.ASCII))
]


@pytest.mark.django_db
@pytest.mark.parametrize(("field", "value"), CASES)
def test_hostile_values_make_nothing_and_break_nothing(workspace, client_for, member, field, value):
    place, browser = make_place(workspace), client_for(member)
    data = answers(place, **{field: value})
    assert browser.post(f"{RESOURCES}preview/", data).status_code == 200
    assert browser.post(RESOURCES, data).headers["Location"] == RESOURCES
    page = browser.get(RESOURCES)
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()
    assert browser.post(REVIEW).headers["Location"] == RESOURCES
    assert not Service.objects.exists()


@pytest.mark.django_db
def test_characters_that_cannot_be_stored_are_refused_before_anything_is_kept(
    workspace, client_for, member
):
    place, browser = make_place(workspace), client_for(member)
    data = answers(place, name="a\0b")
    assert browser.post(f"{RESOURCES}preview/", data).status_code == 400
    assert browser.post(RESOURCES, data).status_code == 400
    assert browser.get(RESOURCES).context["form"]["name"].value() is None
    assert not Service.objects.exists()
