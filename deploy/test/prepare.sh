#!/usr/bin/env bash
# Installs and starts what tests need beyond Python: a browser, a Docker Engine and a base image.
# What cannot be had here is said; the tests that need it then skip with that reason.
set -euo pipefail
cd "$(dirname "$0")/../.."

BASE_IMAGE=slipway-test-base
DOCKER_LOG=${TMPDIR:-/tmp}/slipway-dockerd.log

is_debian() { command -v apt-get >/dev/null; }
is_root() { [ "$(id -u)" = 0 ]; }
has() {
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -e "/usr/share/doc/$1" ]
}

install_missing() {
    local missing=() pair
    for pair in "$@"; do
        has "${pair%%:*}" || missing+=("${pair##*:}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! is_debian || ! is_root; then
        echo "Not installed here (needs Debian or Ubuntu, and root): ${missing[*]}"
        return 0
    fi
    echo "Installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
        >/dev/null
}

start_docker() {
    if docker info >/dev/null 2>&1; then
        return 0
    fi
    if ! is_root || ! has dockerd; then
        echo "No Docker Engine answers, and one can only be started here as root."
        return 1
    fi
    echo "Starting the Docker Engine (its log: $DOCKER_LOG); it stays up after the tests"
    setsid dockerd >"$DOCKER_LOG" 2>&1 </dev/null &
    for _ in $(seq 100); do
        docker info >/dev/null 2>&1 && return 0
        sleep 0.3
    done
    echo "The Docker Engine did not start: see $DOCKER_LOG."
    return 1
}

# A Debian with Python, made from packages alone: registries may be out of reach where tests run.
make_base_image() {
    docker image inspect "$BASE_IMAGE" >/dev/null 2>&1 && return 0
    if ! is_root || ! has debootstrap; then
        echo "The base image for Docker tests can only be made as root with debootstrap."
        return 1
    fi
    local folder
    folder=$(mktemp -d)
    echo "Making the base image for Docker tests"
    debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates \
        bookworm "$folder/root" >"$folder/log" 2>&1 || {
        tail -5 "$folder/log"
        rm -rf "$folder"
        return 1
    }
    rm -rf "$folder"/root/var/cache/apt/archives/*.deb "$folder"/root/var/lib/apt/lists/*
    tar -C "$folder/root" -c . | docker import - "$BASE_IMAGE" >/dev/null
    rm -rf "$folder"
}

if [ "${1:-tests}" = bench ]; then
    install_missing nginx:nginx-light wrk:wrk
else
    install_missing chromium:chromium dockerd:docker.io debootstrap:debootstrap \
        busybox-static:busybox-static
fi
if start_docker; then
    make_base_image || true
fi
