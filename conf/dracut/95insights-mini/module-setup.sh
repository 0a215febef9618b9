#!/bin/bash
# A dracut module: puts insights-mini.pyz, the Python that runs it and the command insights-rescue
# into an initramfs. Sourced by dracut, which calls the functions.
# shellcheck disable=SC2154  # initdir and moddir are dracut's

insights_client=/usr/local/bin/insights-mini.pyz

# What stays out of the standard library: caches, and what no collector needs.
insights_unneeded=(__pycache__ '*-packages' 'config-*' test tests '_test*.so' idlelib tkinter
    '_tkinter*' turtledemo ensurepip venv lib2to3 pydoc_data cgi.py sqlite3 '_sqlite3*' dbm
    '_dbm*' '_gdbm*' curses '_curses*' 'readline*' 'nis.*')

insights_python() {
    type -P python3 || type -P /usr/libexec/platform-python
}

# Only where it is asked for: dracut --add insights-mini, or add_dracutmodules+=" insights-mini ".
check() {
    [[ -f $insights_client ]] || {
        dinfo "insights-mini: no $insights_client: copy the client there"
        return 1
    }
    insights_python > /dev/null || {
        dinfo "insights-mini: no python3: install Python 3.6 or newer"
        return 1
    }
    return 255
}

depends() {
    echo base
}

install() {
    local python name folders files libraries unneeded=(-false)
    python=$(insights_python)
    mapfile -t folders < <("$python" -c 'import sysconfig
print(*{sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}, sep="\n")')
    for name in "${insights_unneeded[@]}"; do unneeded+=(-o -name "$name"); done
    mapfile -t files < <(find "${folders[@]}" \( "${unneeded[@]}" \) -prune \
        -o \( -name '*.py' -o -name '*.so' \) -print)
    # dracut looks for what executable files are linked with, which modules of Python need not be.
    mapfile -t libraries < <(printf '%s\n' "${files[@]}" | grep '\.so$' | xargs ldd |
        sed -n 's/.*=> \(\/.*\) (0x.*/\1/p' | sort -u)

    python=$(readlink -f "$python")
    inst_multiple "$python" "${files[@]}" "${libraries[@]}"
    [[ -e $initdir/usr/bin/python3 ]] || ln_r "$python" /usr/bin/python3
    inst_simple "$insights_client"
    inst_script "$moddir/insights-rescue.sh" /usr/bin/insights-rescue
}
