rockspec_format = "3.0"
package = "farside"
version = "scm-1"

source = { url = "git+file://." }

description = {
  summary = "Linux namespaces as Lua functions, containers as Lua scripts",
  detailed = [[
    A binding of the system calls that make containers, a library on top of
    it, and `farside`, a Lua interpreter with both inside. What it needs on
    Debian: apt-get install gcc make pkg-config liblua5.4-dev libcap-dev
    libnl-3-dev libnl-route-3-dev
  ]],
  license = "MIT",
}

supported_platforms = { "linux" }
dependencies = { "lua >= 5.4, < 5.6" }

-- The names are what LuaRocks says when it does not find them: those of
-- Debian's packages.
external_dependencies = {
  LIBCAP_DEV = { header = "sys/capability.h", library = "cap" },
  LIBNL_3_DEV = { header = "libnl3/netlink/netlink.h", library = "nl-3" },
  LIBNL_ROUTE_3_DEV = {
    header = "libnl3/netlink/route/link.h", library = "nl-route-3",
  },
}

-- LuaRocks installs: with --pack-binary-rock some of its versions tell make
-- to install into the system. The list of Lua files is kept by
-- scripts/dev/rockspec.lua.
build = {
  type = "make",
  build_variables = { CFLAGS = "$(CFLAGS)", LUA = "$(LUA)" },
  install_pass = false,
  install = {
    bin = { farside = "build/farside" },
    lib = { ["farside.core"] = "build/lib/farside/core.so" },
    lua = {
      ["farside.account"] =
        "lua/farside/account.lua",
      ["farside.attend"] =
        "lua/farside/attend.lua",
      ["farside.beside"] =
        "lua/farside/beside.lua",
      ["farside.cgroup"] =
        "lua/farside/cgroup.lua",
      ["farside.cgroup.group"] =
        "lua/farside/cgroup/group.lua",
      ["farside.child"] =
        "lua/farside/child.lua",
      ["farside.cli.cache"] =
        "lua/farside/cli/cache.lua",
      ["farside.cli.completion"] =
        "lua/farside/cli/completion.lua",
      ["farside.cli.doctor"] =
        "lua/farside/cli/doctor.lua",
      ["farside.cli.enter"] =
        "lua/farside/cli/enter.lua",
      ["farside.cli.exec"] =
        "lua/farside/cli/exec.lua",
      ["farside.cli.init"] =
        "lua/farside/cli/init.lua",
      ["farside.cli.lab"] =
        "lua/farside/cli/lab.lua",
      ["farside.cli.logs"] =
        "lua/farside/cli/logs.lua",
      ["farside.cli.ls"] =
        "lua/farside/cli/ls.lua",
      ["farside.cli.net"] =
        "lua/farside/cli/net.lua",
      ["farside.cli.netns"] =
        "lua/farside/cli/netns.lua",
      ["farside.cli.pause"] =
        "lua/farside/cli/pause.lua",
      ["farside.cli.plan"] =
        "lua/farside/cli/plan.lua",
      ["farside.cli.ps"] =
        "lua/farside/cli/ps.lua",
      ["farside.cli.resume"] =
        "lua/farside/cli/resume.lua",
      ["farside.cli.rm"] =
        "lua/farside/cli/rm.lua",
      ["farside.cli.run"] =
        "lua/farside/cli/run.lua",
      ["farside.cli.stats"] =
        "lua/farside/cli/stats.lua",
      ["farside.cli.stop"] =
        "lua/farside/cli/stop.lua",
      ["farside.cli.tour"] =
        "lua/farside/cli/tour.lua",
      ["farside.cli.tree"] =
        "lua/farside/cli/tree.lua",
      ["farside.clock"] =
        "lua/farside/clock.lua",
      ["farside.clone"] =
        "lua/farside/clone.lua",
      ["farside.columns"] =
        "lua/farside/columns.lua",
      ["farside.completion"] =
        "lua/farside/completion.lua",
      ["farside.container"] =
        "lua/farside/container.lua",
      ["farside.container_options"] =
        "lua/farside/container_options.lua",
      ["farside.detached"] =
        "lua/farside/detached.lua",
      ["farside.doctor"] =
        "lua/farside/doctor.lua",
      ["farside.doctor.cgroups"] =
        "lua/farside/doctor/cgroups.lua",
      ["farside.doctor.container"] =
        "lua/farside/doctor/container.lua",
      ["farside.doctor.ids"] =
        "lua/farside/doctor/ids.lua",
      ["farside.doctor.mounts"] =
        "lua/farside/doctor/mounts.lua",
      ["farside.doctor.namespaces"] =
        "lua/farside/doctor/namespaces.lua",
      ["farside.doctor.network"] =
        "lua/farside/doctor/network.lua",
      ["farside.doctor.programs"] =
        "lua/farside/doctor/programs.lua",
      ["farside.doctor.security"] =
        "lua/farside/doctor/security.lua",
      ["farside.doctor.trial"] =
        "lua/farside/doctor/trial.lua",
      ["farside.draw"] =
        "lua/farside/draw.lua",
      ["farside.draw.canvas"] =
        "lua/farside/draw/canvas.lua",
      ["farside.draw.cards"] =
        "lua/farside/draw/cards.lua",
      ["farside.draw.dot"] =
        "lua/farside/draw/dot.lua",
      ["farside.draw.links"] =
        "lua/farside/draw/links.lua",
      ["farside.draw.model"] =
        "lua/farside/draw/model.lua",
      ["farside.draw.svg"] =
        "lua/farside/draw/svg.lua",
      ["farside.draw.text"] =
        "lua/farside/draw/text.lua",
      ["farside.draw.wires"] =
        "lua/farside/draw/wires.lua",
      ["farside.draw.words"] =
        "lua/farside/draw/words.lua",
      ["farside.early"] =
        "lua/farside/early.lua",
      ["farside.enter"] =
        "lua/farside/enter.lua",
      ["farside.error"] =
        "lua/farside/error.lua",
      ["farside.exec"] =
        "lua/farside/exec.lua",
      ["farside.fields"] =
        "lua/farside/fields.lua",
      ["farside.file"] =
        "lua/farside/file.lua",
      ["farside.filter"] =
        "lua/farside/filter.lua",
      ["farside.handle"] =
        "lua/farside/handle.lua",
      ["farside.help"] =
        "lua/farside/help.lua",
      ["farside.hint"] =
        "lua/farside/hint.lua",
      ["farside.hint.ids"] =
        "lua/farside/hint/ids.lua",
      ["farside.hint.mounts"] =
        "lua/farside/hint/mounts.lua",
      ["farside.hint.namespaces"] =
        "lua/farside/hint/namespaces.lua",
      ["farside.hint.network"] =
        "lua/farside/hint/network.lua",
      ["farside.hint.others"] =
        "lua/farside/hint/others.lua",
      ["farside.hint.system"] =
        "lua/farside/hint/system.lua",
      ["farside.hint.versions"] =
        "lua/farside/hint/versions.lua",
      ["farside.holder"] =
        "lua/farside/holder.lua",
      ["farside.host"] =
        "lua/farside/host.lua",
      ["farside.idmap"] =
        "lua/farside/idmap.lua",
      ["farside.init"] =
        "lua/farside/init.lua",
      ["farside.inside"] =
        "lua/farside/inside.lua",
      ["farside.inspect"] =
        "lua/farside/inspect.lua",
      ["farside.join"] =
        "lua/farside/join.lua",
      ["farside.json"] =
        "lua/farside/json.lua",
      ["farside.kinds"] =
        "lua/farside/kinds.lua",
      ["farside.lab"] =
        "lua/farside/lab.lua",
      ["farside.lab.build"] =
        "lua/farside/lab/build.lua",
      ["farside.lab.capture"] =
        "lua/farside/lab/capture.lua",
      ["farside.lab.container"] =
        "lua/farside/lab/container.lua",
      ["farside.lab.draw"] =
        "lua/farside/lab/draw.lua",
      ["farside.lab.link"] =
        "lua/farside/lab/link.lua",
      ["farside.lab.neighbours"] =
        "lua/farside/lab/neighbours.lua",
      ["farside.lab.node"] =
        "lua/farside/lab/node.lua",
      ["farside.lab.options"] =
        "lua/farside/lab/options.lua",
      ["farside.lab.ping"] =
        "lua/farside/lab/ping.lua",
      ["farside.lab.ready"] =
        "lua/farside/lab/ready.lua",
      ["farside.lab.repl"] =
        "lua/farside/lab/repl.lua",
      ["farside.lab.shape"] =
        "lua/farside/lab/shape.lua",
      ["farside.lab.svg"] =
        "lua/farside/lab/svg.lua",
      ["farside.lab.throughput"] =
        "lua/farside/lab/throughput.lua",
      ["farside.lab.topology"] =
        "lua/farside/lab/topology.lua",
      ["farside.lab.world"] =
        "lua/farside/lab/world.lua",
      ["farside.landlock"] =
        "lua/farside/landlock.lua",
      ["farside.layer.cache"] =
        "lua/farside/layer/cache.lua",
      ["farside.layer.digest"] =
        "lua/farside/layer/digest.lua",
      ["farside.layer.image"] =
        "lua/farside/layer/image.lua",
      ["farside.layer.progress"] =
        "lua/farside/layer/progress.lua",
      ["farside.layer.tar"] =
        "lua/farside/layer/tar.lua",
      ["farside.layer.unpack"] =
        "lua/farside/layer/unpack.lua",
      ["farside.layers"] =
        "lua/farside/layers.lua",
      ["farside.lease"] =
        "lua/farside/lease.lua",
      ["farside.list"] =
        "lua/farside/list.lua",
      ["farside.list.holders"] =
        "lua/farside/list/holders.lua",
      ["farside.list.words"] =
        "lua/farside/list/words.lua",
      ["farside.log"] =
        "lua/farside/log.lua",
      ["farside.mount_options"] =
        "lua/farside/mount_options.lua",
      ["farside.mountinfo"] =
        "lua/farside/mountinfo.lua",
      ["farside.netlink"] =
        "lua/farside/netlink.lua",
      ["farside.netns"] =
        "lua/farside/netns.lua",
      ["farside.network"] =
        "lua/farside/network.lua",
      ["farside.network.address"] =
        "lua/farside/network/address.lua",
      ["farside.network.gate"] =
        "lua/farside/network/gate.lua",
      ["farside.network.keys"] =
        "lua/farside/network/keys.lua",
      ["farside.network.lease"] =
        "lua/farside/network/lease.lua",
      ["farside.network.nft"] =
        "lua/farside/network/nft.lua",
      ["farside.network.pasta"] =
        "lua/farside/network/pasta.lua",
      ["farside.network.wire"] =
        "lua/farside/network/wire.lua",
      ["farside.options"] =
        "lua/farside/options.lua",
      ["farside.outcome"] =
        "lua/farside/outcome.lua",
      ["farside.overtime"] =
        "lua/farside/overtime.lua",
      ["farside.plan"] =
        "lua/farside/plan.lua",
      ["farside.plan.files"] =
        "lua/farside/plan/files.lua",
      ["farside.plan.furniture"] =
        "lua/farside/plan/furniture.lua",
      ["farside.plan.identity"] =
        "lua/farside/plan/identity.lua",
      ["farside.plan.masks"] =
        "lua/farside/plan/masks.lua",
      ["farside.plan.mounts"] =
        "lua/farside/plan/mounts.lua",
      ["farside.plan.network"] =
        "lua/farside/plan/network.lua",
      ["farside.plan.payload"] =
        "lua/farside/plan/payload.lua",
      ["farside.plan.resources"] =
        "lua/farside/plan/resources.lua",
      ["farside.plan.steps"] =
        "lua/farside/plan/steps.lua",
      ["farside.plan.trees"] =
        "lua/farside/plan/trees.lua",
      ["farside.program"] =
        "lua/farside/program.lua",
      ["farside.reaper"] =
        "lua/farside/reaper.lua",
      ["farside.recipe"] =
        "lua/farside/recipe.lua",
      ["farside.recipe.identity"] =
        "lua/farside/recipe/identity.lua",
      ["farside.recipe.mounts"] =
        "lua/farside/recipe/mounts.lua",
      ["farside.recipe.resources"] =
        "lua/farside/recipe/resources.lua",
      ["farside.recipe.root"] =
        "lua/farside/recipe/root.lua",
      ["farside.registry"] =
        "lua/farside/registry.lua",
      ["farside.repl"] =
        "lua/farside/repl.lua",
      ["farside.resources"] =
        "lua/farside/resources.lua",
      ["farside.room"] =
        "lua/farside/room.lua",
      ["farside.root"] =
        "lua/farside/root.lua",
      ["farside.screen"] =
        "lua/farside/screen.lua",
      ["farside.sealed"] =
        "lua/farside/sealed.lua",
      ["farside.seccomp"] =
        "lua/farside/seccomp.lua",
      ["farside.serial"] =
        "lua/farside/serial.lua",
      ["farside.show"] =
        "lua/farside/show.lua",
      ["farside.spawn"] =
        "lua/farside/spawn.lua",
      ["farside.special"] =
        "lua/farside/special.lua",
      ["farside.state"] =
        "lua/farside/state.lua",
      ["farside.step"] =
        "lua/farside/step.lua",
      ["farside.subid"] =
        "lua/farside/subid.lua",
      ["farside.supervisor"] =
        "lua/farside/supervisor.lua",
      ["farside.sysctl"] =
        "lua/farside/sysctl.lua",
      ["farside.terminal"] =
        "lua/farside/terminal.lua",
      ["farside.tour"] =
        "lua/farside/tour.lua",
      ["farside.tour.beyond"] =
        "lua/farside/tour/beyond.lua",
      ["farside.tour.chapters"] =
        "lua/farside/tour/chapters.lua",
      ["farside.trace"] =
        "lua/farside/trace.lua",
      ["farside.tree"] =
        "lua/farside/tree.lua",
      ["farside.users"] =
        "lua/farside/users.lua",
      ["farside.walker"] =
        "lua/farside/walker.lua",
    },
  },
}
