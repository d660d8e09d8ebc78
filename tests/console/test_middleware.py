"""What every request gets: id, scope, time zone, refusals in the form that was asked for."""

import uuid
from datetime import UTC, datetime
from typing import cast

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry, Membership, Role, User
from console.middleware import viewer_zone
from console.requests import ShellRequest
from services.models import Region
from tests.people import make_person

JSON = {"Accept": "application/json"}
HTMX = {"HX-Request": "true"}
HTMX_ON_AUDIT = {**HTMX, "HX-Current-URL": "http://testserver/audit/?q=a"}


@pytest.fixture
def regions(db) -> list[Region]:
    kinds = Region.DriverKind
    rows = [Region(code=code, name=code, driver=kinds.PROCESS) for code in ("east", "west")]
    return Region.objects.bulk_create(rows)


class TestRequestId:
    def test_each_answer_carries_an_id_of_its_own(self, client, db):
        ids = {client.get("/health")["X-Request-ID"] for _ in range(2)}
        assert len(ids) == 2
        assert all(uuid.UUID(one) for one in ids)

    def test_the_audit_line_carries_the_id_of_its_request(self, client_for, viewer):
        answer = client_for(viewer).post("/profile/", {"first_name": "Vera"})
        assert AuditEntry.objects.get().request_id == answer["X-Request-ID"]

    def test_an_error_page_shows_the_id_of_its_request(self, client_for, viewer):
        answer = client_for(viewer).get("/no-such-page/")
        assert answer["X-Request-ID"] in answer.content.decode()


class TestSignedIn:
    def test_health_answers_anybody(self, client, db):
        assert client.get("/health").json() == {"status": "ok"}
        assert client.head("/health").status_code == 200
        assert client.post("/health").status_code == 405

    @pytest.mark.parametrize(
        "page", ["/", "/services/", "/models/", "/members/", "/audit/", "/admin/", "/scope/"]
    )
    def test_every_page_asks_a_stranger_to_sign_in(self, client, db, page):
        answer = client.get(page)
        assert answer.status_code == 302
        assert "/sign-in/" in answer.url or "/login/" in answer.url

    def test_a_program_is_told_in_json(self, client, db):
        answer = client.get("/services/", headers=JSON)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "not_signed_in"

    def test_the_api_tells_it_in_json_whatever_is_accepted(self, client, db):
        answer = client.get("/api/v1/services/", headers={"Accept": "*/*"})
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "not_authenticated"

    def test_htmx_leaves_the_page_and_comes_back_to_it(self, client, db):
        answer = client.get("/audit/", headers=HTMX_ON_AUDIT)
        assert answer.status_code == 401
        assert answer["HX-Redirect"] == "/sign-in/?next=%2Faudit%2F%3Fq%3Da"

    def test_where_htmx_says_it_is_never_leads_to_another_site(self, client, db):
        answer = client.get("/", headers={**HTMX, "HX-Current-URL": "https://evil.example/x"})
        assert answer["HX-Redirect"] == "/sign-in/?next=%2Fx"


class TestScope:
    def test_the_first_workspace_and_region_are_chosen_at_first(
        self, client_for, viewer, workspace, regions
    ):
        context = client_for(viewer).get("/audit/").context
        assert context["actor"].workspace == workspace
        assert context["region"].code == "east"

    def test_the_session_stays_where_it_was_switched_to(
        self, client_for, viewer, other_workspace, regions
    ):
        Membership.objects.create(user=viewer, workspace=other_workspace, role=Role.DEVELOPER)
        client = client_for(viewer)
        client.post("/scope/", {"workspace": other_workspace.pk, "region": "west"})
        context = client.get("/audit/").context
        assert context["actor"].workspace == other_workspace
        assert context["actor"].role == Role.DEVELOPER
        assert context["region"].code == "west"

    def test_nobody_switches_to_a_workspace_of_others(self, client_for, viewer, other_workspace):
        client = client_for(viewer)
        assert client.post("/scope/", {"workspace": other_workspace.pk}).status_code == 404
        assert client.get("/audit/").context["actor"].workspace != other_workspace

    def test_there_is_no_switch_to_a_region_that_is_not_there(self, client_for, viewer, regions):
        assert client_for(viewer).post("/scope/", {"region": "north"}).status_code == 404

    def test_a_switch_needs_a_post_and_leads_to_no_other_site(self, client_for, viewer, regions):
        client = client_for(viewer)
        assert client.get("/scope/").status_code == 405
        data = {"region": "west", "next": "https://evil.example/"}
        assert client.post("/scope/", data).url == "/services/"

    def test_a_removed_member_loses_the_workspace_at_once(self, client_for, viewer, workspace):
        client = client_for(viewer)
        client.post("/scope/", {"workspace": workspace.pk})
        Membership.objects.all().delete()
        assert client.get("/audit/").status_code == 404

    def test_regions_and_workspaces_are_read_once_for_a_page(
        self, client_for, viewer, regions, django_assert_num_queries
    ):
        client = client_for(viewer)
        # Session, person, memberships with their workspaces, regions.
        with django_assert_num_queries(4):
            page = client.get("/profile/").content.decode()
        assert "search-team" in page
        assert "west" in page


class TestZone:
    def viewer(self, chosen: str = "", cookie: str = ""):
        request = cast("ShellRequest", RequestFactory().get("/"))
        request.user = User(username="vera", time_zone=chosen)
        request.COOKIES["tz"] = cookie
        return viewer_zone(request).key

    def test_the_persons_own_zone_comes_first(self):
        assert self.viewer("Europe/Berlin", "America/Lima") == "Europe/Berlin"

    def test_the_browsers_zone_is_next(self):
        assert self.viewer(cookie="America/Lima") == "America/Lima"

    @pytest.mark.parametrize("bad", ["", "Mars/Olympus", "../../etc/passwd", "America", "\x00"])
    def test_a_zone_that_is_none_is_passed_over(self, bad):
        assert self.viewer(cookie=bad) == "UTC"

    def test_pages_show_times_in_the_viewers_zone(self, client_for, viewer):
        joined = datetime(2026, 5, 1, 12, tzinfo=UTC)
        User.objects.update(date_joined=joined, time_zone="Asia/Tokyo")
        assert "2026-05-01 21:00 JST" in client_for(viewer).get("/profile/").content.decode()

    def test_the_zone_does_not_outlive_the_request(self, client_for, viewer):
        User.objects.update(time_zone="Asia/Tokyo")
        client_for(viewer).get("/profile/")
        assert timezone.get_current_timezone_name() == "UTC"


class TestReadable:
    @pytest.mark.parametrize(
        "address",
        ["/audit/?q=a%00b", "/audit/?%00=a", "/audit/?q=%ff", "/audit/?q=%ed%a0%80", "/a%00b/"],
    )
    def test_an_address_that_cannot_be_stored_is_refused(self, client_for, owner, address):
        answer = client_for(owner).get(address)
        assert answer.status_code == 400
        assert "The request cannot be read" in answer.content.decode()
        assert answer["X-Request-ID"] in answer.content.decode()

    def test_the_refusal_says_what_to_do_to_programs_and_htmx_too(self, client_for, owner):
        client = client_for(owner)
        as_json = client.get("/audit/?q=%00", headers=JSON).json()["error"]
        assert (as_json["code"], "NUL" in as_json["message"]) == ("malformed_request", True)
        part = client.get("/audit/?q=%00", headers=HTMX)
        assert (part.status_code, part["HX-Retarget"]) == (400, "#alerts")

    @pytest.mark.parametrize("body", ["first_name=a%00", "first_name=%ff", b"first_name=\xff"])
    def test_a_form_that_cannot_be_stored_is_refused(self, client_for, viewer, body):
        answer = client_for(viewer).post(
            "/profile/", body, content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code == 400
        assert not AuditEntry.objects.exists()

    def test_a_form_in_parts_is_looked_at_too(self, client_for, viewer):
        assert client_for(viewer).post("/profile/", {"first_name": "a\x00"}).status_code == 400

    @pytest.mark.parametrize("charset", ["utf-16", "utf-7", "no-such"])
    def test_another_encoding_is_refused_or_ignored_but_no_fault(self, client_for, owner, charset):
        kind = f"text/plain; charset={charset}"
        answer = client_for(owner).get("/audit/?q=%E2%82%AC", headers={"Content-Type": kind})
        assert answer.status_code in {200, 400}

    def test_other_letters_and_smileys_pass(self, client_for, viewer):
        client_for(viewer).post("/profile/", {"first_name": "Žofia 🙂"})
        viewer.refresh_from_db()
        assert viewer.first_name == "Žofia 🙂"

    def test_a_sign_in_with_a_nul_is_refused(self, client, db):
        data = {"username": "olga\x00", "password": "x"}
        assert client.post("/sign-in/", data).status_code == 400


class TestRefusals:
    def test_a_person_sees_a_page_in_the_shell(self, client_for, member):
        answer = client_for(member).post("/members/", {"username": "n", "role": "viewer"})
        page = answer.content.decode()
        assert answer.status_code == 403
        assert "can add members; you are a developer" in page
        assert 'id="side"' in page

    def test_a_program_gets_json(self, client_for, owner):
        url = f"/members/{Membership.objects.get(user=owner).pk}/remove/"
        answer = client_for(owner).post(url, headers=JSON)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (409, "conflict")
        assert error["request_id"] == answer["X-Request-ID"]

    def test_wrong_fields_are_named_in_json(self, client_for, owner, viewer):
        url = f"/members/{Membership.objects.get(user=viewer).pk}/role/"
        answer = client_for(owner).post(url, {"role": "king"}, headers=JSON)
        assert answer.json()["error"]["fields"] == {"role": "Choose one of the roles."}

    def test_htmx_gets_an_alert_for_the_place_of_alerts(self, client_for, owner):
        url = f"/members/{Membership.objects.get(user=owner).pk}/remove/"
        answer = client_for(owner).post(url, headers=HTMX)
        assert (answer.status_code, answer["HX-Retarget"]) == (409, "#alerts")
        assert "<html" not in answer.content.decode()
        assert "last administrator" in answer.content.decode()

    def test_the_page_has_the_place_of_alerts_and_htmx_swaps_refusals_in(self, client_for, viewer):
        page = client_for(viewer).get("/audit/").content.decode()
        assert 'id="alerts"' in page
        assert '{"code": "[45]..", "swap": true' in page

    @pytest.mark.parametrize(("headers", "kind"), [({}, "text/html"), (JSON, "application/json")])
    def test_an_unknown_address_is_told(self, client_for, viewer, headers, kind):
        answer = client_for(viewer).get("/no-such-page/", headers=headers)
        assert answer.status_code == 404
        assert answer["Content-Type"].startswith(kind)
        assert "No page has this address" in answer.content.decode()

    def test_an_unknown_address_under_the_api_is_told_in_json(self, client, db):
        answer = client.get("/api/no-such-thing/")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")

    @pytest.mark.parametrize("accept", ["", "*/*", "nonsense", "image/png", "text/html;q=x"])
    def test_an_odd_accept_gets_a_page(self, client_for, viewer, accept):
        answer = client_for(viewer).get("/no-such-page/", headers={"Accept": accept})
        assert answer["Content-Type"].startswith("text/html")

    def test_a_form_from_elsewhere_is_refused_with_advice(self, viewer):
        client = Client(enforce_csrf_checks=True)
        client.force_login(viewer, backend="django.contrib.auth.backends.ModelBackend")
        answer = client.post("/profile/", {"first_name": "Eve"})
        assert answer.status_code == 403
        assert "Load the page again" in answer.content.decode()

    def test_a_form_with_too_much_in_it_is_refused(self, client_for, viewer, settings):
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
        answer = client_for(viewer).post("/profile/", {f"f{n}": n for n in range(9)})
        assert answer.status_code == 400
        assert "more than the console takes" in answer.content.decode()


class TestFaults:
    @pytest.fixture
    def broken(self, client_for, viewer, monkeypatch):
        def fail(*_):
            raise RuntimeError("a secret detail")

        monkeypatch.setattr("accounts.queries.audit_actions", fail)
        client = client_for(viewer)
        client.raise_request_exception = False
        return client

    def test_a_fault_shows_its_id_and_no_detail(self, broken, caplog):
        answer = broken.get("/audit/")
        page = answer.content.decode()
        assert answer.status_code == 500
        assert answer["X-Request-ID"] in page
        assert "secret detail" not in page
        assert f"Request {answer['X-Request-ID']} failed: GET /audit/" in caplog.text

    def test_a_fault_is_told_to_programs_in_json(self, broken):
        answer = broken.get("/audit/", headers=JSON)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "fault")

    def test_a_fault_is_told_to_htmx_in_an_alert(self, broken):
        answer = broken.get("/audit/", headers=HTMX)
        assert (answer.status_code, answer["HX-Retarget"]) == (500, "#alerts")
        assert answer["X-Request-ID"] in answer.content.decode()

    def test_the_page_of_a_fault_needs_no_shell(self, broken, monkeypatch):
        monkeypatch.setattr("console.context.navigation", broken.get)
        assert broken.get("/audit/").status_code == 500


def test_the_operators_pages_lead_a_member_to_no_second_sign_in(client_for, owner):
    answer = client_for(owner).get("/admin/")
    assert answer.status_code == 302
    assert reverse("admin:login") in answer.url


def test_a_person_of_no_workspace_sees_the_shell_say_so(client_for, db):
    assert "In no workspace" in client_for(make_person("nora")).get("/profile/").content.decode()
