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
