#!/bin/sh
# Debian's Chromium for the tests of the page, where that can be had without asking anybody.
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
as_root=""
[ "$(id -u)" = 0 ] || as_root="sudo -n"
if command -v apt-get >/dev/null && $as_root apt-get update -qq && $as_root env \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; then
    exit 0
fi >/dev/null 2>&1
echo "Chromium could not be installed here (it takes apt-get and root): the tests of the page in a"
echo "browser will be skipped. Install chromium, or put a google-chrome on the PATH, and try again."
