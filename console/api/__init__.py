"""The REST API, `/api/v1/`: the same verbs as the pages, for programs."""
