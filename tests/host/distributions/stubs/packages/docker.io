program /usr/sbin/dockerd
program /usr/bin/docker
echo "20.10.24+dfsg1, build 297e128" >"$state/dockerd"
unit docker.service docker.socket containerd.service
debian_starts
