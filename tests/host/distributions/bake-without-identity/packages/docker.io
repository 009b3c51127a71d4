program /usr/sbin/dockerd
program /usr/bin/docker
echo "20.10.24+dfsg1, build 297e128" >"$state/dockerd"
unit docker.service docker.socket containerd.service
mkdir -p /var/lib/dbus /var/cache/apt/archives
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
cp /etc/machine-id /var/lib/dbus/machine-id
: >/var/cache/apt/archives/docker.io_20.10.24_amd64.deb
debian_starts
