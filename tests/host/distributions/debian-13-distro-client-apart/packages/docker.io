# docker.io 26.1 recommends docker-cli, and this host installs no recommended packages.
program /usr/sbin/dockerd
echo '26.1.5+dfsg1, build a72d7cd' >"$state/dockerd"
unit docker.service docker.socket containerd.service
debian_starts
