# shellcheck shell=bash
#
# The Linux guest's disks and kernel, made of Debian packages and kept for later runs in
# ${XDG_CACHE_HOME:-~/.cache}/sekisho/guest-KEY (about 250 MB), where KEY is a checksum of what they are
# made from. Two machines can run it: uml (Debian's user-mode-linux; a second or two to boot) and qemu
# (without KVM; five to fifteen). The first build takes about half a minute, qemu's part another one.

GUEST_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sekisho
GUEST_FILES=$INTEROP/linux

IMAGE_PACKAGES=(iproute2 kmod mount procps iputils-ping util-linux openssh-server tcpdump python3
  strongswan-swanctl charon-systemd
  libcharon-extra-plugins libstrongswan-standard-plugins libstrongswan-extra-plugins)

image_directory() {
  local key
  key=$({
    cat "$GUEST_FILES"/*
    declare -f image_root image_modules image_uml image_qemu
    declare -p IMAGE_PACKAGES
  } | sha256sum | cut -c1-12)
  echo "$GUEST_CACHE/guest-$key"
}

# image_lacks MACHINE: what this machine lacks to build and run it, in a sentence
image_lacks() {
  local program wanted=(mmdebstrap mke2fs ssh ssh-keygen flock depmod) group=guest
  case $1 in
  uml) wanted+=(linux.uml gcc) ;;
  qemu)
    wanted+=(qemu-system-x86_64 busybox cpio)
    group=guest-qemu
    ;;
  *) die "no machine is called '$1'; uml or qemu" ;;
  esac
  for program in "${wanted[@]}"; do
    if ! command -v "$program" >/dev/null; then
      echo "$program is not installed; run tools/install-dependencies $group"
      return
    fi
  done
}

image_step() { printf '   %3d s  %s\n' "$((SECONDS - image_start))" "$*"; }
# image_progress: mmdebstrap's own words, its bar left out
image_progress() {
  tr '\r' '\n' | while IFS= read -r line; do
    case $line in I:*) image_step "${line#I: }" ;; W:* | E:*) echo "$line" >&2 ;; esac
  done
}

# image_have MACHINE: is it there already?
image_have() {
  local dir
  dir=$(image_directory)
  [[ -e $dir/root.ready && -e $dir/$1.ready ]]
}

# image_build MACHINE: makes what is missing, with progress. Two runs wait for each other. What goes
# wrong ends the shell, after saying so on standard error: `guest build` is the one to call.
image_build() {
  local dir part lock
  dir=$(image_directory)
  (umask 077 && mkdir -p "$dir")
  exec {lock}>"$GUEST_CACHE/lock"
  flock "$lock"
  image_start=$SECONDS
  for part in root "$1"; do
    [[ ! -e $dir/$part.ready ]] || continue
    image_step "the Linux guest's image, part '$part': made once, kept in $GUEST_CACHE"
    rm -rf "$dir/new-$part"
    mkdir -p "$dir/new-$part"
    "image_$part" "$dir/new-$part"
    mv "$dir/new-$part"/* "$dir/"
    rmdir "$dir/new-$part"
    touch "$dir/$part.ready"
  done
  touch "$dir"
  # Those of older versions of these scripts; one in use is touched each time.
  find "$GUEST_CACHE" -mindepth 1 -maxdepth 1 -name 'guest-*' -mtime +7 -exec rm -rf {} +
  exec {lock}>&-
}

# The mirrors that this machine uses for Debian 12
image_sources() {
  # shellcheck disable=SC2016  # apt-get fills these in
  apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' \
    'Created-By: Packages' 'Origin: Debian' | sort -u
}

image_root() { # DIRECTORY
  local root=$1/root include sources
  include=$(printf '%s,' "${IMAGE_PACKAGES[@]}")
  sources=$(image_sources)
  [[ -n $sources ]] || die "apt here has no Debian 12 to make the guest's root from"
  image_step "Debian 12 and ${#IMAGE_PACKAGES[@]} packages"
  nice mmdebstrap --mode=root --variant=essential --include="${include%,}" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
    bookworm "$root" - <<<"$sources" 2>&1 | image_progress
  image_step "installed; making the disk"
  install -m 755 "$GUEST_FILES/init" "$root/sbin/guest-init"
  install -m 755 "$GUEST_FILES/enter" "$root/usr/local/sbin/guest-enter"
  ssh-keygen -q -t ed25519 -N '' -C guest -f "$1/id"
  install -d -m 700 "$root/root/.ssh"
  install -m 600 "$1/id.pub" "$root/root/.ssh/authorized_keys"
  chroot "$root" ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/guest_host_key
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/lib/modules/*
  mkdir -p "$root/usr/lib/modules"
  image_disk "$root" "$1/root.img"
  image_step "done"
}

image_disk() { # TREE FILE: which takes the tree away
  local megabytes
  megabytes=$(du -sm "$1" | cut -f1)
  mke2fs -q -F -t ext4 -O ^has_journal -m 0 -d "$1" "$2" "$((megabytes * 5 / 4 + 32))M" >/dev/null
  rm -rf --one-file-system "$1"
}

# image_modules MODULES FILE: the modules that matter here, out of lib/modules/VERSION, as a disk
image_modules() {
  local from=$1 version=${1##*/} stage=$2.tree part
  local to=$stage/lib/modules/$version
  mkdir -p "$to/kernel"
  for part in net crypto lib arch/x86/crypto fs/overlayfs drivers/net drivers/virtio \
    drivers/block drivers/char drivers/crypto; do
    [[ -d $from/kernel/$part ]] || continue
    mkdir -p "$to/kernel/${part%/*}"
    cp -a "$from/kernel/$part" "$to/kernel/${part%/*}/"
  done
  rm -rf "$to/kernel/drivers/net/"{ethernet,wireless,usb,can,hamradio}
  cp -a "$from"/modules.{builtin,order} "$to/"
  find "$stage" -name '*.ko' -exec strip --strip-debug {} +
  depmod -b "$stage" "$version"
  image_disk "$stage/lib/modules" "$2"
  rm -rf "$stage"
}

image_uml() { # DIRECTORY
  local modules=(/usr/lib/uml/modules/*)
  image_step "user-mode Linux"
  cp "$(command -v linux.uml)" "$1/linux.uml"
  image_modules "${modules[0]}" "$1/modules-uml.img"
  gcc -O2 -shared -fPIC -o "$1/uml_preload.so" "$GUEST_FILES/uml_preload.c"
  image_step "done"
}

image_qemu() { # DIRECTORY
  local tree=$1/tree initrd=$1/initrd package module
  mkdir -p "$tree" "$initrd"/{bin,dev,proc,sys,root,mod}
  image_step "Debian's kernel for virtual machines"
  package=$(apt-cache depends linux-image-cloud-amd64 |
    sed -n 's/^  Depends: \(linux-image-.*\)/\1/p' | head -n 1)
  (cd "$tree" && apt-get -q download "${package:?apt-cache knows no linux-image-cloud-amd64}" >/dev/null)
  dpkg-deb -x "$tree/$package"_*.deb "$tree"
  cp "$tree"/boot/vmlinuz-* "$1/vmlinuz"
  cp "$(command -v busybox)" "$initrd/bin/busybox"
  for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do
    find "$tree/lib/modules" -name "$module.ko" -exec cp {} "$initrd/mod/" \;
  done
  install -m 755 "$GUEST_FILES/initrd-init" "$initrd/init"
  (cd "$initrd" && find . | cpio --quiet -o -H newc | gzip -1) >"$1/initrd.gz"
  image_modules "$(find "$tree/lib/modules" -mindepth 1 -maxdepth 1 -type d)" "$1/modules-qemu.img"
  rm -rf "$tree" "$initrd"
  image_step "done"
}
