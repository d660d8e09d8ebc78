"""Fixtures of all tests: the cast, their browsers, and a region to deploy into."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.access import Actor
from accounts.models import Role, User, Workspace
from tests import people


@pytest.fixture(autouse=True)
def quick_passwords(settings) -> None:
    """Hash passwords cheaply: the real hash is slow on purpose, and every test makes people."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def workspace(db) -> Workspace:
    return Workspace.objects.create(name="search-team")


@pytest.fixture
def other_workspace(db) -> Workspace:
    return Workspace.objects.create(name="fraud-team")


@pytest.fixture
def owner(workspace) -> User:
    return people.make_person("olga", workspace=workspace, role=Role.ADMINISTRATOR)


@pytest.fixture
def member(workspace) -> User:
    return people.make_person("milan", workspace=workspace, role=Role.DEVELOPER)


@pytest.fixture
def viewer(workspace) -> User:
    return people.make_person("vera", workspace=workspace, role=Role.VIEWER)


@pytest.fixture
def stranger(other_workspace) -> User:
    return people.make_person("stan", workspace=other_workspace, role=Role.ADMINISTRATOR)


@pytest.fixture
def operator(db) -> User:
    user = people.make_person("opal")
    user.is_superuser = user.is_staff = True
    user.save()
    return user


@pytest.fixture
def actor(member, workspace) -> Actor:
    return people.actor_of(member, workspace)


@pytest.fixture
def client_for() -> Callable[[User], Client]:
    return people.client_of
