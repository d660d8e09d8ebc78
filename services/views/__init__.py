"""The pages of services: the list, models, and the tabs of one service."""
