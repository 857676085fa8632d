#!/bin/sh
# Runs systemd as the first process of namespaces of its own, with the system bus and little else, until the probe has
# written what it saw. $1: a folder to use; $2: the daemon; $3: packaging/system.
# Started by: unshare --cgroup --mount --pid --uts --ipc --fork --mount-proc
set -eu
folder=$1 daemon=$2 packaged=$3
units=$folder/units
mkdir "$units"
cp "$packaged"/* "$units"
ln -s onehop.service "$units/dbus.service"
# Nothing of what a machine does when it boots: its own units are not looked for.
for target in sysinit basic sockets shutdown; do
  printf '[Unit]\nDefaultDependencies=no\n' > "$units/$target.target"
done
cat > "$units/onehop-test.target" <<EOF
[Unit]
DefaultDependencies=no
Wants=dbus.socket probe.service
EOF
cat > "$units/probe.service" <<EOF
[Unit]
DefaultDependencies=no
After=dbus.socket
[Service]
Type=oneshot
ExecStart=/bin/sh $folder/probe.sh
StandardOutput=file:$folder/out
StandardError=file:$folder/out
EOF
cat > "$folder/probe.sh" <<'EOF'
busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus GetId > /dev/null
echo "serves=$(systemctl show -P Id dbus.service)"
echo "state=$(systemctl show -P SubState dbus.service)"
main=$(systemctl show -P MainPID dbus.service)
echo "uid=$(sed -n 's/^Uid:\t//p' "/proc/$main/status" | tr '\t' ' ')"
systemctl reload dbus.service
echo "reload=$?"
echo "reloaded=$(systemctl show -P SubState dbus.service)"
systemctl stop dbus.service dbus.socket
echo "result=$(systemctl show -P Result dbus.service) status=$(systemctl show -P ExecMainStatus dbus.service)"
EOF
mount --make-rprivate /
mount -t cgroup2 none /sys/fs/cgroup
group=/sys/fs/cgroup/onehop-test-$(basename "$folder")
mkdir "$group" && echo $$ > "$group/cgroup.procs"
mount -t tmpfs none /run && mkdir -p /run/dbus
mount -t tmpfs none /usr/local/bin && ln -s "$daemon" /usr/local/bin/onehop-dbus-daemon
export container=onehop-test SYSTEMD_UNIT_PATH="$units" SYSTEMD_GENERATOR_PATH=/nonexistent
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
exec /lib/systemd/systemd --system --unit=onehop-test.target --log-target=console --show-status=0 2> "$folder/log"
