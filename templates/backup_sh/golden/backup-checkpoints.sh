#!/usr/bin/env bash
# Copies the checkpoints, models and configurations of run r-20261121-094501-k3f9 into one verified archive.
#
#   scripts/backup-checkpoints.sh FOLDER      FOLDER/r-20261121-094501-k3f9-<UTC time>.tar.gz, and its .sha256 beside it
#
# KEEP (default 5): so many archives of this run stay in FOLDER. To restore: tar -xzf ARCHIVE in an empty folder.
set -euo pipefail

RUN=r-20261121-094501-k3f9
KEEP="${KEEP:-5}"
[[ $# -eq 1 ]] || { printf 'usage: scripts/backup-checkpoints.sh FOLDER\n' >&2; exit 64; }
[[ "$KEEP" =~ ^[1-9][0-9]*$ ]] || { printf 'backup: KEEP must be a number from 1, not %q\n' "$KEEP" >&2; exit 64; }

mkdir -p "$1"
target="$(cd "$1" && pwd)"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

archive="$target/$RUN-$(date -u +%Y%m%dT%H%M%SZ).tar.gz"
partial="$archive.partial"
trap 'rm -f "$partial"' EXIT

shopt -s nullglob
folders=(attempts/*/checkpoints attempts/*/configs attempts/*/models configs models)
present=()
for folder in "${folders[@]}"; do if [[ -e "$folder" ]]; then present+=("$folder"); fi; done
[[ ${#present[@]} -gt 0 ]] || { printf 'backup: nothing to back up in %s\n' "$PWD" >&2; exit 1; }

# A checkpoint is written under another name and renamed, so whatever has its final name is whole.
tar --exclude='*.partial' --exclude='*.tmp' -czf "$partial" -- "${present[@]}"
tar -tzf "$partial" >/dev/null
mv "$partial" "$archive"
(cd "$target" && sha256sum "$(basename "$archive")" >"$(basename "$archive").sha256")

archives=("$target/$RUN"-*.tar.gz) # in order of time: the name holds it
while [[ ${#archives[@]} -gt $KEEP ]]; do
  rm -f "${archives[0]}" "${archives[0]}.sha256"
  archives=("${archives[@]:1}")
done
printf '%s\n' "$archive"
