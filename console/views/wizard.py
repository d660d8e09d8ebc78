"""The deploy wizard: one address for each step, one for the panel beside it, one for the review."""

from http import HTTPStatus

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.errors import Conflict, InvalidInput, NotFound
from accounts.models import Role
from accounts.requests import require_actor
from console.wizard import review, steps
from console.wizard.drafts import Draft
from console.wizard.forms import Step, StepForm
from console.wizard.offer import Offer
from console.wizard.panel import build_panel
from services import operations
from services.requests import SlipwayRequest, require_region


@login_required
@require_safe
def begin(request: SlipwayRequest, slug: str) -> HttpResponse:
    """Go to the first step."""
    _offer(request, slug)
    return redirect("console:deploy", slug, steps.STEPS[0].slug)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def deploy(request: SlipwayRequest, slug: str, step: str) -> HttpResponse:
    """Show one step; on POST keep its answers and go on, or come back with what is wrong."""
    offer = _offer(request, slug)
    draft = _draft(request, offer)
    if step == steps.REVIEW:
        return _review(request, offer, draft)
    current = _step(step)
    if request.method == "POST":
        draft.keep(step, request.POST, current.form_class.base_fields, submitted=True)
        valid = current.checked(offer, draft).is_valid()
        return redirect("console:deploy", slug, steps.following(step) if valid else step)
    form = current.form(offer, draft)
    return render(request, current.template, _context(offer, current, form))


@login_required
@require_POST
def preview(request: SlipwayRequest, slug: str, step: str) -> HttpResponse:
    """Keep what is typed so far and return the panel that goes with it."""
    offer = _offer(request, slug)
    current = _step(step)
    draft = _draft(request, offer)
    draft.keep(step, request.POST, current.form_class.base_fields)
    panel = build_panel(offer, draft.answers(step) or {}, timezone.now())
    return render(request, "console/wizard/_panel.html", {"panel": panel, "step": current})


def _review(request: SlipwayRequest, offer: Offer, draft: Draft) -> HttpResponse:
    if draft.service_id:
        return redirect("services:overview", draft.service_id)
    forms = steps.checked_forms(offer, draft)
    if unfinished := steps.first_unfinished(forms):
        return redirect("console:deploy", offer.entry.slug, unfinished)
    if request.method == "POST":
        return _submit(request, offer, draft, forms)
    return _show_review(request, offer, forms, [])


def _submit(
    request: SlipwayRequest, offer: Offer, draft: Draft, forms: list[tuple[Step, StepForm]]
) -> HttpResponse:
    plan = steps.plan(offer, forms)
    try:
        service = operations.deploy(offer.actor, plan, now=timezone.now())
    except (InvalidInput, Conflict) as error:
        found = review.refusals(error, plan, offer)
        return _show_review(request, offer, forms, found, status=HTTPStatus(error.status))
    draft.finish(service.pk)
    return redirect("services:overview", service.pk)


def _show_review(
    request: SlipwayRequest,
    offer: Offer,
    forms: list[tuple[Step, StepForm]],
    refused: list[review.Refusal],
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    answers = {name: value for _, form in forms for name, value in form.data.items()}
    context = {
        "offer": offer,
        "steps": steps.STEPS,
        "current": steps.REVIEW,
        "pages": [(step, form.lines()) for step, form in forms],
        "panel": build_panel(offer, answers, timezone.now()),
        "refused": refused,
    }
    return render(request, "console/wizard/review.html", context, status=status)


def _offer(request: SlipwayRequest, slug: str) -> Offer:
    actor, region = require_actor(request), require_region(request)
    actor.require(Role.DEVELOPER, "deploy a service")
    return Offer.load(actor, region, slug)


def _draft(request: SlipwayRequest, offer: Offer) -> Draft:
    workspace = offer.actor.workspace.pk
    return Draft(request.session, workspace, offer.region.code, offer.entry.slug)


def _step(slug: str) -> Step:
    step = steps.find_step(slug)
    if step is None:
        raise NotFound("The wizard has no such step.")
    return step


def _context(offer: Offer, step: Step, form: StepForm) -> dict[str, object]:
    shown = {name: str(form[name].value() or "") for name in form.fields}
    return {
        "offer": offer,
        "steps": steps.STEPS,
        "current": step.slug,
        "step": step,
        "next_title": steps.title(steps.following(step.slug)),
        "form": form,
        "panel": build_panel(offer, shown, timezone.now()),
    }
