--- Why a container's network could not be made.

local M = {}

local function row(calls, codes, check)
  M[#M + 1] = { calls = calls, codes = codes, check = check }
end

---- programs ----

row("nft", "ENOENT", function(err)
  if not err.path then
    return "for published ports and address translation: Debian has it in "
        .. "the package nftables; with nat = false, and without ports, it is "
        .. "not needed"
  end
end)

row("pasta slirp4netns", "ENOENT EACCES", function(err, sys)
  if not err.path then
    return "neither pasta nor slirp4netns is installed: Debian has them in the "
        .. "packages passt and slirp4netns"
  elseif sys.owner(err.path) then
    return "it is open to everybody where distributions make it: "
        .. "chmod 666 " .. err.path
  end
  return "the kernel has no tun device, or /dev does not show it: modprobe tun"
end)

---- bridges ----

row("network.plug", "EPERM", function(_, sys)
  if sys.foreign "net" or not sys.capable "net_admin" then
    return "a bridge is a link of the caller's network namespace, where that "
        .. "needs CAP_NET_ADMIN: network = \"user\" needs no privilege"
  end
end)

row("network.plug", "EADDRINUSE", function()
  return "another container has this address: `farside net ls` lists them; "
      .. "without `address` a free one is drawn"
end)

row("network.plug", "EADDRNOTAVAIL", function(err)
  if err.subnet then
    return "`farside net ls` lists who has them; give the bridge an address "
        .. "with a shorter prefix, or use another bridge"
  end
  return "give the container an address, or a subnet to draw one from"
end)

row("network.publish", "EADDRINUSE", function(err)
  if err.container then
    return "another container has published it: `farside net ls` lists them; "
        .. "the same port at one address, 127.0.0.1:8080:80, is another one"
  end
end)

row("network.enter", "EPERM", function(_, sys)
  if not sys.capable "sys_admin" then
    return "an ordinary user's container cannot be born in the network of "
        .. "another: run in there instead, with `exec` of that container"
  end
end)

---- settings ----

row("openat2 write", "EROFS EACCES EPERM", function(err)
  local path = err.path or ""
  local setting = path:match "^/proc/sys/(net/.+)$"
  if setting then
    return ("%s must be set outside first, since /proc/sys cannot be written "
        .. "here, as in an engine's container"):format(setting)
  end
end)

return M
