# Runs a program in a network of its own, in which the name server answers for
# fast.test, and never for what ends in slow.test. The hosts file has here.test.
set -e
ip link set lo up
folder=$(mktemp -d)
echo "nameserver 127.0.0.1" > "$folder/resolv.conf"
printf "127.0.0.1 localhost here.test\n::1 here.test\n" > "$folder/hosts"
mount --bind "$folder/resolv.conf" /etc/resolv.conf
mount --bind "$folder/hosts" /etc/hosts
perl -MSocket -e '
  socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
  bind($s, sockaddr_in(5399, INADDR_LOOPBACK)) or die;
  sleep 60' & silent=$!
dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts \
  --listen-address=127.0.0.1 --bind-interfaces --pid-file= --user= \
  --address=/fast.test/127.0.0.1 '--server=/slow.test/127.0.0.1#5399' & names=$!
trap 'kill $silent $names; rm -r "$folder"' EXIT
for i in $(seq 200); do
  if ss -Hlun 'sport = :53' | grep -q .; then break; fi
  sleep 0.02
done
"$@"
