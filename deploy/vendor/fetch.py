"""`python -m deploy.vendor.fetch`: fetch the pages' scripts, styles, font and icons from npm.

The result is committed, so that neither a build nor a browser ever needs the internet.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from deploy.vendor.packages import PACKAGES, Package

STATIC = Path(__file__).resolve().parents[2] / "static"
VERSIONS = STATIC / "vendor" / "VERSIONS.json"
LICENCE_NAMES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "license")
# These point at files that are not vendored; a browser would ask for them in vain.
SOURCE_MAP = b"sourceMappingURL="


class CannotVendor(Exception):
    """A package could not be fetched, or does not hold what it should."""


def pack(package: Package, folder: Path) -> Path:
    """Download a package's archive into the folder and return its path."""
    command = ["npm", "pack", "--json", "--silent", f"{package.name}@{package.version}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotVendor(f"npm cannot fetch {package.name}@{package.version}: {done.stderr}")
    found = json.loads(done.stdout)[0]
    return folder / str(found["filename"])


def take(package: Package, archive: Path) -> dict[str, str]:
    """Copy a package's files under static/ and return the SHA-256 of each by its new path."""
    digests = {}
    with tarfile.open(archive) as tar:
        for source, target in package.files.items():
            content = without_source_map(_member(tar, source, package))
            path = STATIC / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            digests[target] = hashlib.sha256(content).hexdigest()
        _keep_licence(package, tar)
    return digests


def without_source_map(content: bytes) -> bytes:
    """Return a script or style sheet without its last line, when that names a source map."""
    body, _, last = content.rstrip().rpartition(b"\n")
    return body + b"\n" if SOURCE_MAP in last and len(last) < len(body) else content


def versions(digests: dict[str, dict[str, str]]) -> dict[str, object]:
    """Return the table of what is vendored."""
    return {
        package.name: {
            "version": package.version,
            "licence": package.licence,
            "files": digests[package.name],
        }
        for package in PACKAGES
    }


def _member(tar: tarfile.TarFile, path: str, package: Package) -> bytes:
    try:
        found = tar.extractfile(f"package/{path}")
    except KeyError as error:
        raise CannotVendor(f"{package.name}@{package.version} has no {path}.") from error
    if found is None:
        raise CannotVendor(f"{path} of {package.name} is not a file.")
    return found.read()


def _keep_licence(package: Package, tar: tarfile.TarFile) -> None:
    described = json.loads(_member(tar, "package.json", package))
    if described.get("license") != package.licence:
        raise CannotVendor(f"{package.name} is under {described.get('license')} now; look at it.")
    names = set(tar.getnames())
    # Tabler names its licence in package.json alone.
    name = next((n for n in LICENCE_NAMES if f"package/{n}" in names), "package.json")
    folder = STATIC / "vendor" / "licences"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (package.name.replace("/", "-").lstrip("@") + ".txt")
    target.write_bytes(_member(tar, name, package))


def main() -> int:
    """Write every vendored file, removing none; return the exit code."""
    digests = {}
    with tempfile.TemporaryDirectory() as scratch:
        try:
            archives = [(package, pack(package, Path(scratch))) for package in PACKAGES]
            for package, archive in archives:
                digests[package.name] = take(package, archive)
        except CannotVendor as problem:
            sys.stderr.write(f"{problem}\n")
            return 1
    VERSIONS.write_text(json.dumps(versions(digests), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
