#!/usr/bin/env bash
# fetch-policy-files.sh FOLDER: copies the system bus policies that Debian's packages ship into FOLDER.
# Packages are downloaded and unpacked, not installed; one that this release does not have is left out, and named.
set -euo pipefail

packages=(
  accountsservice avahi-daemon backintime-qt blueman bluez bluez-meshd bolt certmonger
  cinnamon-settings-daemon colord connman cups-pk-helper ddccontrol dhcpcd-dbus dnsmasq-base firewalld
  flatpak fprintd fwupd gdm3 geoclue-2.0 iio-sensor-proxy iwd kde-config-sddm kinfocenter kio-admin
  kwalletmanager libvirt-dbus lightdm low-memory-monitor mender-client modemmanager network-manager
  network-manager-fortisslvpn network-manager-iodine network-manager-l2tp network-manager-openconnect
  network-manager-openvpn network-manager-pptp network-manager-ssh network-manager-sstp network-manager-vpnc
  nfs-ganesha oddjob oddjob-mkhomedir ofono packagekit plasma-disks polkitd power-profiles-daemon powerdevil
  pulseaudio ratbagd realmd rtkit sddm smart-notifier snapd snapper sssd-dbus switcheroo-control sysprof
  system-config-printer-common systemd systemd-container systemd-homed systemd-oomd systemd-resolved
  systemd-timesyncd thermald timekpr-next tpm2-abrmd tuned udisks2 ukui-control-center ukui-power-manager
  ukui-settings-daemon upower urfkill usbguard wpasupplicant
)

folder=${1:?where to put the files}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missing=()
for package in "${packages[@]}"; do
  rm -rf "${work:?}"/*
  # apt downloads as a user of its own where it can, which cannot write here; it says so, and goes on.
  if ! (cd "$work" && apt-get download -qq "$package" >/dev/null 2>&1); then
    missing+=("$package")
    continue
  fi
  dpkg-deb --extract "$work"/*.deb "$work/unpacked"
  for place in etc usr/share; do
    for file in "$work/unpacked/$place"/dbus-1/system.d/*.conf; do
      if [ -e "$file" ]; then cp "$file" "$folder/"; fi
    done
  done
done
echo "$(find "$folder" -name '*.conf' | wc -l) files in $folder; not found: ${missing[*]:-none}"
