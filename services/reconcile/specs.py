"""From rows to what a driver is given: a version's image and an instance's specification."""

from pathlib import Path

from django.conf import settings

from runtimes.registry import MODEL_MOUNT, Launch, command_and_environment, runtime
from services.drivers.base import InstanceSpec, Mount, RuntimeImage
from services.models import Artifact, CatalogEntry, Instance, Region, Version
from services.reconcile.needs import needed


def runtime_image(entry: CatalogEntry) -> RuntimeImage:
    """Return what instances of an entry are made from."""
    chosen = runtime(entry.runtime)
    return RuntimeImage(chosen.image_name, context=chosen.context, reference=chosen.reference)


def region_labels(region: Region) -> dict[str, str]:
    """Return the labels of all instances of a region of this installation.

    Two regions may share an engine or a machine; neither may take the other's for strays.
    """
    return {"slipway.installation": settings.INSTALLATION, "slipway.region": region.code}


def labels(version: Version, instance: Instance) -> dict[str, str]:
    """Return the labels that make an instance ours and findable."""
    return {
        **region_labels(version.service.region),
        "slipway.service": version.service_id,
        "slipway.version": version.pk,
        "slipway.instance": instance.pk,
        "slipway.revision": str(version.revision),
    }


def instance_spec(version: Version, instance: Instance) -> InstanceSpec:
    """Return what a driver needs to start an instance; its artifacts must be ready."""
    entry, specification = version.entry, version.specification
    chosen = runtime(entry.runtime)
    places = {artifact.kind: artifact.location for artifact in needed(version)}
    launch = Launch(
        model_name=entry.slug,
        vcpu=specification.vcpu,
        memory_mib=specification.memory_mib,
        gpus=specification.gpus,
        options=entry.runtime_options,
    )
    command, environment = command_and_environment(entry.runtime, launch)
    return InstanceSpec(
        name=instance.name,
        labels=labels(version, instance),
        image=places.get(Artifact.Kind.IMAGE, ""),
        command=command,
        env={**version.environment, **environment},
        port=chosen.port,
        vcpu=specification.vcpu,
        memory_mib=specification.memory_mib,
        gpus=specification.gpus,
        mounts=_mounts(places.get(Artifact.Kind.MODEL, "")),
        shared_memory_mib=chosen.shared_memory_mib,
    )


def _mounts(location: str) -> list[Mount]:
    return [Mount(Path(location), MODEL_MOUNT)] if location else []
