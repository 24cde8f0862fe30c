"""Commands that developers and their agents type all day, in a workspace with a run: none may be refused.

`⏎` stands for a new line.
"""

from __future__ import annotations

ORDINARY = r"""
ls -la
ls -la neural/latest/
tree -L 2 neural
cat neural/latest/reports/performance-report.md
head -n 20 neural/latest/data/profile.json | jq .rows
tail -f neural/latest/log
less neural/latest/configs/training.json
wc -l neural/latest/reports/*.md
du -sh neural/* | sort -h
stat neural/latest
file neural/latest/models/model.onnx
sha256sum neural/latest/models/model.onnx
diff neural/latest/configs/training.json neural/configs/training.json
diff <(ls neural/latest) <(ls neural/scripts)
grep -rn accuracy neural --include='*.md'
rg "rm -rf" neural
find neural -name '*.md'
find neural -name '*.md' -exec grep -l accuracy {} +
find neural -name "*.md" -exec sh -c "wc -l {}" \;
find . -name '*.pyc' -delete
find . -name __pycache__ -type d -exec rm -rf {} +
find . -type d -name .pytest_cache | xargs rm -rf
find . -path ./neural -prune -o -name '*.tmp' -exec rm {} +
find . -name '*.log' -not -path './neural/*' -delete
find . -maxdepth 1 -type f -name '*.bak' -delete
find src -mtime +7 -delete
find /tmp -maxdepth 1 -name 'pip-*' -exec rm -rf {} +
cp neural/latest/models/model.onnx /tmp/
cp -r neural /tmp/backup
cp -r neural/latest/scripts neural/scripts/mine
cp .env.example .env
ln -s neural/latest/models/model.onnx model.onnx
ln -sfn releases/2 current
scp neural/latest/models/model.onnx host:/srv/
rsync -a neural/ /tmp/b/
rsync -av --delete src/ /tmp/mirror/
tar czf b.tgz neural
tar czf - neural | ssh host 'cat > b.tgz'
tar xf archive.tar
tar -xzf archive.tgz -C /tmp/there
unzip -o archive.zip -d vendor
patch -p1 < neural/latest/x
rm -f core *.log
rm -rf build dist .pytest_cache *.egg-info
rm -rf node_modules && npm ci
rm -rf "$TMPDIR/cache"
rm -rf $BUILD_DIR && ls neural
rm -rf "${BUILD_DIR:?}"/*
rm -rf "$(mktemp -d)"
D=$(mktemp -d); cp -r neural/latest $D/; rm -rf $D
tmp=$(mktemp); jq .a neural/latest/x.json > "$tmp"; rm "$tmp"
for f in *.txt; do rm "$f"; done
for i in 1 2 3; do rm -f out_$i.log; done; ls neural
for f in neural/latest/reports/*.md; do cat "$f"; done
while read f; do echo "$f"; done < neural/latest/list
ls neural/latest | while read -r f; do echo "$f"; done
rm neural/scripts/old.py neural/configs/old.json
rm -rf neural/scripts/__pycache__
git ls-files neural/scripts | xargs rm -f
mv neural/scripts/a.py neural/scripts/b.py
mv src/old.py src/new.py
mkdir -p neural/{models,configs,scripts,tests} build/{a,b}
touch neural/scripts/__init__.py
echo '{}' > neural/configs/training.json
cat > neural/scripts/train.py <<'EOF'⏎import shutil⏎shutil.rmtree('neural/latest')⏎EOF
cat > notes.md <<EOF⏎Delete a run with rm -rf neural: no, use neuroloom rm.⏎EOF
tee -a notes.md < neural/latest/reports/performance-report.md
sed -n 1,20p neural/latest/configs/training.json
sed -i 's/a/b/' src/a.py neural/configs/training.json
awk '{print $1}' neural/latest/data/x.csv > /tmp/first
sort neural/latest/x | uniq -c | sort -rn | head
python train.py --out /tmp/out
python3 train.py --out neural/latest
python -m pytest tests/ -q
python -c "import json; print(json.load(open('neural/latest/data/snapshot.json')))"
python3 -c "print(open('neural/latest/x').read().replace('a', 'b'))"
python3 -c "from pathlib import Path; Path('/tmp/x').write_text(Path('neural/latest/x').read_text())"
python3 -c "import torch; m = torch.load('neural/latest/checkpoints/1.pt'); print(m.keys())"
python3 -c "import shutil; shutil.copy('neural/latest/models/model.onnx', '/tmp/model.onnx')"
python3 -c "import shutil; shutil.rmtree('build')"
python3 - <<EOF⏎import pandas as pd⏎print(pd.read_csv('neural/latest/data/x.csv').describe())⏎EOF
python3 <<'EOF'⏎import subprocess⏎subprocess.run(['ls', 'neural/latest'])⏎EOF
node -e "console.log(require('fs').readFileSync('neural/latest/x.json', 'utf8'))"
perl -ne 'print if /rm/' neural/latest/log
bash neural/latest/scripts/deploy.sh
bash -c 'cd neural/latest && ls'
bash -lc "python neural/latest/scripts/train.py --epochs 3"
(cd src && make clean) && rm -rf build
cd src && rm -rf *
pushd src && rm -f *.o && popd
git status
git add -A && git commit -m "rm -rf neural is refused now"
git commit -m "$(cat <<'EOF'⏎Remove neural/latest from the index⏎EOF⏎)"
git diff HEAD~1 -- neural
git checkout -b neural-fixes
git checkout -- .
git restore --staged .
git stash
git stash pop
git clean -n
git clean -fdx -e neural
git clean -fdx --exclude=neural
git -C src clean -fd
git rm --cached src/a.py
git mv src/a.py src/b.py
git log --oneline -- neural | head
make clean && make test
npm run build && npm test
npx prettier --write src
npx rimraf dist
pip install -e . && pip uninstall -y neuroloom
uv run python neural/latest/scripts/train.py
uv run pytest -q 2>&1 | tail -5
docker build -t x . && docker run --rm -v $PWD/neural:/data x ls /data
docker rm -f web && docker rmi x
kubectl delete pod web
curl -s localhost:8000/predict -d @neural/latest/examples/one.json | jq .
echo "rm -rf neural"
echo 'rm -rf neural' | tee notes.txt
printf 'neural/latest\n' >> .gitignore
history | grep 'rm -rf neural'
chmod +x neural/scripts/train.sh
chmod -R u+w build
sudo apt-get remove -y foo
sudo -H pip install x
time python neural/latest/scripts/train.py
timeout 10 ls neural
nohup python neural/latest/scripts/serve.py > serve.log 2>&1 &
xargs -n1 echo < neural/latest/list
ls neural | xargs -I{} echo {}
ls *.tmp | xargs rm -f
test -d neural && echo yes || rm -rf build
if [ -d neural ]; then ls neural; fi
[ -f neural/latest/x ] || touch missing
export RUN=neural/latest; python $RUN/scripts/train.py
neuroloom rm r-20261130-101112-abcd --yes
neuroloom run data.csv --target y > neural.log
cd $BUILD_DIR && rm -rf *
cd "$(mktemp -d)" && rm -rf ./*
cd - && ls neural
cat > notes.md <<'THE-END'⏎rm -rf neural⏎THE-END
cat <<'EOF' > notes.md⏎it's "rm -rf neural" (or `rm`)⏎EOF
python -c "import pandas as pd; print(pd.read_csv('neural/latest/x.csv').rename(columns={'a': 'neural'}))"
python -c "names = ['neural']; names.remove('neural')"
python -c "import requests; requests.delete('http://localhost/neural/latest')"
f() { rm -rf "$1"; }; f build
set -euo pipefail; rm -rf build
echo $((1 << 2)) && rm -rf "${TMPDIR:-/tmp}/x"
kill $(cat neural/latest/pid)
""".strip()
COMMANDS = [line.replace("⏎", "\n") for line in ORDINARY.splitlines()]
