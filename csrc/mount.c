/* mount: to come */
#include "farside.h"

void far_open_mount(lua_State *L) {
  (void)L;
}
