#!/bin/sh
# Runs `systemd --user` in namespaces of its own, switches it over to onehop and back, and prints what was seen.
# $1: a folder to use; $2: the daemon; $3: packaging/user. Started by: unshare --cgroup --mount --pid --fork --mount-proc
set -eu
folder=$1 daemon=$2 units=$3
mount --make-rprivate /
mount -t cgroup2 none /sys/fs/cgroup
group=/sys/fs/cgroup/onehop-test-$(basename "$folder")
mkdir "$group" && echo $$ > "$group/cgroup.procs"
# systemd takes this folder for the proof that it runs here.
mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/user/0 && chmod 700 /run/user/0
mount -t tmpfs none /usr/local/bin && ln -s "$daemon" /usr/local/bin/onehop-dbus-daemon
export HOME="$folder/home" XDG_RUNTIME_DIR=/run/user/0 PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
unset DBUS_SESSION_BUS_ADDRESS XDG_CONFIG_HOME XDG_DATA_HOME
mkdir -p "$HOME/.config/systemd/user"
/lib/systemd/systemd --user --log-target=console 2> "$folder/log" &
manager=$!
until systemctl --user is-active --quiet dbus.socket 2> /dev/null; do sleep 0.05; done

echo "before=$(systemctl --user show -P Id dbus.service)"

# As docs/install.md says.
cp "$units/onehop.service" "$HOME/.config/systemd/user/"
systemctl --user daemon-reload
systemctl --user enable onehop.service 2> /dev/null
echo "enabled=$(systemctl --user show -P Id dbus.service)"
export DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
busctl --user call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus GetId > /dev/null
echo "state=$(systemctl --user show -P SubState dbus.service)"
main=$(systemctl --user show -P MainPID dbus.service)
echo "command=$(tr '\0' ' ' < "/proc/$main/cmdline")"
dbus-update-activation-environment --systemd ONEHOP_TEST=1
echo "environment=$(systemctl --user show-environment | grep ONEHOP_TEST)"
systemctl --user reload dbus.service
echo "reloaded=$(systemctl --user show -P SubState dbus.service)"

systemctl --user stop dbus.service 2> /dev/null
echo "result=$(systemctl --user show -P Result onehop.service) status=$(systemctl --user show -P ExecMainStatus onehop.service)"
systemctl --user disable onehop.service 2> /dev/null
rm "$HOME/.config/systemd/user/onehop.service"
systemctl --user daemon-reload
echo "after=$(systemctl --user show -P Id dbus.service)"
kill "$manager"
wait "$manager" || true
