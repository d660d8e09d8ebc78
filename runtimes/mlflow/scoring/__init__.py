"""Serve one MLflow model: `python -m scoring`."""
