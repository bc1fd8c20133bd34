#!/bin/sh
# Makes the repositories that the vectors speak of: the same names, dates and so the same ids on every machine.
# Run it before the vectors; it starts from nothing each time. Needs sh and git alone.
set -eu
umask 022
top=/tmp/gitport-vectors
new=$top.$$
rm -rf "$new"
mkdir "$new"
cd "$new"
trap 'rm -rf "$new"' EXIT

# Nothing of the machine's or the caller's configuration may reach a repository.
unset $(git rev-parse --local-env-vars)
export HOME="$new" XDG_CONFIG_HOME="$new" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_ATTR_NOSYSTEM=1
export GIT_AUTHOR_NAME='Ada Lovelace' GIT_AUTHOR_EMAIL=ada@example.org
export GIT_COMMITTER_NAME='Grace Hopper' GIT_COMMITTER_EMAIL=grace@example.org

hour=1700000000
tick() {
    hour=$((hour + 3600))
    export GIT_AUTHOR_DATE="$hour +0200" GIT_COMMITTER_DATE="$((hour + 60)) -0330"
}
commit() {
    tick
    git add -A
    git commit -q -m "$1"
}
create() {
    git init -q --template= -b main "$1"
    cd "$new/$1"
    git config core.autocrlf false
    git config gc.auto 0
}
clone() {
    git clone -q --template= "$@" 2>/dev/null
}

# An ordinary repository: folders, every kind of file, a merge, a rename, tags.
create repository
mkdir -p deploy/nested src
printf 'The first line.\nThe second line.\nThe third line.\n' > README.md
printf 'name: vectors\nsize: 1\n' > config.yaml
printf 'app: one\n' > app.yml
printf 'hidden: true\n' > .hidden.yaml
printf '*.log\n' > .gitignore
printf 'two dots\n' > a..b.txt
printf 'stage: 1\n' > deploy/staging.yaml
printf 'stage: 2\n' > deploy/production.yml
printf 'Not a definition.\n' > deploy/notes.txt
printf 'deep: true\n' > deploy/nested/deep.yaml
printf 'int main(void) {\n    return 0;\n}\n\n/* long enough to be found again under another name */\n' > src/main.c
printf '#!/bin/sh\necho run\n' > run.sh
chmod 755 run.sh
commit 'the first commit

It has a body.'
printf '\000\001\002\375\376\377' > image.bin
printf 'latin: 1\n' > "$(printf 'caf\351.yaml')"
: > empty.txt
ln -s README.md link
ln -s deploy folder-link
commit 'every kind of file'
git checkout -q -b side
printf 'from the side\n' > side.txt
commit 'side: a file of its own'
git checkout -q main
printf 'name: vectors\nsize: 2\n' > config.yaml
commit 'config: size is 2'
tick
git tag -a -m 'version 1' v1
git tag light
tick
git merge -q --no-ff -m 'merge side' side
git mv src/main.c src/program.c
git rm -q app.yml
commit 'src: another name'
# What a checkout cannot show everywhere: a submodule that is nowhere, an author in Latin-1.
tree=$({ git ls-tree main; printf '160000 commit %040d\tmodule\n' 7; } | git mktree --missing)
tick
# `git commit-tree` would make UTF-8 of it.
odd=$(printf 'tree %s\nparent %s\nauthor Andr\351 <andre@example.org> %s\ncommitter Grace Hopper <grace@example.org> %s\n\nof Andr\351\n' \
    "$tree" "$(git rev-parse main)" "$GIT_AUTHOR_DATE" "$GIT_COMMITTER_DATE" | git hash-object -t commit -w --stdin)
git update-ref refs/heads/odd "$odd"
cd "$new"

clone --bare repository bare.git
git -C bare.git remote remove origin
# Clones whose origin is the address they will have.
for name in work clone dirty stage; do
    clone bare.git "$name"
    git -C "$name" remote set-url origin "$top/bare.git"
done
git -C clone reset -q --hard HEAD~2
clone --bare bare.git mirror.git
git -C mirror.git remote set-url origin "$top/bare.git"
git -C mirror.git update-ref refs/heads/main refs/tags/light

# Bare ones whose refs move, one for each operation that moves them or reads what another one did.
for name in commit branch tag update merge publish get list; do
    clone --bare bare.git "$name.git"
    git -C "$name.git" remote remove origin
done
# What notes are written in.
clone --bare bare.git noted.git

# Everything `status` can tell but a conflict.
cd dirty
printf 'staged\n' > added.txt
git add added.txt
printf 'staged\n' >> README.md
git add README.md
printf 'and again\n' >> README.md
printf 'changed\n' >> config.yaml
git rm -q deploy/notes.txt
rm side.txt
rm empty.txt
ln -s README.md empty.txt
printf 'new\n' > untracked.txt
printf 'log\n' > debug.log
cd "$new"

# What a commit of everything takes.
printf 'changed\n' > stage/config.yaml
printf 'new\n' > stage/new.txt
rm stage/side.txt

# A merge that a person has to end.
create merging
printf 'base\n' > file.txt
commit 'base'
git checkout -q -b theirs
printf 'theirs\n' > file.txt
commit 'theirs'
git checkout -q main
printf 'ours\n' > file.txt
commit 'ours'
git merge -q theirs > /dev/null 2>&1 || true
cd "$new"

clone --bare merging conflict.git

# A remote with a branch whose name is no UTF-8.
git init -q --template= --bare -b main latin.git
git init -q --template= --bare -b main locks.git
git -C latin.git fetch -q ../bare.git refs/tags/light:refs/heads/main
printf '%s refs/heads/caf\351\n' "$(git -C latin.git rev-parse main)" > latin.git/packed-refs

# What is pushed to.
git clone -q --bare --template= bare.git taking.git

# Definitions to run, and a repository of them for each operation on runs and tasks.
create running
cat > order.yaml << 'end'
process_name: order
process_version: "0.9.0"
data: {total: 0}
input: {properties: {total: {type: integer}}}
steps:
  - {step_id: order, step_type: route, split: all, next: [pack, check, sign, stamp, paid]}
  - {step_id: pack, step_type: shelf, queue: store, priority: 7, title: Pack it, configuration: {shelf: 4}}
  - {step_id: check}
  - {step_id: sign, queue: office, assignee: ada}
  - {step_id: stamp, queue: office, roles: [clerk, lead]}
  - {step_id: paid, await: paid}
end
commit 'a definition'
sed s/0.9.0/1.0.0/ order.yaml > new.yaml
mv new.yaml order.yaml
cat > wait.yaml << 'end'
process_name: wait
process_version: "1.0.0"
steps:
  - {step_id: paid, await: {event: paid, key: "'p1'"}, next: close}
  - {step_id: close, step_type: final_commit, final_status: closed}
end
printf 'process_name: bill\nprocess_version: "1.0.0"\nsteps: [{step_id: delivered, call: wait}]\n' > bill.yaml
printf 'process_name: go\nsteps: [{step_id: go, step_type: route}]\n' > go.yaml
printf 'process_name: lost\nsteps: [{step_id: go, next: gone}]\n' > lost.yaml
printf 'process_name: odd\nstepz: []\n' > odd.yaml
# The same with another name for a step, where runs move to.
sed -e s/1.0.0/2.0.0/ -e s/sign,/seal,/ order.yaml > moved.yaml
cat > reach.yaml << 'end'
process_name: reach
steps:
  - {step_id: begun, step_type: route, milestone: begun, next: paid}
  - {step_id: paid, await: paid, milestone: paid, next: lost}
  - {step_id: lost, step_type: route, end: failed}
end
commit 'more definitions'
cd "$new"
for name in run.start run.get run.list run.history run.graph run.verify run.signal run.cancel \
    run.suspend run.resume run.retry run.fork run.migrate run.prune \
    task.claim task.complete task.fail task.heartbeat task.release task.list \
    trigger.list trigger.test trigger.pause trigger.resume \
    receipt.list receipt.get receipt.verify task.subscribe task.credit \
    policy.set policy.get policy.remove policy.check policy.denials; do
    clone --bare running "$name.git"
    git -C "$name.git" remote remove origin
done
# What nobody ran.
git -C run.verify.git update-ref refs/workflow/executions/forged main

create empty
cd "$new"

# The blob of README.md holds nothing that could be unpacked.
create corrupt
printf 'broken\n' > README.md
printf 'sound\n' > sound.txt
commit 'before the accident'
blob=$(git rev-parse HEAD:README.md)
object=.git/objects/$(echo "$blob" | cut -c 1-2)/$(echo "$blob" | cut -c 3-)
rm -f "$object"
printf 'garbage' > "$object"
cd "$new"

create future
git config core.repositoryformatversion 1
git config extensions.objectformat sha256
cd "$new"

mkdir -p folder/sub
printf 'number: 1\n' > folder/one.yaml
printf 'number: 2\n' > folder/two.yml
printf 'number: 3\n' > folder/three.txt
printf 'number: 4\n' > folder/sub/four.yaml
printf 'hidden: true\n' > folder/.hidden.yaml
ln -s one.yaml folder/link.yaml
ln -s /etc folder/outside

# A daemon that has to do with the old ones may write there meanwhile.
old=$new.old
[ ! -e "$top" ] || mv "$top" "$old"
mv "$new" "$top"
rm -rf "$old" || { sleep 1 && rm -rf "$old"; }
trap - EXIT
