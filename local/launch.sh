#!/bin/sh
# The command `flashsale`. Python, in its first instants, answers a Ctrl-C by a traceback, or loses
# it: where `env` can, it is held back until ours (local/interrupt.py) is there to take it.
python=$(dirname "$(readlink -f "$0")")/python
[ -x "$python" ] || python=python3 # installed apart from its Python, as by pip --user
if env --block-signal=INT true 2> /dev/null; then
    exec env --block-signal=INT "$python" -m local.cli "$@"
fi
exec "$python" -m local.cli "$@"
