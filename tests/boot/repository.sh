# shellcheck shell=bash
# A package repository that answers with any of the keys of tests/boot/repository-keys and is signed by any of them, laid out as
# Docker's; and a host that takes Docker from it, by the real package manager in a chroot. Its packages hold next to nothing: the
# script of docker-ce leaves /installed, as root.
# shellcheck disable=SC2154 # `work` and the like are lib.sh's

packages=(docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin)

# apt_host FOLDER SUITE, dnf_host FOLDER SUITE: a Debian with what `setup` needs.
apt_host() { make_root "$1" "$2" --variant=apt --include=curl,gpg,ca-certificates,openssl; }
dnf_host() { make_root "$1" "$2" --variant=apt --include=dnf,rpm,curl,gpg,ca-certificates,openssl; }

# with_key NAME COMMAND…: with a keyring that has the private key of that name, to sign with.
with_key() {
    local name=$1 status=0
    shift
    # Not in `work`: the path of the agent's socket has a limit of some hundred bytes (unix(7)).
    GNUPGHOME=$(mktemp -d)
    export GNUPGHOME
    gpg --quiet --batch --import "$keys/secret/$name" 2>/dev/null
    "$@" || status=$?
    gpgconf --kill all
    rm -rf "$GNUPGHOME"
    unset GNUPGHOME
    return "$status"
}

# docker_files FOLDER: what the package docker-ce has.
docker_files() {
    mkdir -p "$1/usr/bin" "$1/usr/lib/systemd/system"
    printf '#!/bin/sh\necho "Docker version 28.0.0, build 0"\n' >"$1/usr/bin/dockerd"
    chmod 0755 "$1/usr/bin/dockerd"
    printf '[Service]\nExecStart=/usr/bin/dockerd\n' >"$1/usr/lib/systemd/system/docker.service"
}

# repository_for_apt SUITE: `signed` has the packages, signed by nobody yet.
repository_for_apt() {
    local suite=$1 package built=$work/built architecture
    architecture=$(dpkg --print-architecture)
    signed=$work/unsigned dists=dists/$suite
    mkdir -p "$signed/$dists/stable/binary-$architecture" "$signed/$dists/pool"
    for package in "${packages[@]}"; do
        mkdir -p "$built/$package/DEBIAN"
        printf '%s\n' "Package: $package" 'Version: 5:28.0.0-1' "Architecture: $architecture" 'Description: for a boot test' \
            'Maintainer: hostseed boot tests <nobody@example.invalid>' >"$built/$package/DEBIAN/control"
        if [[ $package == docker-ce ]]; then
            docker_files "$built/$package"
            printf '#!/bin/sh\nid -u >/installed\n' >"$built/$package/DEBIAN/postinst"
            chmod 0755 "$built/$package/DEBIAN/postinst"
        fi
        dpkg-deb --root-owner-group -Zgzip --build "$built/$package" "$signed/$dists/pool/$package.deb" >/dev/null
    done
    (
        cd "$signed" || exit
        apt-ftparchive packages "$dists/pool" >"$dists/stable/binary-$architecture/Packages"
        apt-ftparchive -o APT::FTPArchive::Release::Suite="$suite" -o APT::FTPArchive::Release::Codename="$suite" \
            -o APT::FTPArchive::Release::Components=stable -o APT::FTPArchive::Release::Architectures="$architecture" \
            release "$dists" >Release
        mv Release "$dists/Release"
    )
}

sign_for_apt() { # FOLDER
    gpg --quiet --batch --clearsign --output "$1/$dists/InRelease" "$1/$dists/Release"
}

# repository_for_dnf RELEASE: likewise.
repository_for_dnf() {
    local package built=$work/built spec
    signed=$work/unsigned stable=$1/$(uname -m)/stable
    mkdir -p "$signed/$stable"
    for package in "${packages[@]}"; do
        spec=$built/$package.spec
        mkdir -p "$built/$package"
        {
            printf '%s\n' "Name: $package" 'Version: 28.0.0' 'Release: 1' 'Summary: for a boot test' 'License: none' 'AutoReqProv: no' \
                '%description' 'For a boot test.' '%install' "mkdir -p %{buildroot} && cp -a $built/$package/. %{buildroot}/"
            if [[ $package == docker-ce ]]; then
                docker_files "$built/$package"
                # By rpm's own Lua: the host's shell is no package of rpm's.
                printf '%s\n' '%post -p <lua>' 'io.open("/installed", "w"):write("by rpm"):close()' '%files' /usr/bin/dockerd \
                    /usr/lib/systemd/system/docker.service
            else
                printf '%%files\n'
            fi
        } >"$spec"
        rpmbuild --quiet -bb --define "_topdir $built/rpmbuild" --define "_rpmdir $signed/$stable" --define '_build_id_links none' \
            --define 'debug_package %{nil}' --define '__os_install_post %{nil}' --define '_rpmfilename %%{NAME}.rpm' "$spec" >&2
    done
}

sign_for_dnf() { # FOLDER
    GPG_TTY=none rpmsign --define '__gpg /usr/bin/gpg' --define "_gpg_name $(gpg --with-colons --list-secret-keys | sed -n '/^fpr:/{s/^fpr:*\([0-9A-F]*\):$/\1/p;q}')" \
        --addsign "$1/$stable"/*.rpm >/dev/null
    createrepo_c --quiet "$1/$stable"
}

# serve_answers FAMILY DISTRIBUTION SIGNER…: what `repository_for_FAMILY` made is at `$mirror/ANSWER/SIGNER/linux/DISTRIBUTION`,
# with that answer for its key, signed by that signer.
serve_answers() {
    local family=$1 distribution=$2 signer answer
    shift 2
    for signer in "$@"; do
        cp -a "$signed" "$work/signed-$signer"
        with_key "$signer" "sign_for_$family" "$work/signed-$signer"
        for answer in "$keys/answer"/*; do
            mkdir -p "$work/www/${answer##*/}/$signer/linux"
            cp -al "$work/signed-$signer" "$work/www/${answer##*/}/$signer/linux/$distribution"
            cp "$answer" "$work/www/${answer##*/}/$signer/linux/$distribution/gpg"
        done
    done
    mirror=http://$outside:8080
    /usr/bin/python3 -m http.server --bind "$outside" --directory "$work/www" 8080 >"$work/www.log" 2>&1 &
    background+=($!)
    wait_for 10 "a repository listens at $mirror" answers_tcp "$outside" 8080
}

# take_docker ROOT ANSWER SIGNER KEY: `setup` on a copy of ROOT that is gone afterwards, with KEY as the expected one. Of it
# $work/host keeps `setup`'s status, output and log, and what docker-ce's script left. Where `afterwards` is set, that is run then, in
# the copy's folder.
take_docker() {
    local root=$1
    rm -rf "$work/host"
    mkdir -p "$work/host" "$work/layers"
    hs bake --docker official --docker-mirror "$mirror/$2/$3" --docker-key-fingerprint "$(<"$keys/fingerprint/$4")" \
        >"$work/host/bake"
    unshare --mount sh -euc '
        base=$1 layers=$2 host=$3 release=$4 afterwards=$5
        mount -t tmpfs tmpfs "$layers"
        mkdir "$layers/upper" "$layers/work" "$layers/root"
        mount -t overlay overlay -o "lowerdir=$base,upperdir=$layers/upper,workdir=$layers/work" "$layers/root"
        cd "$layers/root"
        mount -t proc proc proc
        mount --rbind /dev dev
        mount -t tmpfs tmpfs run
        rm -rf etc/apt/sources.list*
        mkdir etc/apt/sources.list.d
        [ -z "$release" ] || { rm etc/os-release && printf "%s\n" "$release" >etc/os-release; }
        cp "$host/bake" tmp/bake
        status=0
        no_proxy="*" chroot . sh /tmp/bake >"$host/console" 2>&1 || status=$?
        echo "$status" >"$host/status"
        eval "$afterwards" >>"$host/console" 2>&1
        cp var/log/hostseed.log "$host/log"
        [ ! -e installed ] || cp installed "$host/installed"
        [ ! -e etc/yum.repos.d/docker-ce.repo ] || cp etc/yum.repos.d/docker-ce.repo "$host/repo"
        # A socket or an agent of gpg that outlives `setup` would be here.
        find tmp run ! -type d ! -path tmp/bake >"$host/left"' sh "$root" "$work/layers" "$work/host" "${os_release:-}" "${afterwards:-}"
}

show_host() {
    cat "$work/host/console" "$work/host/log"
    fail "$1"
}

# check_installs ANSWER SIGNER: the expected key is D, and what the signer signed is installed.
check_installs() {
    take_docker "$host_root" "$1" "$2" D
    [[ $(<"$work/host/status") == 0 && -e $work/host/installed ]] || show_host "$1: a package signed by $2 is installed"
    [[ ! -s $work/host/left ]] || show_host "$1: setup leaves behind $(<"$work/host/left")"
    printf 'ok - %s: a package signed by %s is installed\n' "$1" "$2"
}

# check_keeps_out ANSWER SIGNER: the expected key is D, and nothing that the signer signed is installed or run.
check_keeps_out() {
    take_docker "$host_root" "$1" "$2" D
    [[ ! -e $work/host/installed ]] || show_host "$1: the script of a package signed by $2 ran"
    [[ $(<"$work/host/status") == 1 ]] || show_host "$1: setup fails for want of a package"
    printf 'ok - %s: a package signed by %s is not installed\n' "$1" "$2"
}

# check_refuses ANSWER SIGNER KEY PATTERN: setup trusts nothing, and says why.
check_refuses() {
    take_docker "$host_root" "$1" "$2" "$3"
    [[ ! -e $work/host/installed ]] || show_host "$1: the script of a package signed by $2 ran"
    grep -Eq "FAILED at 3/6: .*$4" "$work/host/console" || show_host "$1: setup refuses it"
    printf 'ok - %s: setup refuses it\n' "$1"
}

# check_answers: all of it. A sub-key that D has bound is D's; one that only its owner has bound is not.
check_answers() {
    local answer
    check_installs plain D
    check_keeps_out plain E
    for answer in secret-key-beside certificate-beside second-key; do
        check_keeps_out "$answer" E
        check_installs "$answer" D
    done
    check_keeps_out foreign-subkey F
    check_installs foreign-subkey D
    check_installs own-subkey D-with-subkey
    check_installs binary D
    check_refuses subkey-of-another G D "instead of $(<"$keys/fingerprint/D"), nothing was trusted"
    check_refuses expired E expired 'is expired, nothing was trusted'
    check_refuses revoked E revoked 'is revoked, nothing was trusted'
    check_refuses ten-megabytes D D 'curl: \(63\)'
}

# check_apt SUITE: by that Debian's apt.
check_apt() {
    repository_for_apt "$1"
    serve_answers apt debian D D-with-subkey E F G
    host_root=$(kept_root apt_host "$1")
    check_answers
}

# sign_metadata SIGNER: of the repository whose packages are D's.
sign_metadata() {
    rm -f "$index.asc"
    with_key "$1" gpg --batch --armor --detach-sign --output "$index.asc" "$index"
}

# check_dnf SUITE: by that Debian's dnf, on a Debian that calls itself another system.
check_dnf() {
    os_release='NAME="Rocky Linux"
ID=rocky
VERSION_ID=9.5
PRETTY_NAME="Rocky Linux 9.5 (Blue Onyx)"'
    repository_for_dnf 9
    index=$work/www/plain/D/linux/rocky/$stable/repodata/repomd.xml
    serve_answers dnf rocky D D-with-subkey E F G
    host_root=$(kept_root "${dnf:-dnf_host}" "$1")
    check_answers
    check_installs plain D
    check 'metadata without a signature is not asked for one' grep -qx gpgcheck=1 "$work/host/repo"
    check_not 'nor does the repository say so' grep -q repo_gpgcheck "$work/host/repo"
    sign_metadata E
    check_installs plain D
    check_not 'nor where another key has signed it' grep -q repo_gpgcheck "$work/host/repo"
    sign_metadata D
    # shellcheck disable=SC2016 # `host` is for later
    afterwards='
        chroot . dnf -y --refresh makecache && echo fetched >"$host/signed"
        printf "<!-- changed -->\n" >>"'$index'"
        ! chroot . dnf -y --refresh makecache || echo fetched >"$host/changed"'
    check_installs plain D
    check 'dnf checks the signature of metadata that D signed' grep -qx repo_gpgcheck=1 "$work/host/repo"
    check 'dnf fetches the metadata' test -e "$work/host/signed"
    check_not 'dnf refuses metadata that was changed since' test -e "$work/host/changed"
    check 'dnf says that the signature is bad' grep -Eqi 'repomd.xml GPG signature verification error|Bad (PGP|GPG) signature' "$work/host/console"
}

lay_network
keys=$work/keys
"$tests/repository-keys" "$keys"
