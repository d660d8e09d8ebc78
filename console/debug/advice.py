"""What a person can do about an answer that is an error."""

from collections.abc import Mapping

FIRST_ERROR, FIRST_FAULT = 400, 500
ADVICE: Mapping[int, str] = {
    400: "The model refused the request; its message says which part. Mend it and send again.",
    401: "The key is missing, wrong, disabled or expired. Choose another key, or enable this one "
    "on the API Key tab.",
    403: "The service does not let this caller in.",
    404: "The service has no such path. Chat models answer /v1/chat/completions, embedding models "
    "/v1/embeddings, MLflow models /predict.",
    405: "This path does not take this method; most take POST.",
    413: "The request is too long. Send less.",
    415: "The model takes JSON only.",
    422: "The model refused the request; its message says which part.",
    429: "Too many requests at once. Wait for the time in Retry-After and send again.",
    500: "The model's server failed. The Events tab has its last messages.",
    502: "The instance ended while it answered. Look at the Events tab and send again.",
    503: "No instance answers now. If the service is stopped, start it; if it is starting, wait "
    "until its Overview says Running.",
    504: "The model took longer than the response timeout. Ask for less, or raise the timeout "
    "under Modify.",
}


def advice(status: int) -> str:
    """Return what to do about a status; empty for one that is no error."""
    if status < FIRST_ERROR:
        return ""
    return ADVICE.get(status, ADVICE[500] if status >= FIRST_FAULT else ADVICE[400])
