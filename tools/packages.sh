# Which Debian packages each command of ./capos needs, and how they come onto this machine.
# Sourced by ./capos; nothing else installs anything. A package counts as present when what we use
# of it is: a command on PATH, or a file. So a second run asks neither dpkg nor apt.

# set, package, probe
packages_table='
build clang                 clang
build lld                   ld.lld
build llvm                  llvm-ar
build make                  make
build capnproto             capnp
build python3               /usr/bin/python3
run   qemu-system-x86       qemu-system-x86_64
test  libcmocka-dev         /usr/include/cmocka.h
test  libclang-rt-14-dev    /usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.asan-x86_64.a
test  python3-pytest        /usr/lib/python3/dist-packages/pytest
test  python3-pexpect       /usr/lib/python3/dist-packages/pexpect
test  ovmf                  /usr/share/ovmf/OVMF.fd
test  spin                  spin
prove frama-c-base          frama-c
prove why3                  why3
prove cvc4                  cvc4
prove z3                    z3
image grub-common           grub-mkrescue
image grub-pc-bin           /usr/lib/grub/i386-pc/boot.img
image grub-efi-amd64-bin    /usr/lib/grub/x86_64-efi/normal.mod
image xorriso               xorriso
image mtools                mformat
linux libc6-dev             /usr/lib/x86_64-linux-gnu/libc.a
fresh debootstrap           debootstrap
fresh git                   git
fresh python3-pexpect       /usr/lib/python3/dist-packages/pexpect
fresh python3               /usr/bin/python3
'

package_present() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

packages_missing() {
	echo "$packages_table" | while read -r set package probe; do
		for wanted in "$@"; do
			[ "$set" = "$wanted" ] || continue
			package_present "$probe" || echo "$package"
		done
	done | sort -u
}

# Root's own shell, or sudo when there is one.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# packages_need SET...: returns with everything in place, or ends with one line that says what to do.
packages_need() {
	PATH=$PATH:/usr/sbin:/sbin
	missing=$(packages_missing "$@" | tr '\n' ' ')
	missing=${missing% }
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null 2>&1 ||
		fail "missing: $missing. This is no Debian: install what they hold yourself"
	[ "${CAPOS_INSTALL:-yes}" != no ] ||
		fail "missing packages; install them with: apt-get install --no-install-recommends $missing"
	[ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null 2>&1 ||
		fail "missing packages and no sudo; as root: apt-get install --no-install-recommends $missing"
	echo "capOS needs these Debian packages: $missing"
	packages_install "$missing"
}

# $1 is the list of names, split on purpose.
packages_install() {
	# shellcheck disable=SC2086
	plan=$(packages_plan $1) || {
		echo "Reading the package lists first (apt-get update)."
		as_root apt-get -q=2 update || fail "apt-get update failed; see its message above"
		# shellcheck disable=SC2086
		plan=$(packages_plan $1) || fail "apt-get cannot find: $1. Debian 12's main archive has them"
	}
	echo "$plan" | packages_describe
	log=$(mktemp)
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q=2 -y --no-install-recommends install $1 \
		>"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		fail "apt-get install failed; its whole output is in $log"
	}
	rm -f "$log"
	echo "Installed."
}

packages_plan() {
	LC_ALL=C apt-get -y --no-install-recommends --print-uris install "$@" 2>/dev/null
}

# "Need to get 151 MB of archives." and so on. The time supposes 10 MB/s for the download and
# 20 MB/s for unpacking.
packages_describe() {
	awk '
	function megabytes(number, unit) {
		gsub(",", "", number)
		if (unit == "GB") return number * 1000
		if (unit == "MB") return number + 0
		return number / 1000
	}
	/ newly installed/ { count = $3 }
	/^Need to get/ {
		size = $4; unit = $5
		sub("/.*", "", unit)
		get = megabytes(size, unit)
	}
	/^After this operation/ { disk = megabytes($4, $5) }
	END {
		seconds = get / 10 + disk / 20 + count / 4
		if (seconds < 50) time = "less than a minute"
		else time = sprintf("about %d minutes", seconds / 60 + 1)
		printf "Installing %d packages with what they depend on: %d MB to download, %d MB on disk, %s.\n", \
			count, get + 0.5, disk + 0.5, time
	}'
}
