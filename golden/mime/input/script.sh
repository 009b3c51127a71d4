#!/bin/sh
docker version >/root/docker-version
