"""A large installation for measurements: services, instances and keys made in bulk."""

import hashlib
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.models import AuditEntry, Membership, Role, User, Workspace
from billing.models import CuInterval
from services.models import (
    ApiKey,
    CatalogEntry,
    Event,
    Instance,
    Node,
    Region,
    ResourceGroup,
    Service,
    Specification,
    Version,
)
from services.states import CONSUMING, Desired, InstanceState, Status

AUDITED = ("service.deploy", "service.stop", "service.start", "key.add", "key.reveal")


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
            region=self.region, name="node-0", vcpu=Decimal(9_000), memory_mib=400_000_000
        )
        self.user = User.objects.create_user(f"bench-{code}", password="not-a-secret-here")
        self.workspace = Workspace.objects.create(name=f"bench-{code}")
        Membership.objects.create(workspace=self.workspace, user=self.user, role=Role.ADMINISTRATOR)
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

    def fill(
        self,
        services: int,
        instances: int,
        keys: int,
        state: InstanceState = InstanceState.PENDING,
    ) -> None:
        """Add running services, with `instances` in one state and `keys` each."""
        first = Service.objects.filter(workspace=self.workspace).count()
        made = Service.objects.bulk_create(self._service(first + n) for n in range(services))
        versions = Version.objects.bulk_create(self._version(s, instances) for s in made)
        Instance.objects.bulk_create(
            (self._instance(v, n, state) for v in versions for n in range(instances)),
            batch_size=1000,
        )
        ApiKey.objects.bulk_create(
            (self._key(s, n) for s in made for n in range(keys)), batch_size=1000
        )

    def add_keys(self, service: Service, number: int) -> None:
        """Give one service more keys than the others have."""
        first = service.api_keys.count()
        ApiKey.objects.bulk_create(self._key(service, first + n) for n in range(number))

    def add_history(self, events: int, audit_lines: int) -> None:
        """Add `events` to each service, its open CU intervals, and lines to the audit trail."""
        services = list(Service.objects.filter(workspace=self.workspace))
        Event.objects.bulk_create(
            (self._event(s, n) for s in services for n in range(events)), batch_size=1000
        )
        AuditEntry.objects.bulk_create(
            (self._audit_line(services[n % len(services)], n) for n in range(audit_lines)),
            batch_size=1000,
        )
        held = Instance.objects.filter(version__service__in=services, state__in=CONSUMING)
        CuInterval.objects.bulk_create(
            (self._interval(i) for i in held.select_related("version__service")), batch_size=1000
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

    def _instance(self, version: Version, ordinal: int, state: InstanceState) -> Instance:
        return Instance(
            version=version,
            ordinal=ordinal,
            revision=1,
            cu=self.specification.cu,
            state=state,
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

    def _event(self, service: Service, number: int) -> Event:
        at = self.now - timedelta(minutes=number)
        return Event(
            service=service,
            reason="Started",
            resource_type="Instance",
            resource_name=f"{service.pk}-{number}",
            message="started with cpu.1",
            first_at=at,
            last_at=at,
        )

    def _audit_line(self, service: Service, number: int) -> AuditEntry:
        return AuditEntry(
            at=self.now - timedelta(minutes=number),
            actor=self.user,
            actor_name=self.user.username,
            workspace=self.workspace,
            action=AUDITED[number % len(AUDITED)],
            object_type="service",
            object_id=service.pk,
            object_name=service.name,
        )

    def _interval(self, instance: Instance) -> CuInterval:
        service = instance.version.service
        return CuInterval(
            workspace_id=self.workspace.pk,
            service_id=service.pk,
            service_name=service.name,
            version_id=instance.version_id,
            instance_id=instance.pk,
            group_id=self.group.pk,
            group_kind=self.group.kind,
            region_code=self.region.code,
            cu=instance.cu,
            started_at=self.now - timedelta(hours=1),
        )
