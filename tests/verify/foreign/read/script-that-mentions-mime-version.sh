#!/bin/sh
# Sends a mail.
printf "MIME-Version: 1.0\n" | sendmail root
