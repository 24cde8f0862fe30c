#!/usr/bin/env bash
# Deploys this workspace's model and proves it: the endpoint must answer as the test rows did, or the way back is taken.
#
#   scripts/deploy.sh docker     build the image, start it, check it, then replace the container that ran before
#   scripts/deploy.sh local      the same in a virtual environment on this machine, in the foreground
#
# Settings from the environment: NAME, VERSION, PORT, BIND (127.0.0.1), MEMORY_MB, BASE (another base image).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
NAME="${NAME:-penguins}"
VERSION="${VERSION:-1.0.0}"
PORT="${PORT:-8000}"
BIND="${BIND:-127.0.0.1}"
MEMORY_MB="${MEMORY_MB:-512}"

say() { printf '%s\n' "$*" >&2; }
die() { say "deploy: $*"; exit 1; }

environment() {  # .serve: a virtual environment with exactly requirements.txt
  if ! cmp -s requirements.txt .serve/requirements.txt; then
    say "making .serve from requirements.txt"
    rm -rf .serve
    "${PYTHON:-python3}" -m venv .serve
    .serve/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: -r requirements.txt
    cp requirements.txt .serve/requirements.txt
  fi
}

ready() {  # ready PORT SECONDS
  for _ in $(seq "$(($2 * 5))"); do
    if .serve/bin/python -c 'import sys, urllib.request as u; u.urlopen(f"http://127.0.0.1:{sys.argv[1]}/readyz", timeout=2)' "$1" 2>/dev/null; then
      return 0
    fi
    sleep 0.2
  done
  return 1
}

start() {  # start CONTAINER PUBLISHED
  docker run --detach --name "$1" --publish "$2" --restart unless-stopped --read-only --tmpfs /tmp \
    --cap-drop ALL --security-opt no-new-privileges --pids-limit 128 --memory "${MEMORY_MB}000000" "$NAME:$VERSION" >/dev/null
}

deploy_docker() {
  command -v docker >/dev/null || die "docker is not installed; try: scripts/deploy.sh local"
  environment
  docker build ${BASE:+--build-arg "BASE=$BASE"} --tag "$NAME:$VERSION" . >&2
  local trial="$NAME-trial" old="$NAME-previous" trial_port
  docker rm --force "$trial" >/dev/null 2>&1 || true
  start "$trial" "127.0.0.1::8000"
  trial_port="$(docker port "$trial" 8000/tcp | head -n 1)"
  trial_port="${trial_port##*:}"
  if ! ready "$trial_port" 60 || ! .serve/bin/python -P tests/validation.py --url "http://127.0.0.1:$trial_port"; then
    docker logs --tail 30 "$trial" >&2 || true
    docker rm --force "$trial" >/dev/null
    die "the new image did not answer as tested; what ran before still runs"
  fi
  docker rm --force "$trial" >/dev/null
  docker rm --force "$old" >/dev/null 2>&1 || true
  if docker rename "$NAME" "$old" 2>/dev/null; then docker stop "$old" >/dev/null; fi
  if ! start "$NAME" "$BIND:$PORT:8000" || ! ready "$PORT" 60; then
    docker rm --force "$NAME" >/dev/null 2>&1 || true
    if docker rename "$old" "$NAME" 2>/dev/null; then docker start "$NAME" >/dev/null; fi
    die "it did not start on port $PORT; the previous container runs again"
  fi
  say "$NAME:$VERSION answers on http://$BIND:$PORT/ ; the previous container is kept, stopped, as $old"
}

deploy_local() {
  environment
  .serve/bin/python -P tests/validation.py
  say "starting $NAME $VERSION on http://$BIND:$PORT/ (Ctrl-C stops it)"
  exec .serve/bin/python -P scripts/serve.py --host "$BIND" --port "$PORT"
}

case "${1:-}" in
  docker) deploy_docker ;;
  local) deploy_local ;;
  *) die "usage: scripts/deploy.sh docker|local" ;;
esac
