"""Commands that would take a run or the state along, in the many forms that shells have for it.

`⏎` stands for a new line.
"""

from __future__ import annotations

HARMFUL = r"""
time -p rm -rf neural
time rm -rf neural
sudo -nH rm -rf neural
sudo --user root -- rm -rf neural
env -i A=b rm -rf neural
xargs -a list -n 3 rm -rf neural
flock -w 3 /tmp/l -c "rm -rf neural"
su - me -c 'rm -rf neural'
npx --yes rimraf neural
npx -y rimraf neural
bunx rimraf neural
uv run --with x rm -rf neural
poetry run rm -rf neural
rm -rf "$(git rev-parse --show-toplevel)/neural"
rm -rf "`pwd`"/neural
rm -rf "${CLAUDE_PROJECT_DIR}/neural"
rm -rf "${CLAUDE_PROJECT_DIR:-.}/neural"
rm -rf ${UNKNOWN}/neural
rm -rf {build,dist,neural}/
rm -rf ne{ural,w}
rm -rf neural/{r-*,x}
bash -s <<< "rm -rf neural"
sh <<'EOF'⏎cd neural⏎rm -rf latest/checkpoints⏎EOF
sudo bash <<-EOF⏎	rm -rf neural⏎	EOF
cat <<EOF | bash⏎rm -rf neural⏎EOF
printf 'rm -rf neural\n' | sudo sh
echo "import shutil; shutil.rmtree('neural')" | python3
echo neural | xargs rm -rf
ls -d neural/r-* | xargs -n1 rm -rf
ls -d neural/*/ | xargs -I{} rm -rf {}
find neural -type d | xargs -0 rm -rf
find neural -print0 | xargs -0 sh -c 'rm -rf "$@"' _
rm -rf $(ls -d neural/r-*)
rm -rf $(find neural -maxdepth 1)
rm -rf `ls -d neural/*`
x=$(ls neural); rm -rf $x
x=$(find . -name neural); rm -rf "$x"
python -c "import os; os.system('rm -rf neural')"
python -c "import subprocess; subprocess.run(['rm', '-rf', 'neural'])"
python -c "import shutil as s; s.rmtree('neural', ignore_errors=True)"
python -c "from pathlib import Path; Path('neural/latest/x').unlink()"
python -c "open('neural/latest/x', 'w').write('')"
python -c "import os; os.rename('neural', 'old')"
node -e "require('fs').rmSync('neural', {recursive: true})"
node -e "require('child_process').execSync('rm -rf neural')"
ruby -e "require 'fileutils'; FileUtils.rm_rf('neural')"
perl -e 'unlink "neural/latest/x"'
git -C . clean -fdx
git -C .. clean -fdx
git -c a=b clean -fdx
git clean -xdf neural
git stash --all
git stash -u
find neural -exec rm -rf {} \;
find . -path '*/neural/*' -delete
find . -path ./neural/latest/x -delete
find . -name neural -exec rm -rf {} +
find . -type d -name 'neur*' -exec rm -r {} \;
find . -type d -name neural -print0 | xargs -0 rm -rf
find neural -name '*.pt' -delete
find . -name neural -execdir rm -rf {} +
A=neural; B=$A; rm -rf "$B"
A=neural && rm -rf ./$A
export A=neural; rm -rf $A
A=neu; rm -rf ${A}ral
for d in build neural dist; do rm -rf "$d"; done
for d in neural/*; do rm -rf "$d"; done
for d in $(ls neural); do rm -rf neural/$d; done
ls neural | while read d; do rm -rf "neural/$d"; done
ls -d neural/r-* | while read d; do rm -rf "$d"; done
while read d; do rm -rf "$d"; done < <(ls -d neural/*)
cd neural && ls | xargs rm -rf
cd neural && for f in *; do rm -rf "$f"; done
cd neural/latest && rm -rf checkpoints
tar xf a.tar -C neural/r-20261130-101112-abcd
tar -xzf a.tgz --directory=neural/latest
cd neural/latest && tar xf /tmp/a.tar
unzip -o a.zip -d neural/latest
echo $(rm -rf neural)
echo "`rm -rf neural`"
x=$(rm -rf neural)
diff <(rm -rf neural) x
trap 'rm -rf neural' EXIT
eval "rm" "-rf" neural
rm -rf "neural"
rm -rf 'neural'
rm -rf ne"ur"al
rm -rf $'neural'
r\m -rf neural
rm -rf .//neural/.
rm -rf ./src/../neural
rm -rf ?eural
rm -rf n*
rm -rf [n]eural
rm -rf ../*/neural
rm -rf ../*
rm -rf neural/*/checkpoints/*.pt
rm -f neural/latest/checkpoints/*
rm -f neural/lat*/checkpoints/*
! rm -rf neural
while true; do rm -rf neural; done
case x in x) rm -rf neural;; esac
{ rm -rf neural; }
(cd src; true); rm -rf neural
(cd neural && rm -rf *)
true || rm -rf neural
true | rm -rf neural
rm -rf neural # clean up
rm \⏎ -rf neural
rm -rf \⏎ neural
ls⏎rm -rf neural
: > neural/latest/x
echo x | tee -a neural/latest/x
chmod -R 000 neural
chown -R me neural
mv neural{,.old}
mv neural old
rsync -a --delete /tmp/empty/ neural
truncate -s0 neural/latest/x
shred -u neural/latest/x
ln -sf /tmp/x neural/latest/x
sed -i 's/a/b/' neural/latest/x
rm -rf ~/state
rm -rf ../state
rm -rf $(echo neural)
rm -rf $(printf neural)
rm -rf $(basename neural)
rm -rf $(cat <<< neural)
timeout --signal=KILL 5 rm -rf neural
nice -n 5 rm -rf neural
nice -5 rm -rf neural
ionice -c 3 rm -rf neural
stdbuf -o L rm -rf neural
command rm -rf neural
builtin eval 'rm -rf neural'
watch -n 1 rm -rf neural
watch 'rm -rf neural'
ssh-agent bash -c 'rm -rf neural'
nohup sh -c "rm -rf neural" &
parallel rm -rf ::: neural
parallel rm -rf {} ::: neural build
git worktree remove neural
trash neural
gio trash neural
find . -name '*' -delete
find . -name '*.pt' -delete
find . -type f -name '*.json' -exec rm {} +
sudo -H rm -rf neural/
command -p rm -rf neural
xargs -t rm -rf neural
rm -rf $(pwd)/neural
rm -rf "$(pwd)/neural"
rm -rf "${PWD:?}/neural"
bash <<EOF⏎rm -rf neural⏎EOF
python3 - <<EOF⏎import shutil; shutil.rmtree('neural')⏎EOF
echo "rm -rf neural" | sh
"$(rm -rf neural)"
find neural -mindepth 1 | xargs rm -rf
find neural -type d -name "r-*" -exec rm -rf {} +
cat x | sponge neural/latest/a
function f { rm -rf neural; }; f
f() { rm -rf neural; }; f
f() { rm -rf "$1"; }; f neural
set -- neural; rm -rf "$@"
set -- neural; rm -rf "$1"
sh -c 'rm -rf "$1"' _ neural
D=neural/; rm -rf "${D%/}"
arr=(neural build); rm -rf "${arr[@]}"
cd "$PROJECT" && rm -rf neural
cd "$PROJECT" && rm -rf ./neural/latest
cat > a.md <<'THE-END' && rm -rf neural⏎words⏎THE-END
python -c "from shutil import move; move('neural', 'old')"
python -c "import os; os.remove('neural/latest/x')"
""".strip()
COMMANDS = [line.replace("⏎", "\n") for line in HARMFUL.splitlines()]
