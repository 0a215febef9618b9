#!/bin/sh
# insights-rescue FOLDER [ROOT]: in the emergency shell, collect from the host whose disk is mounted
# at ROOT (/sysroot) and put the archive into FOLDER, on a disk or a stick that is mounted too.
if [ -z "$1" ]; then
    echo "usage: insights-rescue FOLDER-FOR-THE-ARCHIVE [MOUNTED-ROOT]" >&2
    exit 2
fi
root=${2:-/sysroot}
if [ ! -d "$root/etc" ]; then
    echo "insights-rescue: no host at $root: mount its disk there first, best with -o ro" >&2
    exit 1
fi
exec python3 /usr/local/bin/insights-mini.pyz --offline --analyze-mountpoint "$root" \
    --output-dir "$1"
