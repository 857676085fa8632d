#!/usr/bin/env bash
# fetch-policy-files.sh FOLDER: copies the system bus policies that Debian's packages ship into FOLDER.
# Packages are downloaded and unpacked, not installed; one that this release does not have is left out, and named.
set -euo pipefail

packages=(
  accountsservice avahi-daemon blueman bluez bolt boltd certmonger cinnamon-settings-daemon colord connman
  cups-pk-helper dnsmasq-base dundee firewalld flatpak fprintd fwupd gdm3 geoclue-2.0 gnome-initial-setup
  gnome-remote-desktop gnome-shell-extension-gamemode hostapd iio-sensor-proxy iwd kde-config-screenlocker
  kded5 kinfocenter kpackagelauncherqml ksystemstats kwalletmanager language-selector-common libblockdev-utils2
  libkf5auth-bin libvirt-dbus lightdm low-memory-monitor lxdm mate-settings-daemon-common
  mate-power-manager malcontent modemmanager neard network-manager network-manager-fortisslvpn
  network-manager-iodine network-manager-l2tp network-manager-openconnect network-manager-openvpn
  network-manager-pptp network-manager-ssh network-manager-sstp network-manager-strongswan
  network-manager-vpnc ntpsec oddjob oddjob-mkhomedir ofono openvpn-systemd-resolved packagekit
  partitionmanager pcscd polkitd powerdevil power-profiles-daemon pulseaudio ratbagd realmd rtkit
  sddm smart-notifier snapd snapper spice-vdagent sssd-dbus sssd-common switcheroo-control system-config-printer-common
  systemd systemd-container systemd-coredump systemd-homed systemd-oomd systemd-resolved systemd-timesyncd
  thermald timekpr-next tuned udisks2 udisks2-btrfs update-notifier-common upower urfkill usb-creator-common usbguard
  usbguard-notifier wpasupplicant xfce4-power-manager xpra-server yum-utils anbox ayatana-indicator-power
  backintime-qt bumblebee cpupower-gui dbus-broker dde-daemon debomatic deepin-anything-server dhcpcd-dbus
  ead ell engrampa fcitx freeipa-client gammastep gconf-service gpsd guix isenkram-session kdeconnect kpmcore
  libaccounts-glib0 libimobiledevice6 lirc mintupdate muon nemo nvidia-powerd nyx obex-data-server onboard
  openrazer-daemon plasma-workspace plasma-disks pkexec plymouth python3-dbusmock python3-slip-dbus python3-ufw
  qapt-batch qaptworker rygel scx-scheds synce-hal telepathy-mission-control-5 tlp tracker udev-discover
  ubuntu-drivers-common usb-modeswitch virt-manager wicd-daemon wicked x2goserver zeitgeist-core zramswap
  gnome-settings-daemon gnome-system-monitor kde-config-sddm kde-config-gtk-style kio-admin khelpcenter
  kuser user-manager ukui-power-manager ukui-control-center ukui-settings-daemon libukui-common
  nautilus-admin initial-setup cockpit-bridge cockpit-ws pamac sysprof uresourced gamemode gamemode-daemon
  iwgtk wpan-tools bmusb clight clightd ddccontrol brightness-controller auto-cpufreq asusctl supergfxctl
  dleyna-server fwupd-qubes kdump-tools mender-client rauc swupdate ostree rpm-ostree libzypp-plugin-appdata
  pk4 apt-config-auto-update aptdaemon sessioninstaller gnome-software update-manager unattended-upgrades
  lxc lxcfs lxd machinectl libvirt-daemon-system virtlockd nfs-ganesha stratis-cli stratisd storaged targetd
  mdadm multipath-tools ganeti pacemaker corosync openhpid trousers tpm2-abrmd tpm2-tss swtpm
  bluez-obexd bluez-meshd bluez-mesh pulseaudio-module-bluetooth pipewire wireplumber alsa-state jackd2 timidity
  speech-dispatcher brltty espeakup orca ibus
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
  dpkg-deb --extract "$work"/*.deb "$work/root"
  for place in etc usr/share; do
    for file in "$work/root/$place"/dbus-1/system.d/*.conf; do
      if [ -e "$file" ]; then cp "$file" "$folder/"; fi
    done
  done
done
echo "$(find "$folder" -name '*.conf' | wc -l) files in $folder; not found: ${missing[*]:-none}"
