unit containerd.service
