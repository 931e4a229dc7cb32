-- Attacks on the network of the machine, from a container on a bridge.

local t <const> = require "spec.helper"
local ns <const> = require "farside"

-- For each line that it is told: says to all on the bridge that it is a router,
-- and then asks who is there; whoever answers has heard both.
local router <const> = [[
  use Socket qw(:all);
  $| = 1;
  open(my $list, "<", "/proc/net/if_inet6");
  my ($own) = map { (split)[1] } grep { / eth0$/ } <$list>;
  my $link = hex $own;
  socket(my $s, AF_INET6, SOCK_RAW, 58) or die "socket: $!";
  setsockopt($s, 41, 17, pack("i", $link)) or die "IPV6_MULTICAST_IF: $!";
  setsockopt($s, 41, 18, pack("i", 255)) or die "IPV6_MULTICAST_HOPS: $!";
  my $all = pack_sockaddr_in6(0, inet_pton(AF_INET6, "ff02::1"), $link);
  my $advertisement = pack("CCnCCnNN", 134, 0, 0, 64, 0, 1800, 0, 0);
  my $echo = pack("CCnnn", 128, 0, 0, 7, 7);
  my ($answer, $words);
  while (<STDIN>) {
    do {
      send($s, $advertisement, 0, $all) && send($s, $echo, 0, $all);
      my $set = ""; vec($set, fileno($s), 1) = 1;
      $answer = select($set, undef, undef, 0.1) && recv($s, $words, 999, 0)
        && unpack("C", $words) == 129;
    } until $answer;
    print "answered\n";
  }]]

local function routers()
  local list = {}
  for _, route in ipairs(ns.route.list { family = "inet6" }) do
    if route.dst == "default" then list[#list + 1] = route.dev end
  end
  return table.concat(list, " ")
end

describe("an attacker in a container", function()
  it("does not become the machine's router", function()
    t.needs("perl", "file /proc/sys/net/ipv6")
    t.userns(function()
      ns.link.set("lo", { up = true })
      local input, to <const> = ns.pipe()
      local from, output <const> = ns.pipe()
      local container <close> = ns.spawn {
        "perl", "-e", router, stdin = input, stdout = output,
        network = { bridge = "br0", address = "10.9.0.2/24", nat = false },
      }
      local function advertise()
        ns.write(to, "now\n")
        assert.equal("answered\n", ns.read(from, 9))
        return routers()
      end
      assert.equal("", advertise())
      ns.write(ns.openat2(nil, "/proc/sys/net/ipv6/conf/br0/accept_ra",
                          "wronly"), "1")
      assert.equal("br0", advertise())
      assert.is_truthy(container.pid)
    end, { "net" })
  end)
end)
