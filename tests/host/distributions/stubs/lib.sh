# What the stubs and the cases share: the transcript, and the state of the host that they play.
log=/stub/log
state=/stub/state

# note COMMAND…: one line of the transcript, its words quoted as a shell reads them.
note() {
    line='$'
    for word in "$@"; do
        case $word in
            '' | *[!A-Za-z0-9_@%+=:,./-]*) word="'$(printf %s "$word" | sed "s/'/'\\\\''/g")'" ;;
        esac
        line="$line $word"
    done
    echo "$line" >>"$log"
}

# seed, again: the whole script as a user gives it to the host, and `setup` as it is left there.
seed() {
    sh /seed
    echo "exit $?"
}

again() {
    printf '\nagain\n'
    /usr/local/lib/hostseed/setup
    echo "exit $?"
}

# first NAME N: true the first N times.
first() {
    times=$(cat "$state/$1" 2>/dev/null || echo 0)
    echo $((times + 1)) >"$state/$1"
    [ "$times" -lt "$2" ]
}

# arrives PACKAGE VERSION: what installing it puts there.
arrives() {
    package=$1 version=$2
    [ ! -e "/stub/packages/$1" ] || . "/stub/packages/$1"
    echo "$version" >"$state/package-$package"
}

# program PATH: a stub in that place.
program() {
    ln -sf /stub/stub "$1"
}

# unit NAME…: systemd's units, as packages bring them.
unit() {
    mkdir -p /usr/lib/systemd/system
    for unit in "$@"; do echo "[Unit]" >"/usr/lib/systemd/system/$unit"; done
}

# debian_starts: what a maintainer script of Debian's does once docker.service is there.
debian_starts() {
    if [ -x /usr/sbin/policy-rc.d ] && ! /usr/sbin/policy-rc.d docker start; then
        echo 'invoke-rc.d: policy-rc.d denied execution of start.'
    elif [ ! -e "$state/docker" ]; then
        echo active >"$state/docker"
    fi
}

# dockers_key URL: what curl gets from there, a key of Docker's. To these stubs a key is what gpg's --with-colons prints of it.
dockers_key() {
    case $1 in
        */linux/debian/gpg | */linux/ubuntu/gpg | */linux/raspbian/gpg)
            cat <<'END'
pub:-:4096:1:8D81803C0EBFCD88:1487788586:::-:::scESCA::::::23::0:
fpr:::::::::9DC858229FC7DD38854AE2D88D81803C0EBFCD88:
uid:-::::1487792064::A8AF2C4B0A4F6E3C9D1E7B5A0F8C6D4E2B1A3F5C::Docker Release (CE deb) <docker@docker.com>::::::::::0:
sub:-:4096:1:7EA0A9C3F273FCD8:1487788586::::::s::::::23:
fpr:::::::::D3306A018370199E527AE7997EA0A9C3F273FCD8:
END
            ;;
        */linux/*/gpg)
            cat <<'END'
pub:-:4096:1:C52FEB6B621E9F35:1487792586:::-:::scESCA::::::23::0:
fpr:::::::::060A61C51B558A7F742B77AAC52FEB6B621E9F35:
uid:-::::1487792586::5C4E2B1A3F5CA8AF2C4B0A4F6E3C9D1E7B5A0F8C::Docker Release (CE rpm) <docker@docker.com>::::::::::0:
END
            ;;
        *)
            echo 'curl: (22) The requested URL returned error: 404' >&2
            return 22
            ;;
    esac
}
