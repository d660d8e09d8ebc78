"""From the SDK's exceptions to ours, each saying what a person can do."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import requests
from docker.errors import APIError, BuildError, DockerException, ImageNotFound, NotFound

from services.drivers.base import (
    AlreadyExists,
    DriverError,
    DriverUnavailable,
    NoSuchInstance,
    PermanentFailure,
)

START_DOCKER = (
    "The Docker Engine does not answer. Is Docker running, and may this user reach its socket?"
)


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """Raise our errors for what the SDK raises while dealing with `subject`."""
    try:
        yield
    except ImageNotFound as error:
        raise PermanentFailure(
            f"The image for {subject} was not found: check its name, or sign in to its registry."
        ) from error
    except NotFound as error:
        raise NoSuchInstance(f"Docker knows no {subject}: {error.explanation}") from error
    except APIError as error:
        raise _of_answer(subject, error) from error
    except BuildError as error:
        raise DriverError(f"{subject} could not be built: {error.msg}") from error
    except (requests.RequestException, DockerException) as error:
        raise DriverUnavailable(f"{START_DOCKER} ({error})") from error


def _of_answer(subject: str, error: APIError) -> DriverError:
    told = str(error.explanation or error)
    if error.status_code == HTTPStatus.CONFLICT and "in use" in told:
        return AlreadyExists(f"An instance {subject} exists already.")
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return PermanentFailure(f"Docker refuses {subject}: {told}")
    if "could not select device driver" in told:
        return PermanentFailure(
            f"{subject} wants a GPU, which this engine cannot give: "
            "install the NVIDIA Container Toolkit or choose a specification without one."
        )
    return DriverError(f"Docker could not deal with {subject}: {told}")
