#!/bin/sh
# Takes a fleet down: guard.sh FOLDER [wait]
#
# With `wait`, waits first until standard input closes, which is when the process that owns the fleet ends, however it ends.
# Everything it touches is read from the fleet's own record; a process is killed only if it still is the one recorded.
dir=$1
registry=/run/rectify-fleet
[ "$2" = wait ] && cat >/dev/null
[ -d "$dir" ] || mkdir -p "$dir" # A record of a fleet whose disk went with a reboot: only its entry is left to remove.

# Not a zombie: its parent may live on without asking for it.
alive() { # PID STARTTIME
  stat=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) || return 1
  case $stat in '' | [ZX]*) return 1 ;; esac
  [ "$(echo "$stat" | cut -d' ' -f20)" = "$2" ]
}

touch "$dir/processes" "$dir/namespaces" "$dir/mounts" "$dir/cgroups"
while read -r pid start; do
  alive "$pid" "$start" && kill -KILL "$pid"
done <"$dir/processes"
# What else runs in namespaces that only this fleet has.
while read -r namespace; do
  for pid in $(ip netns pids "$namespace" 2>/dev/null); do kill -KILL "$pid" 2>/dev/null; done
done <"$dir/namespaces"
while read -r pid start; do
  tries=0
  while alive "$pid" "$start" && [ "$tries" -lt 200 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
done <"$dir/processes"
while read -r group; do
  tries=0
  while [ -d "$group" ] && [ "$tries" -lt 200 ]; do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.05
    tries=$((tries + 1))
  done
done <"$dir/cgroups"
while read -r mount; do
  mountpoint -q "$mount" && umount -l "$mount"
done <"$dir/mounts"
while read -r namespace; do
  ip netns del "$namespace" 2>/dev/null
done <"$dir/namespaces"

exec 9>"$registry/lock"
flock 9
rm -rf --one-file-system "$dir"
rm -f "$registry/fleets/$(basename "$dir")"
# The last fleet on this machine puts its limits back.
for other in "$registry"/fleets/*; do
  [ -e "$other" ] && exit 0
done
if [ -s "$registry/limits" ]; then
  while read -r key value; do echo "$value" >"$key"; done <"$registry/limits"
  rm -f "$registry/limits"
fi
exit 0
