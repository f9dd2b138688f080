#!/bin/sh
# Run a command of labeler, and end with 0 where it finished although some files failed (exit code 1): their rows say so.
# A scheduler would take 1 for a failure, and run the same again. Other codes stay, and SIGTERM is passed on.
"$@" &
child=$!
trap 'kill -TERM $child' TERM
wait $child
code=$?
while kill -0 $child 2>/dev/null; do # The signal ended the wait, and not the command.
    wait $child
    code=$?
done
[ $code -eq 1 ] && code=0
exit $code
