"""A large installation for measurements: services, instances and keys made in bulk."""

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.models import Membership, Role, User, Workspace
from services.models import (
    ApiKey,
    CatalogEntry,
    Instance,
    Node,
    Region,
    ResourceGroup,
    Service,
    Specification,
    Version,
)
from services.states import Desired, InstanceState, Status


class World:
    """One workspace in one region of the fake driver, with a person who administers it."""

    def __init__(self, code: str, now: datetime) -> None:
        self.now = now
        self.region = Region.objects.create(
            code=code,
            name=code,
            driver=Region.DriverKind.FAKE,
            gateway_url="http://127.0.0.1:8080",
            domain="slipway.localhost",
        )
        Node.objects.create(
            region=self.region, name="node-0", vcpu=Decimal(100_000), memory_mib=400_000_000
        )
        self.user = User.objects.create_user(f"bench-{code}", password="not-a-secret-here")
        self.workspace = Workspace.objects.create(name=f"bench-{code}")
        Membership.objects.create(
            workspace=self.workspace, user=self.user, role=Role.ADMINISTRATOR
        )
        self.group = ResourceGroup.objects.create(
            name="rg-bench", region=self.region, cu_limit=Decimal(1_000_000)
        )
        self.group.workspaces.add(self.workspace)
        self.specification, _ = Specification.objects.get_or_create(
            code="cpu.1", defaults={"vcpu": 1, "memory_mib": 4096, "cu": 1}
        )
        self.entry, _ = CatalogEntry.objects.get_or_create(
            slug="bench-model",
            defaults={
                "name": "Bench model",
                "family": "bench",
                "publisher": "bench",
                "task": CatalogEntry.Task.CHAT,
                "service_type": CatalogEntry.ServiceType.MODEL,
                "licence": "Apache-2.0",
                "source_kind": CatalogEntry.SourceKind.PATH,
                "source": "/nowhere",
                "runtime": "llm",
                "memory_mib": 512,
            },
        )

    def fill(self, services: int, instances: int, keys: int) -> None:
        """Add running services, with `instances` and `keys` each."""
        made = Service.objects.bulk_create(self._service(n) for n in range(services))
        versions = Version.objects.bulk_create(self._version(s, instances) for s in made)
        Instance.objects.bulk_create(
            (self._instance(v, n) for v in versions for n in range(instances)), batch_size=1000
        )
        ApiKey.objects.bulk_create(
            (self._key(s, n) for s in made for n in range(keys)), batch_size=1000
        )

    def _service(self, number: int) -> Service:
        return Service(
            workspace=self.workspace,
            region=self.region,
            group=self.group,
            name=f"service-{number:05}",
            service_type=CatalogEntry.ServiceType.MODEL,
            desired=Desired.RUNNING,
            status=Status.RUNNING,
            created_by=self.user,
            created_at=self.now - timedelta(minutes=number),
        )

    def _version(self, service: Service, instances: int) -> Version:
        return Version(
            service=service,
            name="v1",
            entry=self.entry,
            specification=self.specification,
            instance_count=instances,
            desired=Desired.RUNNING,
            status=Status.RUNNING,
            created_by=self.user,
        )

    def _instance(self, version: Version, ordinal: int) -> Instance:
        return Instance(
            version=version,
            ordinal=ordinal,
            revision=1,
            cu=self.specification.cu,
            state=InstanceState.PENDING,
        )

    def _key(self, service: Service, number: int) -> ApiKey:
        digest = hashlib.sha256(f"{service.pk}-{number}".encode()).hexdigest()
        return ApiKey(
            service=service,
            name=f"key-{number}",
            digest=digest,
            encrypted=b"",
            hint=digest[-4:],
            created_by=self.user,
        )
