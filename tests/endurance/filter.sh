#!/bin/sh
# The filter of the ledger. Its order stands in the recipient's address, alice+ID.ORDER@DOMAIN, so that nothing has to be
# read or started to find it: pass, refuse, replace (OUTFILE), fail (exit 2, OUTFILE half written), crash (a signal,
# OUTFILE half written), hang, slow (0.3 s, then pass).

case $RECIPIENT in
*.refuse@*)
	echo "550 5.7.1 The filter does not like it" >&2
	exit 1
	;;
*.replace@*)
	cat "$EMAIL" >"$OUTFILE" || exit 3
	echo "replaced by the filter" >>"$OUTFILE"
	;;
*.fail@*)
	echo "half a message" >"$OUTFILE"
	exit 2
	;;
*.crash@*)
	echo "half a message" >"$OUTFILE"
	kill -KILL $$
	;;
*.hang@*)
	sleep 30
	;;
*.slow@*)
	sleep 0.3
	;;
esac
exit 0
