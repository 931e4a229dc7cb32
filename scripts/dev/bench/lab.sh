# A lab of $1 hosts on a bridge by `ip -batch`, for bench.lua: to be run in a
# network and a mount namespace of its own.
set -eu
mount -t tmpfs none /run
mkdir /run/netns
{
  echo "link add sw type bridge"
  echo "link set sw up"
  i=0
  while [ $((i += 1)) -le "$1" ]; do
    echo "netns add h$i"
    echo "link add h$i up numtxqueues 1 numrxqueues 1 master sw type veth" \
      "peer name eth0 numtxqueues 1 numrxqueues 1 netns h$i"
  done
} | ip -batch -
i=0
while [ $((i += 1)) -le "$1" ]; do
  ip -n "h$i" -batch - <<END
link set lo up
link set eth0 up
address add 10.0.$((i >> 8)).$((i & 255))/16 dev eth0
END
done
