#!/bin/sh
# The filter of the end-to-end tests with Postfix. The message itself says what the filter does, in the header line
#     X-Filter: ORDER TAG
# Before it obeys it keeps what it saw beside itself: seen/TAG.eml, the message, and seen/TAG.env, its environment with
# its directory, umask and standard input.
# Orders: pass, refuse (with a code), refuse-plain (without), change (OUTFILE), fail (exit 2, OUTFILE half written),
# hang (with a child, both pids in seen/TAG.pids). A message without the line passes, and nothing is kept of it.

here=$(dirname "$0")
set -- $(sed -n -e '/^$/q' -e 's/^X-Filter: //p' "$EMAIL")
order=$1
tag=$2
[ -n "$tag" ] || exit 0

cp "$EMAIL" "$here/seen/$tag.eml" || exit 3
{ env; echo "at=$(pwd)"; echo "umask=$(umask)"; echo "stdin=$(cat)"; } >"$here/seen/$tag.env" || exit 3

case $order in
pass)
	exit 0
	;;
refuse)
	echo "a line of noise" >&2
	echo "550 5.7.1 The filter does not like $tag" >&2
	exit 1
	;;
refuse-plain)
	echo "The filter does not like $tag" >&2
	exit 1
	;;
change)
	{
		sed '/^$/q' "$EMAIL"
		printf 'changed by the filter\n.a dot\n..two dots\n.\n\nno newline at the end'
	} >"$OUTFILE"
	exit 0
	;;
fail)
	echo "half a message" >"$OUTFILE"
	exit 2
	;;
hang)
	sleep 600 &
	echo "$$ $!" >"$here/seen/$tag.new" && mv "$here/seen/$tag.new" "$here/seen/$tag.pids"
	wait
	exit 0
	;;
esac
exit 4
