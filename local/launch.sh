#!/bin/sh
# The command `flashsale`. Python, in its first instants, answers a Ctrl-C by a traceback, or loses
# it: where `env` can, it is held back until ours (local/interrupt.py) is there to take it.
here=$(dirname "$(readlink -f "$0")")
if env --block-signal=INT true 2> /dev/null; then
    exec env --block-signal=INT "$here/python" -m local.cli "$@"
fi
exec "$here/python" -m local.cli "$@"
